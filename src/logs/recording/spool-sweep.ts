import type { Job } from "../../core/kubernetes/objects.ts";
import { readStoredRecord } from "../../core/logs/stored-record.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { SpoolRoot } from "./spool-root.ts";

/** A spool whose Job is not known may be one whose namespace is not yet. */
const UNKNOWN_MS = 3_600_000;

export interface SpoolSweepOptions {
  spools: Pick<SpoolRoot, "list" | "remove">;
  /** Its build is recorded here now. */
  isNeeded(uid: string): boolean;
  clock: Clock;
}

/** Knows of which builds there are spools that nobody here writes, and removes those that nobody needs. */
export class SpoolSweep {
  readonly #options: SpoolSweepOptions;
  #left = new Set<string>();
  #unknownSinceMs = new Map<string, number>();

  constructor(options: SpoolSweepOptions) {
    this.#options = options;
  }

  /** Whether there is a spool of this build that is not written here, as of the last round. */
  isLeft(uid: string): boolean {
    return this.#left.has(uid);
  }

  /** `jobOf` tells the Job of a uid, where it is known. Whoever writes in what is not stored yet keeps it; others' are the holder's to remove. */
  async round(jobOf: (uid: string) => Job | undefined, mayRemove: boolean): Promise<void> {
    const { spools, clock, isNeeded } = this.#options;
    const left = (await spools.list()).filter((uid) => !isNeeded(uid));
    const unknown = new Map<string, number>();
    this.#left = new Set();
    for (const uid of left) {
      const job = jobOf(uid);
      const sinceMs = this.#unknownSinceMs.get(uid) ?? clock.monotonicMs();
      if (!job) unknown.set(uid, sinceMs);
      const isOver = job ? readStoredRecord(job) !== undefined : clock.monotonicMs() - sinceMs > UNKNOWN_MS;
      if (isOver && mayRemove) await spools.remove(uid);
      else this.#left.add(uid);
    }
    this.#unknownSinceMs = unknown;
  }
}
