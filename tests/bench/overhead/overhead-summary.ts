/** One bare Job, in milliseconds. */
export interface BareRun {
  /** From sending the create request until the Job's ADDED event. */
  createToAdded: number;
  addedToTerminated: number;
}

/** One build, in milliseconds, as the client and a watch beside the operator's own see it. */
export interface BuildRun {
  submitToAdded: number;
  addedToTerminated: number;
  /** From the container's terminated event to WORK_COMPLETE. Below zero when the operator heard of the end first. */
  terminatedToComplete: number;
  /** From SUBMIT_JOB to the first WORK_DATA, which the operator sends before it creates the Job. */
  submitToData: number;
}

interface Spread {
  p50: number;
  p90: number;
}

interface OverheadReport {
  /** From sending the create request until the container was seen terminated. */
  bare: Spread;
  /** From SUBMIT_JOB to WORK_COMPLETE. */
  build: Spread;
  /** What the operator adds to a build: before its Job is there, beyond what a bare create takes, and after its container has ended. */
  addedMs: Spread;
  /** 1 + addedMs.p50 / bare.p50 */
  ratio: number;
}

/**
 * The `fraction` quantile with linear interpolation between the neighbours, so that 0.5 is the median as everybody knows it.
 * Throws RangeError for no values.
 */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError("no quantile of no values");
  return below + (above - below) * (position - Math.floor(position));
}

function spread(values: readonly number[]): Spread {
  return { p50: quantile(values, 0.5), p90: quantile(values, 0.9) };
}

/** Milliseconds with one decimal; the ratio with four. Nothing is clamped: an operator that hears of an end first has a negative part. */
export function summarizeOverhead(bares: readonly BareRun[], builds: readonly BuildRun[]): OverheadReport {
  const bareCreate = quantile(
    bares.map(({ createToAdded }) => createToAdded),
    0.5,
  );
  const bare = spread(bares.map(({ createToAdded, addedToTerminated }) => createToAdded + addedToTerminated));
  const addedMs = spread(builds.map(({ submitToAdded, terminatedToComplete }) => submitToAdded - bareCreate + terminatedToComplete));
  return {
    bare: rounded(bare),
    build: rounded(
      spread(
        builds.map(
          ({ submitToAdded, addedToTerminated, terminatedToComplete }) => submitToAdded + addedToTerminated + terminatedToComplete,
        ),
      ),
    ),
    addedMs: rounded(addedMs),
    ratio: Number((1 + addedMs.p50 / bare.p50).toFixed(4)),
  };
}

function rounded({ p50, p90 }: Spread): Spread {
  return { p50: round(p50), p90: round(p90) };
}

function round(ms: number): number {
  return Number(ms.toFixed(1));
}

/** The highest ratio that is good enough. */
const TARGET_RATIO = 1.02;

export function isFastEnough({ ratio }: OverheadReport): boolean {
  return ratio <= TARGET_RATIO;
}

/** For people: where the time goes. */
export function renderOverhead(report: OverheadReport, bares: readonly BareRun[], builds: readonly BuildRun[]): string {
  const rows: [string, Spread | undefined, Spread | undefined][] = [
    ["SUBMIT_JOB -> first WORK_DATA", undefined, spread(builds.map(({ submitToData }) => submitToData))],
    [
      "create or SUBMIT_JOB -> Job ADDED",
      spread(bares.map(({ createToAdded }) => createToAdded)),
      spread(builds.map(({ submitToAdded }) => submitToAdded)),
    ],
    [
      "Job ADDED -> container terminated",
      spread(bares.map(({ addedToTerminated }) => addedToTerminated)),
      spread(builds.map(({ addedToTerminated }) => addedToTerminated)),
    ],
    ["container terminated -> WORK_COMPLETE", undefined, spread(builds.map(({ terminatedToComplete }) => terminatedToComplete))],
    ["in all", report.bare, report.build],
  ];
  const cell = (value: Spread | undefined) =>
    value === undefined ? "".padStart(19) : `${value.p50.toFixed(1).padStart(9)} ${value.p90.toFixed(1).padStart(9)}`;
  return [
    `${builds.length} pairs, ms                              bare Job p50 / p90      build p50 / p90`,
    ...rows.map(([name, bare, build]) => `${name.padEnd(38)} ${cell(bare)}  ${cell(build)}`),
    `added by the operator: ${report.addedMs.p50.toFixed(1)} / ${report.addedMs.p90.toFixed(1)} ms (ADDED beyond the bare create's median, and the answer)`,
    `ratio: ${report.ratio.toFixed(3)} (at most ${TARGET_RATIO} is wanted: ${isFastEnough(report) ? "met" : "MISSED"})`,
  ].join("\n");
}
