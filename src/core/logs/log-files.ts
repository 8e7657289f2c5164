import type { BuildFile, StoredLogEntry } from "./build-file.ts";
import type { LogHole } from "./log-position.ts";

/** Names of a build's own files in its directory, beside `build.json`. */

/** For people, without this program. */
export const INDEX_FILE = "index.html";
/** What the collector's upload was, as it was stored; part of `build.json` later. */
export const ARTIFACTS_FILE = "artifacts.json";

/** A container's name has letters, digits and dashes, so that an underscore is nobody's. */
export function logFile(container: string, isTest: boolean): string {
  if (isTest) return "console.log";
  return container === "console" ? "console_.log" : `${container}.log`;
}

interface FollowedLog {
  container: string;
  size: number;
  holes: readonly (LogHole & { offset: number })[];
  cut: { from: number; to: number } | undefined;
  attempts: StoredLogEntry["attempts"];
  points: StoredLogEntry["points"];
}

/** What stands in a log's file, in order: bytes of the log, and words of ours where some are missing. */
export type FilePart = { from: number; to: number } | { words: string };

/**
 * Lays out a log's file. In a plain text anybody can write anything: our words bear a mark that is made when the test has ended, and that
 * `build.json` and the page tell; and `runs` says where the log's own bytes are.
 */
export function layLogFile(log: FollowedLog, file: string, mark: string): { parts: FilePart[]; entry: StoredLogEntry } {
  const { container, size, holes, cut, attempts, points } = log;
  const missing = [
    ...holes.map(({ offset, after, before }) => ({ from: offset, to: offset, why: holeWords(after, before) })),
    ...(cut ? [{ ...cut, why: `${cut.to - cut.from} bytes are not kept here, as the log is longer than it may be` }] : []),
  ].sort((a, b) => a.from - b.from || a.to - b.to);
  const parts: FilePart[] = [];
  const runs: StoredLogEntry["runs"] = [];
  let [at, offset] = [0, 0];
  const addRun = (to: number) => {
    if (to <= offset) return;
    parts.push({ from: offset, to });
    runs.push({ offset, at, bytes: to - offset });
    at += to - offset;
  };
  for (const { from, to, why } of missing) {
    // Within what is not kept there is nothing to tell.
    if (from < offset) continue;
    addRun(from);
    const words = `${from === 0 ? "" : "\n"}[turbo-hipster ${mark}: ${why}]\n`;
    parts.push({ words });
    at += new TextEncoder().encode(words).length;
    offset = to;
  }
  addRun(size);
  const shownHoles = holes.map(({ offset: where, after, before }) => ({
    offset: where,
    after,
    ...(before === undefined ? {} : { before }),
  }));
  return { parts, entry: { container, file, bytes: size, runs, holes: shownHoles, ...(cut ? { cut } : {}), attempts, points } };
}

function holeWords(after: string, before: string | undefined): string {
  return `lines may be missing here, between ${after || "the beginning"} and ${before ?? "the end"}: the node had thrown them away`;
}

/** Whether there is something to tell of how the log was kept. */
export function isWhole({ holes, cut }: BuildFile["logs"][number]): boolean {
  return holes.length === 0 && cut === undefined;
}
