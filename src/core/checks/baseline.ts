import type { Baseline, Check } from "../test-task/schema/check.ts";

/** Of fewer a standard deviation says too little to fail a build by it. */
export const LEAST_SAMPLES = 8;
/** A standard deviation counts as at least so much of the mean: samples that are all but equal would allow nothing. */
const LEAST_DEVIATION = 0.1;

/** What kept builds came to in one check: of each build the most of each step, by name; where there are no steps that of "". */
export interface KeptAmounts {
  /** Theirs; undefined where they have none, or are of any. */
  readonly branch: string | undefined;
  readonly builds: readonly ReadonlyMap<string, number>[];
}

export interface AmountUnit {
  /** What a standard deviation counts as at least. */
  readonly leastDeviation: number;
  show(amount: number): string;
}

/** What is usual for one step. */
export interface UsualAmount {
  /** The mean, and what may be: undefined where too few builds tell. */
  readonly known: { readonly mean: number; readonly allowed: number } | undefined;
  /** A clause for findings: both numbers, or how many builds there are. */
  readonly words: string;
}

/** What a build is compared with, of one check. `kept` is undefined where nobody can look at kept builds. */
export class Usual {
  readonly #unit: AmountUnit;
  readonly #none: UsualAmount;
  readonly #bySteps = new Map<string, UsualAmount>();

  constructor({ allow }: Baseline, kept: KeptAmounts | undefined, unit: AmountUnit) {
    this.#unit = unit;
    const whose = kept?.branch === undefined ? "" : ` of ${kept.branch}`;
    const few = (count: number) => `${count} builds${whose} kept that have it, ${LEAST_SAMPLES} needed`;
    this.#none = { known: undefined, words: kept ? few(0) : "no kept builds at hand to compare with" };
    for (const [step, samples] of samplesByStep(kept?.builds ?? [])) {
      if (samples.length < LEAST_SAMPLES) {
        this.#bySteps.set(step, { known: undefined, words: few(samples.length) });
        continue;
      }
      const known = judgeSamples(samples, Number.parseFloat(allow), unit.leastDeviation);
      const words = `usually ${unit.show(known.mean)} in ${samples.length} builds${whose}, allowed ${unit.show(known.allowed)}`;
      this.#bySteps.set(step, { known, words });
    }
  }

  of(step: string): UsualAmount {
    return this.#bySteps.get(step) ?? this.#none;
  }

  /** Of an amount that is over what is allowed the words for it, for sentences; undefined of any other. */
  over(step: string, amount: number): { limit: string; usual: string } | undefined {
    const { known } = this.of(step);
    if (!known || amount <= known.allowed) return undefined;
    return { limit: this.#unit.show(known.allowed), usual: this.#unit.show(known.mean) };
  }

  /** For `{usual}` in a message. */
  usualWords(step: string): string {
    const { known } = this.of(step);
    return known ? this.#unit.show(known.mean) : "unknown";
  }
}

export function baselineOf({ steps, counters, values }: Check): Baseline | undefined {
  return steps?.baseline ?? counters?.baseline ?? values?.baseline;
}

/** Whole above a hundred, and there downwards, so that what is over it looks like it; else with four digits. */
export function amountWords(amount: number): string {
  return `${Math.abs(amount) >= 100 ? Math.floor(amount) : Number(amount.toPrecision(4))}`;
}

/** Counters and values have any unit. */
export const PLAIN_AMOUNT: AmountUnit = { leastDeviation: 0, show: amountWords };

/** Of each step what it came to in each build that has it. */
export function samplesByStep(builds: readonly ReadonlyMap<string, number>[]): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  for (const build of builds) {
    for (const [step, amount] of build) {
      const known = samples.get(step);
      if (known) known.push(amount);
      else samples.set(step, [amount]);
    }
  }
  return samples;
}

/** With the standard deviation of a sample. */
function judgeSamples(samples: readonly number[], sigmas: number, leastDeviation: number): { mean: number; allowed: number } {
  const mean = samples.reduce((sum, each) => sum + each, 0) / samples.length;
  const variance = samples.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (samples.length - 1);
  const deviation = Math.max(Math.sqrt(variance), Math.abs(mean) * LEAST_DEVIATION, leastDeviation);
  return { mean, allowed: mean + sigmas * deviation };
}
