import { systemClock } from "../../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import type { BenchWorld } from "../bench-world.ts";

/** The kubelet looks every second: a loop in step with it would measure nonsense. */
const MAX_DELAY_MS = 1000;
/** Longer than any single Job or build takes on a machine that works. */
const RUN_LIMIT_MS = 120_000;

/** Makes one measurement; `limit` aborts when it takes too long, or the bench is over. */
export type Measure = (limit: AbortSignal) => Promise<void>;

/**
 * Measures all kinds, one at a time and so many rounds: `warmUp` of them first, after which `forget` is to forget what they gave. Whatever
 * one kind does to the next, it does to all of them: in each round another one begins.
 */
export async function measureInTurn(
  kinds: readonly Measure[],
  { pairs, warmUp, forget }: { pairs: number; warmUp: number; forget: () => void },
  { signal, log }: BenchWorld,
): Promise<void> {
  signal.throwIfAborted();
  log(`warming up with ${warmUp} pairs, then measuring ${pairs}`);
  for (let round = 0; round < warmUp + pairs; round++) {
    if (round === warmUp) forget();
    for (let turn = 0; turn < kinds.length; turn++) {
      const measure = kinds[(turn + round) % kinds.length];
      if (measure) await measureAfterDelay(measure, signal);
    }
    const pair = round - warmUp;
    if (pair > 0 && pair % 10 === 0) log(`${pair} of ${pairs} pairs`);
  }
}

async function measureAfterDelay(measure: Measure, signal: AbortSignal): Promise<void> {
  await systemClock.sleep(Math.random() * MAX_DELAY_MS, signal);
  const limit = AbortSignal.timeout(RUN_LIMIT_MS);
  try {
    await measure(AbortSignal.any([signal, limit]));
  } catch (error) {
    if (error !== limit.reason) throw error;
    throw new TurboHipsterError("TH_BENCH", `no end of a Job within ${RUN_LIMIT_MS / 1000} s; do the nodes have the image?`);
  }
}
