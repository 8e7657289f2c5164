import { parseDurationMs } from "../kubernetes/duration.ts";
import type { Check } from "../test-task/schema/check.ts";
import { type CheckResult, secondsWords } from "./check-result.ts";

/** A step of fewer samples has no limit of its own proposed. */
const LEAST_SAMPLES = 8;
const MAX_LIMIT_SECONDS = 168 * 3600;

/** One limit as it might be. */
export interface ProposedLimit {
  readonly check: string;
  /** undefined: that of all steps without one of their own. */
  readonly step: string | undefined;
  readonly samples: number;
  /** Of a hundred samples so many seconds are enough for ninety-nine. */
  readonly percentileSeconds: number;
  readonly today: string | undefined;
  readonly limit: string;
}

/**
 * Limits of steps by how long they have taken in `builds`, what each found: the 99th percentile and `marginPercent` more, in whole seconds. A step that has an
 * override keeps one, and one that would overrun the limit of all by itself gets one.
 */
export function proposeLimits(
  checks: readonly Check[],
  builds: readonly (readonly CheckResult[])[],
  marginPercent: number,
): { limits: ProposedLimit[]; checks: Check[] } {
  const limits: ProposedLimit[] = [];
  const proposed = checks.map((check): Check => {
    const { name, steps } = check;
    if (!steps) return check;
    const times = timesOf(name, builds);
    const propose = (step: string | undefined, seconds: readonly number[], today: string | undefined): ProposedLimit => {
      const percentileSeconds = percentile(seconds);
      const limit = renderSeconds(Math.ceil(percentileSeconds * (1 + marginPercent / 100)));
      const one = { check: name, step, samples: seconds.length, percentileSeconds, today, limit };
      limits.push(one);
      return one;
    };
    const known = new Map((steps.overrides ?? []).map((override) => [override.step, override]));
    const common = [...times].flatMap(([step, seconds]) => (known.has(step) ? [] : seconds));
    const limit = common.length === 0 ? steps.limit : propose(undefined, common, steps.limit).limit;
    const overrides = [...known.values()].map((override) => {
      const seconds = times.get(override.step) ?? [];
      return seconds.length === 0 ? override : { ...override, limit: propose(override.step, seconds, override.limit).limit };
    });
    for (const [step, seconds] of times) {
      const isOver = limit !== undefined && percentile(seconds) * 1000 > parseDurationMs(limit);
      if (!known.has(step) && isOver && seconds.length >= LEAST_SAMPLES)
        overrides.push({ step, limit: propose(step, seconds, undefined).limit });
    }
    return {
      ...check,
      steps: { ...steps, ...(limit === undefined ? {} : { limit }), ...(overrides.length === 0 ? {} : { overrides }) },
    };
  });
  return { limits, checks: proposed };
}

/** For people, and as comments in YAML: what changes, as a diff has it, and what it is made of. */
export function renderLimit({ step, samples, percentileSeconds, today, limit }: ProposedLimit): string[] {
  const name = step === undefined ? "limit" : `limit of ${step}`;
  const why = `99% of ${samples} samples took at most ${secondsWords(percentileSeconds * 1000)}`;
  if (today === limit) return [`  ${name}: ${limit} (${why})`];
  return [...(today === undefined ? [] : [`- ${name}: ${today}`]), `+ ${name}: ${limit} (${why})`];
}

/** By step, of the check of this name. */
function timesOf(check: string, builds: readonly (readonly CheckResult[])[]): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const { name, steps = [] } of builds.flat()) {
    if (name !== check) continue;
    for (const { name: step, seconds } of steps) times.set(step, [...(times.get(step) ?? []), seconds]);
  }
  return times;
}

function percentile(seconds: readonly number[]): number {
  const sorted = [...seconds].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0;
}

/** As durations are written: `90s`, `10m`, `1h30m`. */
function renderSeconds(wanted: number): string {
  const seconds = Math.min(MAX_LIMIT_SECONDS, Math.max(1, wanted));
  if (seconds < 120) return `${seconds}s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "m"],
    [seconds % 60, "s"],
  ];
  return parts.map(([count, unit]) => (count === 0 ? "" : `${count}${unit}`)).join("");
}
