import type { LineTime } from "../checks/line-times.ts";
import type { LogHole, LogPosition } from "./log-position.ts";

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
  /** When lines were printed, where that is kept; see `LineTimes`. */
  readonly times?: readonly LineTime[];
  /** Nothing comes after this offset. */
  readonly endedAt: number | undefined;
}

const POINT_SPACING = 64 * 1024;
const MAX_POINTS = 4096;

export function renderPoint({ offset, lines, attempt, position: { time, count, taken, isWhole } }: SpoolPoint): string {
  return `${JSON.stringify({ at: offset, lines, attempt, time, count, taken, whole: isWhole })}\n`;
}

export function renderHole({ offset, after, before }: SpoolHole): string {
  return `${JSON.stringify({ hole: offset, after, before })}\n`;
}

export function renderAttempt({ offset, attempt }: SpoolAttempt): string {
  return `${JSON.stringify({ begins: offset, attempt })}\n`;
}

export function renderTime({ line, ms }: LineTime): string {
  return `${JSON.stringify({ line, ms })}\n`;
}

export function renderEnd(offset: number): string {
  return `${JSON.stringify({ end: offset })}\n`;
}

/** The beginning of a journal: all that was known before, in few words, and who writes. Without its last line it is none. */
export function renderJournal({ points, holes, attempts, times = [], endedAt }: SpoolState, term: number): string {
  const end = endedAt === undefined ? "" : renderEnd(endedAt);
  return [
    ...points.map(renderPoint),
    ...holes.map(renderHole),
    ...attempts.map(renderAttempt),
    ...times.map(renderTime),
    end,
    renderTerm(term),
  ].join("");
}

function renderTerm(term: number): string {
  return `${JSON.stringify({ term })}\n`;
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
