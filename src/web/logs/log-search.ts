import { FAILURE_WORDS } from "./failure-words.ts";
import { LOG_START, type LogPosition } from "./log-lines.ts";
import { readRaw } from "./raw-lines.ts";
import type { ReadableLog } from "./readable-log.ts";
import { type ShownLine, showLine } from "./shown-line.ts";
import { plainTerminalLine } from "./terminal-text.ts";

/** Looked through in one go; who wants more asks again from `next`. */
const MAX_SEARCHED_BYTES = 64 * 2 ** 20;
export const MAX_FOUND = 200;
export const MAX_QUERY_LENGTH = 200;

export interface SearchResult {
  lines: ShownLine[];
  /** Where the search goes on; undefined: the whole log was searched. */
  next: LogPosition | undefined;
}

type Finder = (text: string) => Iterable<number>;

/** Lines that hold `query`, letters of ASCII in any case. */
export function searchLog(log: ReadableLog, query: string, from: LogPosition, signal: AbortSignal): Promise<SearchResult> {
  const needle = Buffer.from(query.toLowerCase()).toString("latin1").toLowerCase();
  const find: Finder = function* (text) {
    const lower = text.toLowerCase();
    for (let at = lower.indexOf(needle); at !== -1; at = lower.indexOf(needle, at + 1)) yield at;
  };
  const wanted = query.toLowerCase();
  // Bytes may be alike that are not the same letters, or an escape sequence.
  const isMeant = (text: string) => plainTerminalLine(text).toLowerCase().includes(wanted);
  return scan(log, from, { find, isMeant, most: MAX_FOUND, signal });
}

/** The first line that looks like a failure's. */
export async function findFirstError(log: ReadableLog, from: LogPosition, signal: AbortSignal): Promise<SearchResult> {
  const find: Finder = function* (text) {
    for (const { index } of text.matchAll(FAILURE_WORDS)) yield index;
  };
  return await scan(log, from, { find, isMeant: () => true, most: 1, signal });
}

interface Scan {
  /** Offsets in a text of bytes (latin1). */
  find: Finder;
  isMeant(line: string): boolean;
  most: number;
  signal: AbortSignal;
}

async function scan(log: ReadableLog, from: LogPosition, { find, isMeant, most, signal }: Scan): Promise<SearchResult> {
  const lines: ShownLine[] = [];
  let position = from.isInside ? LOG_START : from;
  const limit = position.offset + MAX_SEARCHED_BYTES;
  while (!signal.aborted) {
    if (position.offset >= limit) return { lines, next: position };
    const chunk = await readRaw(log, position);
    if (!chunk) return { lines, next: undefined };
    const { bytes, at, next } = chunk;
    const text = bytes.toString("latin1");
    let counted = { index: 0, lines: 0 };
    let end = -1;
    for (const index of find(text)) {
      if (index < end) continue;
      counted = { index, lines: counted.lines + countLines(text, counted.index, index) };
      const start = text.lastIndexOf("\n", index - 1) + 1;
      const newline = text.indexOf("\n", index);
      end = newline === -1 ? text.length : newline;
      const line = bytes.subarray(start, end);
      if (!isMeant(line.toString("utf8"))) continue;
      lines.push(showLine(line, { number: at.line + counted.lines, offset: at.offset + start, isOpen: false }));
      if (lines.length < most) continue;
      const rest = { offset: at.offset + end + 1, line: at.line + counted.lines + 1, isInside: false };
      return { lines, next: newline === -1 ? next : rest };
    }
    position = next;
  }
  return { lines, next: position };
}

function countLines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}
