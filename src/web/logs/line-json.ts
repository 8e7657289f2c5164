import type { LogNote } from "./log-notes.ts";
import type { LogWindow } from "./log-window.ts";
import type { ShownLine } from "./shown-line.ts";
import type { Piece } from "./terminal-text.ts";

/** A line in the API and in the live log's events. docs/api.md tells of it. */
export interface LineJson {
  line: number;
  pieces: readonly Piece[];
  /** It looks like one of a program that fails. */
  isError?: true;
  /** Bytes of it that are left out. */
  omitted?: number;
  /** More of it may come: a later one of the same number takes its place. */
  isOpen?: true;
}

/** What is said about the log between its lines, by us: before the line of this number. */
export interface NoteJson {
  before: number;
  kind: LogNote["kind"];
  text: string;
  /** Of the log: one that comes again is the same. */
  offset: number;
}

export interface LinesJson {
  lines: LineJson[];
  notes: NoteJson[];
}

export function linesJson({ lines, notes }: Pick<LogWindow, "lines" | "notes">): LinesJson {
  const last = (lines.at(-1)?.number ?? 0) + 1;
  return {
    lines: lines.map(lineJson),
    notes: notes.map((note) => ({ ...note, before: lines.find(({ offset }) => offset >= note.offset)?.number ?? last })),
  };
}

function lineJson({ number, pieces, isError, omitted, isOpen }: ShownLine): LineJson {
  return {
    line: number,
    pieces,
    ...(isError ? { isError } : {}),
    ...(omitted > 0 ? { omitted } : {}),
    ...(isOpen ? { isOpen: true } : {}),
  };
}
