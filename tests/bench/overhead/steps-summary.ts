import { quantile } from "./overhead-summary.ts";

/** When a Job or build was so far, in milliseconds from its request. */
export interface StepTimes {
  /** Its Job was there. */
  added: number;
  /** Its checkout had ended, where it has one. */
  checkedOut?: number;
  /** Its test ran. */
  begun: number;
  /** Its test had ended. */
  terminated: number;
  /** All was done: for a build its WORK_COMPLETE, for a bare Job the end of the last of its containers. */
  ended: number;
}

/** `bare`: as many containers as the build has. `bareInTest`: the test itself sends its artifacts, and nobody does where it is killed. */
export interface StepRuns {
  build: StepTimes[];
  bare: StepTimes[];
  bareInTest: StepTimes[];
}

interface Spread {
  p50: number;
  p90: number;
}

export interface StepsReport {
  pairs: number;
  /** From the request until all was done, in ms. */
  build: Spread;
  bare: Spread;
  /** build.p50 / bare.p50 */
  ratio: number;
  /** The same beside a bare Job whose test sends its artifacts; only where there are some. */
  bareInTest?: Spread;
  ratioInTest?: number;
}

/** The highest ratio that is good enough. */
const TARGET_RATIO = 1.05;

export function summarizeSteps({ build, bare, bareInTest }: StepRuns): StepsReport {
  const [ofBuild, ofBare] = [spreadOf(build), spreadOf(bare)];
  return {
    pairs: build.length,
    build: ofBuild,
    bare: ofBare,
    ratio: ratioOf(ofBuild, ofBare),
    ...(bareInTest.length === 0 ? {} : { bareInTest: spreadOf(bareInTest), ratioInTest: ratioOf(ofBuild, spreadOf(bareInTest)) }),
  };
}

export function isFastEnough({ ratio }: StepsReport): boolean {
  return ratio <= TARGET_RATIO;
}

const PARTS: readonly [string, (times: StepTimes) => number | undefined][] = [
  ["request -> Job ADDED", ({ added }) => added],
  ["Job ADDED -> checkout terminated", ({ added, checkedOut }) => (checkedOut === undefined ? undefined : checkedOut - added)],
  ["-> test running", ({ added, checkedOut, begun }) => begun - (checkedOut ?? added)],
  ["test running -> terminated", ({ begun, terminated }) => terminated - begun],
  ["test terminated -> all done", ({ terminated, ended }) => ended - terminated],
  ["in all", ({ ended }) => ended],
];

/** For people: where the time goes. */
export function renderSteps(report: StepsReport, runs: StepRuns): string {
  const columns = [runs.bare, ...(runs.bareInTest.length === 0 ? [] : [runs.bareInTest]), runs.build];
  const titles = ["bare Job", ...(runs.bareInTest.length === 0 ? [] : ["sent by its test"]), "build"];
  const rows = PARTS.flatMap(([name, part]) => {
    const cells = columns.map((times) => times.map(part).filter((ms) => ms !== undefined));
    if (cells.some(({ length }) => length === 0)) return [];
    return `${name.padEnd(34)}${cells.map((values) => cell(values)).join("")}`;
  });
  return [
    `${`${report.pairs} pairs, ms, p50 / p90`.padEnd(34)}${titles.map((title) => title.padStart(20)).join("")}`,
    ...rows,
    `ratio: ${report.ratio.toFixed(3)} (at most ${TARGET_RATIO} is wanted: ${isFastEnough(report) ? "met" : "MISSED"})`,
    ...(report.ratioInTest === undefined ? [] : [`beside a bare Job whose test sends its artifacts: ${report.ratioInTest.toFixed(3)}`]),
  ].join("\n");
}

function cell(values: readonly number[]): string {
  return `${quantile(values, 0.5).toFixed(0)} / ${quantile(values, 0.9).toFixed(0)}`.padStart(20);
}

function spreadOf(times: readonly StepTimes[]): Spread {
  const all = times.map(({ ended }) => ended);
  return { p50: Number(quantile(all, 0.5).toFixed(1)), p90: Number(quantile(all, 0.9).toFixed(1)) };
}

function ratioOf(build: Spread, bare: Spread): number {
  return Number((build.p50 / bare.p50).toFixed(4));
}
