import { soundsLikeFailure } from "./failure-words.ts";
import { type Piece, readTerminalLine } from "./terminal-text.ts";

/** One line of a log, ready to be shown. */
export interface ShownLine {
  number: number;
  offset: number;
  pieces: readonly Piece[];
  /** It looks like one of a program that fails. */
  isError: boolean;
  /** Bytes of it that are not shown. */
  omitted: number;
  /** More of it may come. */
  isOpen: boolean;
}

/** Of a longer line the rest is in the raw log. */
export const MAX_LINE_BYTES = 8 * 1024;

const decoder = new TextDecoder();

export function showLine(bytes: Uint8Array, place: { number: number; offset: number; isOpen: boolean }): ShownLine {
  const written = afterLastReturn(bytes);
  const shown = written.subarray(0, MAX_LINE_BYTES);
  const text = decoder.decode(shown);
  const pieces = readTerminalLine(text);
  const isError = soundsLikeFailure(pieces.map(([part]) => part).join(""));
  return { ...place, pieces, isError, omitted: written.length - shown.length };
}

export function pieceCount({ pieces }: ShownLine): number {
  return pieces.length;
}

/** What was overwritten is not shown, and may be long. */
function afterLastReturn(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0x0d) end -= 1;
  return bytes.subarray(bytes.subarray(0, end).lastIndexOf(0x0d) + 1, end);
}
