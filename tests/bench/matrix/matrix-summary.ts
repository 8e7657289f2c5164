import { quantile } from "../overhead/overhead-summary.ts";

interface MatrixReport {
  /** p50 of both. */
  bareSeconds: number;
  buildSeconds: number;
  ratio: number;
}

/** The highest ratio that is fast enough. */
const LIMIT = 1.05;

/** Of runs in milliseconds. */
export function summarizeMatrix(bares: readonly number[], builds: readonly number[]): MatrixReport {
  const [bare, build] = [quantile(bares, 0.5), quantile(builds, 0.5)];
  return { bareSeconds: round(bare / 1000), buildSeconds: round(build / 1000), ratio: round(build / bare) };
}

export function isFastEnough({ ratio }: MatrixReport): boolean {
  return ratio <= LIMIT;
}

export function renderMatrix(report: MatrixReport, bares: readonly number[], builds: readonly number[]): string {
  const row = (name: string, runs: readonly number[]) =>
    `${name.padEnd(60)} ${[0.5, 0.9].map((share) => (quantile(runs, share) / 1000).toFixed(2).padStart(6)).join(" ")}`;
  return [
    `${"seconds".padEnd(60)}    p50    p90`,
    row("bare Jobs: from the first request until the last test ended", bares),
    row("a build: from SUBMIT_JOB to WORK_COMPLETE", builds),
    `ratio of p50: ${report.ratio}, at most ${LIMIT} is wanted: ${isFastEnough(report) ? "met" : "MISSED"}`,
  ].join("\n");
}

function round(value: number): number {
  return Number(value.toFixed(3));
}
