import { LOG_START, type LogPosition, MAX_OPEN_BYTES, parseLines } from "./log-lines.ts";
import { type LogNote, notesOf } from "./log-notes.ts";
import { type LogPoint, pointBefore, pointBeforeLine, pointBehind, type ReadableLog } from "./readable-log.ts";
import type { ShownLine } from "./shown-line.ts";

/** Some lines of a log that stand together. */
export interface LogWindow {
  lines: readonly ShownLine[];
  notes: readonly LogNote[];
  /** Where reading goes on. */
  next: LogPosition;
  /** Bytes that were there. */
  bytes: number;
  isEnded: boolean;
  /** The number of the last line that there is, as far as that is known without reading. */
  total: number;
}

/** Of a log in one go. */
export const READ_BYTES = 256 * 1024;
export const MAX_LINES = 2000;
/** Looked through for lines, at most; a single line may be longer. */
const MAX_SCAN_BYTES = 8 * 2 ** 20;

/** Lines from number `from` on; fewer than `count` at the end of the log, and where they are very long. */
export async function readWindow(log: ReadableLog, from: number, count: number): Promise<LogWindow> {
  const most = Math.min(count, MAX_LINES);
  const { offset, lines: before } = pointBeforeLine(log.points(), from);
  const lines: ShownLine[] = [];
  let position: LogPosition = { offset, line: before + 1, isInside: false };
  /** Where the line begins that comes after these. */
  let behind: number | undefined;
  const limit = offset + MAX_SCAN_BYTES;
  for (;;) {
    const { bytes, isEnded } = log.snapshot();
    const step = await readStep(log, position, isEnded);
    for (const line of step.lines) {
      if (line.number >= from + most) behind ??= line.offset;
      if (line.number < from || line.number >= from + most) continue;
      // What stands open was read anew.
      if (lines.at(-1)?.number === line.number) lines.pop();
      lines.push(line);
    }
    // What is gone from a store can't be read, whatever its build says.
    const isStuck = step.readTo <= position.offset;
    position = step.next;
    if (isStuck || step.readTo >= bytes || position.line >= from + most || position.offset > limit) break;
  }
  const snapshot = log.snapshot();
  const first = lines[0]?.offset ?? position.offset;
  // Each stands in one window: that of the line in front of it.
  const notes = notesOf(snapshot).filter(
    (note) => (note.offset >= first || from === 1) && note.offset < (behind ?? Number.POSITIVE_INFINITY),
  );
  const total = Math.max(totalLines(log.points()), lines.at(-1)?.number ?? 0);
  return { lines, notes, next: position, bytes: snapshot.bytes, isEnded: snapshot.isEnded, total };
}

/** The last `count` lines. */
export async function readTail(log: ReadableLog, count: number): Promise<LogWindow> {
  const first = Math.max(1, totalLines(log.points()) - count + 1);
  const window = await readWindow(log, first, MAX_LINES);
  const lines = window.lines.slice(-count);
  const from = lines[0]?.offset ?? 0;
  return { ...window, lines, notes: window.notes.filter(({ offset }) => offset >= from || first === 1) };
}

/** Number of the line in which this byte stands, or of one shortly before it. */
export function lineNear(log: ReadableLog, offset: number): number {
  return pointBefore(log.points(), offset).lines + 1;
}

function totalLines(points: readonly LogPoint[]): number {
  return points.at(-1)?.lines ?? 0;
}

/** What one read gives. `readTo` is the offset behind the last byte that was looked at. */
export async function readStep(log: ReadableLog, position: LogPosition, isEnded: boolean) {
  const { offset, bytes } = await readOn(log, position.offset);
  if (offset > position.offset && bytes.length > 0) {
    // Behind a cut: from the first line whose number is known.
    const point = pointBehind(log.points(), offset);
    const next = point ? { offset: point.offset, line: point.lines + 1, isInside: false } : { ...position, offset: offset + bytes.length };
    return { lines: [], next, readTo: next.offset };
  }
  const readTo = position.offset + bytes.length;
  const { bytes: size, cut } = log.snapshot();
  // Where a cut begins no more of the line comes.
  const isEnd = (isEnded && readTo >= size) || readTo === cut?.from;
  return { ...parseLines(bytes, position, isEnd), readTo };
}

/** A read may end early; what was begun must come further than a line that is read again would. */
async function readOn(log: ReadableLog, from: number): Promise<{ offset: number; bytes: Uint8Array }> {
  const first = await log.read(from, READ_BYTES);
  const parts = [first.bytes];
  for (let length = first.bytes.length; first.offset === from && length > 0 && length < MAX_OPEN_BYTES; ) {
    const { offset, bytes } = await log.read(from + length, READ_BYTES - length);
    if (offset !== from + length || bytes.length === 0) break;
    parts.push(bytes);
    length += bytes.length;
  }
  return { offset: first.offset, bytes: parts.length === 1 ? first.bytes : Buffer.concat(parts) };
}

/** A position as text and back, as an event's id; anything else is the start. */
export function renderPosition({ offset, line, isInside }: LogPosition): string {
  return `${offset}.${line}${isInside ? ".i" : ""}`;
}

export function parsePosition(text: string | undefined): LogPosition {
  const match = /^(\d{1,15})\.(\d{1,12})(\.i)?$/.exec(text ?? "");
  if (!match) return LOG_START;
  return { offset: Number(match[1]), line: Math.max(1, Number(match[2])), isInside: match[3] !== undefined };
}
