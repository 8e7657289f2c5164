import { z } from "zod";
import { BEFORE_ALL, type LogHole, type LogPosition } from "./log-position.ts";

/** A place in a spool at which a line begins, and what another stream of the log is held against to go on there. */
export interface SpoolPoint {
  readonly offset: number;
  /** Whole lines before it. */
  readonly lines: number;
  /** Which run of the container has printed what comes next: how often it had been started again. */
  readonly attempt: number;
  /** In that run's log. */
  readonly position: LogPosition;
}

/** A hole at an offset of the spool: what comes before it and after it is not what was printed together. */
export interface SpoolHole extends LogHole {
  readonly offset: number;
}

/** From this offset on it is another run of the container that prints: one that had been started again so often. */
export interface SpoolAttempt {
  readonly offset: number;
  readonly attempt: number;
}

export interface SpoolState {
  /** By offset, about `POINT_SPACING` apart. */
  readonly points: SpoolPoint[];
  readonly holes: readonly SpoolHole[];
  /** Of each run but the first. */
  readonly attempts: readonly SpoolAttempt[];
  /** Nothing comes after this offset. */
  readonly endedAt: number | undefined;
}

const POINT_SPACING = 64 * 1024;
const MAX_POINTS = 4096;

const record = z.union([
  z.object({
    at: z.int().nonnegative(),
    lines: z.int().nonnegative(),
    attempt: z.int().nonnegative(),
    time: z.string(),
    count: z.int(),
    taken: z.int(),
    whole: z.boolean(),
  }),
  z.object({ hole: z.int().nonnegative(), after: z.string(), before: z.string().optional() }),
  z.object({ begins: z.int().nonnegative(), attempt: z.int().positive() }),
  z.object({ end: z.int().nonnegative() }),
  z.object({ term: z.int().nonnegative() }),
]);

const FIRST: SpoolPoint = { offset: 0, lines: 0, attempt: 0, position: BEFORE_ALL };

export function renderPoint({ offset, lines, attempt, position: { time, count, taken, isWhole } }: SpoolPoint): string {
  return `${JSON.stringify({ at: offset, lines, attempt, time, count, taken, whole: isWhole })}\n`;
}

export function renderHole({ offset, after, before }: SpoolHole): string {
  return `${JSON.stringify({ hole: offset, after, before })}\n`;
}

export function renderAttempt({ offset, attempt }: SpoolAttempt): string {
  return `${JSON.stringify({ begins: offset, attempt })}\n`;
}

export function renderEnd(offset: number): string {
  return `${JSON.stringify({ end: offset })}\n`;
}

/** The beginning of a journal: all that was known before, in few words, and who writes. Without its last line it is none. */
export function renderJournal({ points, holes, attempts, endedAt }: SpoolState, term: number): string {
  const end = endedAt === undefined ? "" : renderEnd(endedAt);
  return [...points.map(renderPoint), ...holes.map(renderHole), ...attempts.map(renderAttempt), end, renderTerm(term)].join("");
}

function renderTerm(term: number): string {
  return `${JSON.stringify({ term })}\n`;
}

/** Of its writer; undefined if the journal has no whole beginning: whoever began it was killed. */
export function journalTerm(text: string): number | undefined {
  for (const line of text.split("\n").slice(0, -1)) {
    const entry = parseRecord(line);
    if (entry === undefined) return undefined;
    if ("term" in entry) return entry.term;
  }
  return undefined;
}

/**
 * Reads as much of a journal as is whole: its writer may have been killed at any byte. What it says of more than `size` bytes is left out, as
 * they never came to the disk; the last point is where the spool goes on.
 */
export function parseJournal(text: string, size: number): SpoolState {
  const points: SpoolPoint[] = [FIRST];
  const holes: SpoolHole[] = [];
  const attempts: SpoolAttempt[] = [];
  let endedAt: number | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const entry = parseRecord(line);
    if (entry === undefined) break;
    if ("at" in entry) {
      const { at: offset, lines, attempt, time, count, taken, whole: isWhole } = entry;
      if (offset <= size) addPoint(points, { offset, lines, attempt, position: { time, count, taken, isWhole } });
    } else if ("hole" in entry) {
      const { hole: offset, after, before } = entry;
      if (!holes.some((each) => each.offset === offset && each.after === after)) holes.push({ offset, after, before });
    } else if ("begins" in entry) {
      const { begins: offset, attempt } = entry;
      if (!attempts.some((each) => each.attempt === attempt)) attempts.push({ offset, attempt });
    } else if ("end" in entry && entry.end <= size) endedAt = entry.end;
  }
  const last = points.at(-1) as SpoolPoint;
  // A hole at the last point is found anew by who goes on there, as the line behind it comes anew; but for one at the end of another run.
  const isBehind = endedAt !== undefined || isBeginning(last);
  const from = endedAt ?? last.offset;
  return {
    points,
    holes: holes.filter(({ offset }) => offset < from || (isBehind && offset === from)),
    attempts: attempts.filter(({ attempt }) => attempt <= last.attempt),
    endedAt,
  };
}

function isBeginning({ attempt, position }: SpoolPoint): boolean {
  return attempt > 0 && position.time === "";
}

/** Adds a point. Of those that are too close together to be of use, and of every two once there are too many, one is left out. */
export function addPoint(points: SpoolPoint[], point: SpoolPoint): void {
  const previous = points.at(-2);
  const last = points.at(-1);
  if (previous !== undefined && last !== undefined && last.offset - previous.offset < POINT_SPACING) points.pop();
  points.push(point);
  if (points.length <= MAX_POINTS) return;
  const kept = points.filter((_, index) => index % 2 === 0 || index === points.length - 1);
  points.splice(0, points.length, ...kept);
}

function parseRecord(line: string): z.infer<typeof record> | undefined {
  try {
    return record.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
