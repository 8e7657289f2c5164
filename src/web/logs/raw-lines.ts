import type { LogPosition } from "./log-lines.ts";
import { pointBehind, type ReadableLog } from "./readable-log.ts";

export interface RawChunk {
  bytes: Buffer;
  /** Where it begins. */
  at: LogPosition;
  next: LogPosition;
}

const NEWLINE = 0x0a;
/** A bucket takes some ten milliseconds for each read, however much is read; a chunk of this size is looked through in a few. */
const READ_BYTES = 2 ** 20;

/** Whole lines from a position on, or a piece of one that is longer than a read; undefined at the end. */
export async function readRaw(log: ReadableLog, position: LogPosition): Promise<RawChunk | undefined> {
  const { offset, bytes: read } = await log.read(position.offset, READ_BYTES);
  if (read.length === 0) return undefined;
  if (offset > position.offset) {
    const point = pointBehind(log.points(), offset);
    return point && (await readRaw(log, { offset: point.offset, line: point.lines + 1, isInside: false }));
  }
  const end = read.lastIndexOf(NEWLINE) + 1;
  const bytes = Buffer.from(read.buffer, read.byteOffset, end === 0 ? read.length : end);
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  const next = { offset: position.offset + bytes.length, line: position.line + lines, isInside: false };
  return { bytes, at: position, next };
}
