import { quantile } from "../overhead/overhead-summary.ts";

/** One of many that were stopped together, in seconds from the moment of the stop. */
export interface StoppedBuild {
  /** Until Zuul had its answer. */
  answered: number;
  /** Until its pod had ended: then the scheduler gives its place to others. */
  free: number;
}

interface Spread {
  p50: number;
  p99: number;
}

interface StopReport {
  answeredSeconds: Spread;
  freeSeconds: Spread;
  /** Bare Jobs, deleted: of the same command, which ignores TERM as PID 1, and of one that ends at TERM. */
  bare: { freeSeconds: Spread; endingFreeSeconds: Spread };
}

/** The highest p99 that is good enough, of both. */
const LIMIT_SECONDS = 3;

export function summarizeStops(
  builds: readonly StoppedBuild[],
  bare: { ignoring: readonly number[]; ending: readonly number[] },
): StopReport {
  return {
    answeredSeconds: spread(builds.map(({ answered }) => answered)),
    freeSeconds: spread(builds.map(({ free }) => free)),
    bare: { freeSeconds: spread(bare.ignoring), endingFreeSeconds: spread(bare.ending) },
  };
}

export function isGoodEnough({ answeredSeconds, freeSeconds }: StopReport): boolean {
  return Math.max(answeredSeconds.p99, freeSeconds.p99) <= LIMIT_SECONDS;
}

export function renderStops(report: StopReport): string {
  const row = (name: string, { p50, p99 }: Spread) => `${name.padEnd(44)} ${p50.toFixed(2).padStart(6)} ${p99.toFixed(2).padStart(6)}`;
  return [
    `${"seconds from the stop".padEnd(44)}    p50    p99`,
    row("builds: until Zuul has its answer", report.answeredSeconds),
    row("builds: until the pod has ended", report.freeSeconds),
    row("bare Jobs, kubectl delete", report.bare.freeSeconds),
    row("bare Jobs that end at TERM, kubectl delete", report.bare.endingFreeSeconds),
    `at most ${LIMIT_SECONDS} s at p99 are wanted: ${isGoodEnough(report) ? "met" : "MISSED"}`,
  ].join("\n");
}

function spread(seconds: readonly number[]): Spread {
  const round = (value: number) => Number(value.toFixed(2));
  return { p50: round(quantile(seconds, 0.5)), p99: round(quantile(seconds, 0.99)) };
}
