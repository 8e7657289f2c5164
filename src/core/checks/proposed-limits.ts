import { parseDurationMs } from "../kubernetes/duration.ts";
import type { Check } from "../test-task/schema/check.ts";
import { amountWords, LEAST_SAMPLES, samplesByStep } from "./baseline.ts";
import { amountsOf, type CheckResult, secondsWords } from "./check-result.ts";

const MAX_LIMIT_SECONDS = 168 * 3600;

/** One limit as it might be. */
export interface ProposedLimit {
  readonly check: string;
  /** undefined: that of all steps without one of their own. */
  readonly step: string | undefined;
  readonly samples: number;
  /** So much is enough for ninety-nine of a hundred samples, in words. */
  readonly percentile: string;
  readonly today: string | undefined;
  readonly limit: string;
}

interface Limited<L> {
  limit?: L | undefined;
  overrides?: { step: string; limit: L; reason?: string }[] | undefined;
}

/** How limits of a kind are written. */
interface LimitKind<L> {
  parse(limit: L): number;
  render(amount: number): L;
  show(amount: number): string;
}

const DURATIONS: LimitKind<string> = {
  parse: (limit) => parseDurationMs(limit) / 1000,
  render: renderSeconds,
  show: (seconds) => secondsWords(seconds * 1000),
};
const COUNTS: LimitKind<number> = {
  parse: (limit) => limit,
  render: (amount) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.ceil(amount))),
  show: amountWords,
};
/** With four digits, upwards. */
const NUMBERS: LimitKind<number> = { ...COUNTS, render: roundedUp };

/**
 * Limits by what steps and numbers came to in `builds`, what each found: the 99th percentile of their largest ones and `marginPercent` more. A
 * step that has an override keeps one, and one that would overrun the limit of all by itself gets one. Of values `max` is proposed where there is one.
 */
export function proposeLimits(
  checks: readonly Check[],
  builds: readonly (readonly CheckResult[])[],
  marginPercent: number,
): { limits: ProposedLimit[]; checks: Check[] } {
  const limits: ProposedLimit[] = [];
  const propose = <L extends string | number>(check: string, kind: LimitKind<L>, limited: Limited<L>) => {
    const proposed = proposeFor(limited, samplesOf(check, builds), kind, marginPercent);
    limits.push(...proposed.limits.map((limit) => ({ check, ...limit })));
    return proposed.limited;
  };
  const proposed = checks.map((check): Check => {
    const { name, steps, counters, values } = check;
    if (steps) return { ...check, steps: { ...steps, ...propose(name, DURATIONS, steps) } };
    if (counters) return { ...check, counters: { ...counters, ...propose(name, COUNTS, counters) } };
    if (values?.max === undefined) return check;
    const { limit: max = values.max } = propose(name, NUMBERS, { limit: values.max });
    return { ...check, values: { ...values, max } };
  });
  return { limits, checks: proposed };
}

function proposeFor<L extends string | number>(
  { limit: today, overrides: written = [] }: Limited<L>,
  samples: ReadonlyMap<string, readonly number[]>,
  kind: LimitKind<L>,
  marginPercent: number,
) {
  const limits: Omit<ProposedLimit, "check">[] = [];
  const propose = (step: string | undefined, amounts: readonly number[], before: L | undefined): L => {
    const most = percentile(amounts);
    const limit = kind.render(most + (Math.abs(most) * marginPercent) / 100);
    const told = { samples: amounts.length, percentile: kind.show(most), today: before === undefined ? undefined : `${before}` };
    limits.push({ step, ...told, limit: `${limit}` });
    return limit;
  };
  const known = new Set(written.map(({ step }) => step));
  const common = [...samples].flatMap(([step, amounts]) => (known.has(step) ? [] : amounts));
  const limit = common.length === 0 ? today : propose(undefined, common, today);
  const overrides = written.map((override) => {
    const amounts = samples.get(override.step) ?? [];
    return amounts.length === 0 ? override : { ...override, limit: propose(override.step, amounts, override.limit) };
  });
  for (const [step, amounts] of samples) {
    const isOver = limit !== undefined && percentile(amounts) > kind.parse(limit);
    if (step !== "" && !known.has(step) && isOver && amounts.length >= LEAST_SAMPLES)
      overrides.push({ step, limit: propose(step, amounts, undefined) });
  }
  const limited = { ...(limit === undefined ? {} : { limit }), ...(overrides.length === 0 ? {} : { overrides }) };
  return { limits, limited };
}

/** For people, and as comments in YAML: what changes, as a diff has it, and what it is made of. */
export function renderLimit({ step, samples, percentile: most, today, limit }: ProposedLimit): string[] {
  const name = step === undefined ? "limit" : `limit of ${step}`;
  const why = `99% of ${samples} samples came to at most ${most}`;
  if (today === limit) return [`  ${name}: ${limit} (${why})`];
  return [...(today === undefined ? [] : [`- ${name}: ${today}`]), `+ ${name}: ${limit} (${why})`];
}

/** By step, "" for none, of the check of this name. */
function samplesOf(check: string, builds: readonly (readonly CheckResult[])[]): Map<string, number[]> {
  return samplesByStep(builds.flatMap((results) => results.filter(({ name }) => name === check).map(amountsOf)));
}

function percentile(seconds: readonly number[]): number {
  const sorted = [...seconds].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0;
}

/** As durations are written: `90s`, `10m`, `1h30m`. */
function renderSeconds(wanted: number): string {
  const seconds = Math.min(MAX_LIMIT_SECONDS, Math.max(1, Math.ceil(wanted)));
  if (seconds < 120) return `${seconds}s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "m"],
    [seconds % 60, "s"],
  ];
  return parts.map(([count, unit]) => (count === 0 ? "" : `${count}${unit}`)).join("");
}

function roundedUp(amount: number): number {
  if (amount === 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(amount))) - 3);
  return Number((Math.ceil(amount / unit) * unit).toPrecision(4));
}
