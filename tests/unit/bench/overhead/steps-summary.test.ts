import assert from "node:assert/strict";
import { test } from "node:test";
import { renderSteps, type StepRuns, type StepTimes, summarizeSteps } from "../../../bench/overhead/steps-summary.ts";

const all = (ended: number[], change: Partial<StepTimes> = {}): StepTimes[] =>
  ended.map((each) => ({ added: 10, checkedOut: 1010, begun: 1500, terminated: 1600, ...change, ended: each }));
const RUNS: StepRuns = { build: all([2000, 2400, 2100]), bare: all([1900, 2000, 2300]), bareInTest: all([1500, 1400, 1600]) };

test("the ratio is that of the medians of all that a build and a bare Job take", () => {
  assert.deepEqual(summarizeSteps(RUNS), {
    pairs: 3,
    build: { p50: 2100, p90: 2340 },
    bare: { p50: 2000, p90: 2240 },
    ratio: 1.05,
    bareInTest: { p50: 1500, p90: 1580 },
    ratioInTest: 1.4,
  });
});

test("nothing is told of a bare Job that was not run", () => {
  assert.deepEqual(Object.keys(summarizeSteps({ ...RUNS, bareInTest: [] })), ["pairs", "build", "bare", "ratio"]);
});

test("the text has a row for each part, and says whether the target is met", () => {
  const render = (runs: StepRuns) => renderSteps(summarizeSteps(runs), runs);
  const text = render(RUNS);
  assert.match(text, /^Job ADDED -> checkout terminated +1000 \/ 1000 +1000 \/ 1000 +1000 \/ 1000$/m);
  assert.match(text, /^-> test running +490 \/ 490/m);
  assert.match(text, /^test terminated -> all done +400 \/ 640 +-100 \/ -20 +500 \/ 740$/m);
  assert.match(text, /ratio: 1\.050 .*met\)/);
  assert.match(render({ ...RUNS, build: all([2102]) }), /ratio: 1\.051 .*MISSED\)/);
});

test("without a checkout the time until the test runs is that of its Job", () => {
  const without = (ended: number[]) => all(ended).map(({ checkedOut: _, ...rest }) => rest);
  const runs: StepRuns = { build: without([2000]), bare: without([2000]), bareInTest: [] };
  const text = renderSteps(summarizeSteps(runs), runs);
  assert.doesNotMatch(text, /checkout/);
  assert.match(text, /^-> test running +1490 \/ 1490 +1490 \/ 1490$/m);
});
