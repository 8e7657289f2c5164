import type { Clock } from "./clock.ts";

/** Of the time that a run took, so much goes by before the next one. */
const PAUSE = 9;
const MAX_PAUSE_MS = 1000;

/**
 * Work that anybody may ask for, at no more than a tenth of this process's time: whoever asks while a run waits or is under way gets its result,
 * and the next run begins when nine times as long as the last one took has gone by, or a second.
 */
export function paced<T>(work: () => Promise<T>, clock: Clock): () => Promise<T> {
  let current: Promise<T> | undefined;
  let freeAtMs = Number.NEGATIVE_INFINITY;

  async function run(): Promise<T> {
    const waitMs = freeAtMs - clock.monotonicMs();
    if (waitMs > 0) await new Promise<void>((resolve) => clock.schedule(waitMs, resolve));
    const startedMs = clock.monotonicMs();
    try {
      return await work();
    } finally {
      const endedMs = clock.monotonicMs();
      freeAtMs = endedMs + Math.min(MAX_PAUSE_MS, PAUSE * (endedMs - startedMs));
    }
  }

  return () => {
    current ??= run().finally(() => {
      current = undefined;
    });
    return current;
  };
}
