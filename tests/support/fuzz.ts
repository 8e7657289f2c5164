import type { TestContext } from "node:test";
import type { Parameters } from "fast-check";

/**
 * How many generated inputs, and which: `TH_FUZZ_RUNS` multiplies the runs, `TH_FUZZ_SEED` (and `TH_FUZZ_PATH`, which a failure prints) plays
 * a run again. The seed is printed with each test.
 */
export function fuzzParameters(
  context: TestContext,
  runs: number,
): Pick<Parameters<unknown>, "numRuns" | "seed" | "path" | "endOnFailure"> {
  const { TH_FUZZ_SEED, TH_FUZZ_PATH, TH_FUZZ_RUNS } = process.env;
  const seed = TH_FUZZ_SEED === undefined ? (Math.random() * 2 ** 31) | 0 : Number(TH_FUZZ_SEED);
  const numRuns = Math.max(1, Math.round(runs * Number(TH_FUZZ_RUNS ?? 1)));
  context.diagnostic(`${numRuns} inputs, again with TH_FUZZ_SEED=${seed}`);
  return { seed, numRuns, ...(TH_FUZZ_PATH === undefined ? {} : { path: TH_FUZZ_PATH }) };
}
