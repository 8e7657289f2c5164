import { pieceCount, type ShownLine, showLine } from "./shown-line.ts";

/** A place in a log from which reading can go on. */
export interface LogPosition {
  offset: number;
  /** The line that this byte belongs to; the first is 1. */
  line: number;
  /** Not at the line's beginning: it is longer than what is shown of one. */
  isInside: boolean;
}

export const LOG_START: LogPosition = { offset: 0, line: 1, isInside: false };

const NEWLINE = 0x0a;
/** Of a line that has not ended, more than this is never read again. */
export const MAX_OPEN_BYTES = 64 * 1024;

export interface ParsedChunk {
  lines: ShownLine[];
  /** Where reading goes on: at the beginning of a line that has not ended, unless that is very long. */
  next: LogPosition;
}

/** The lines in `bytes`, which stand at `position`. A last line without its newline is among them, as open unless `isEnd`. */
export function parseLines(bytes: Uint8Array, position: LogPosition, isEnd: boolean): ParsedChunk {
  const lines: ShownLine[] = [];
  let { line, isInside } = position;
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    addLine(lines, bytes.subarray(start, end), { number: line, offset: position.offset + start, isInside, isOpen: false });
    start = end + 1;
    line += 1;
    isInside = false;
  }
  const rest = bytes.subarray(start);
  const offset = position.offset + start;
  if (rest.length === 0) return { lines, next: { offset, line, isInside } };
  addLine(lines, rest, { number: line, offset, isInside, isOpen: !isEnd });
  if (isEnd) return { lines, next: { offset: offset + rest.length, line, isInside: true } };
  if (rest.length < MAX_OPEN_BYTES && !isInside) return { lines, next: { offset, line, isInside } };
  return { lines, next: { offset: offset + rest.length, line, isInside: true } };
}

interface LinePlace {
  number: number;
  offset: number;
  isInside: boolean;
  isOpen: boolean;
}

/** Of what continues a line, only what a carriage return makes new is shown. */
function addLine(lines: ShownLine[], bytes: Uint8Array, { number, offset, isInside, isOpen }: LinePlace): void {
  if (!isInside) lines.push(showLine(bytes, { number, offset, isOpen }));
  else if (bytes.includes(0x0d)) {
    const shown = showLine(bytes, { number, offset, isOpen });
    if (pieceCount(shown) > 0) lines.push(shown);
  }
}
