import { readFile } from "node:fs/promises";
import { ARTIFACT_LIMITS, type ArtifactLimits } from "../../core/artifacts/artifact-limits.ts";
import { ArtifactPatterns } from "../../core/artifacts/artifact-patterns.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError, isRetryable } from "../../runtime/errors.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import { type ArchiveCounts, makeArchive } from "./make-archive.ts";
import { upload } from "./upload.ts";
import type { CollectedRoot } from "./walk.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

export interface CollectOptions {
  /** Of the operator's answer for this build. */
  url: URL;
  tokenFile: string;
  /** All in it is kept. */
  artifactsDirectory: string;
  /** Below it, what `paths` match. */
  workingDirectory: string;
  paths: readonly string[];
  limits?: ArtifactLimits;
  /** Aborts when there is no time left. */
  signal: AbortSignal;
  clock: Clock;
  print(line: string): void;
}

export type CollectOutcome = { kind: "stored"; counts: ArchiveCounts } | { kind: "failed"; why: string };

/** Sends what is to be kept until the operator says that it is stored, again and again while `signal` allows. Never rejects. */
export async function collect(options: CollectOptions): Promise<CollectOutcome> {
  const { url, tokenFile, limits = ARTIFACT_LIMITS, signal, clock, print } = options;
  const wakeup = new Wakeup(clock);
  let why = "there was no time for it";
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const counts = { files: 0, bytes: 0, leftOut: 0 };
    try {
      // Each time anew: the kubelet renews it.
      const token = (await readFile(tokenFile, "utf8")).trim();
      await upload(url, { token, body: () => makeArchive(rootsOf(options), limits, counts), signal });
      return { kind: "stored", counts };
    } catch (thrown) {
      if (signal.aborted) break;
      const error = coerceError(thrown);
      why = error.message;
      print(`not stored: ${why}`);
      const isFinal = !isRetryable(error) && (error as { code?: string }).code === "TH_UPLOAD";
      if (isFinal) return { kind: "failed", why };
      await wakeup.wait(backoffMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), signal);
    }
  }
  return { kind: "failed", why };
}

function rootsOf({ artifactsDirectory, workingDirectory, paths }: CollectOptions): CollectedRoot[] {
  const all = { directory: artifactsDirectory, matches: () => true, mayHold: () => true };
  if (paths.length === 0) return [all];
  const patterns = new ArtifactPatterns(paths);
  return [
    all,
    { directory: workingDirectory, matches: (path) => patterns.matches(path), mayHold: (directory) => patterns.mayHold(directory) },
  ];
}
