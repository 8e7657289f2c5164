import assert from "node:assert/strict";
import { test } from "node:test";
import { isGoodEnough, renderStops, type StoppedBuild, summarizeStops } from "../../../bench/stop/stop-summary.ts";

/** A hundred and one builds, each a hundredth of a second later than the one before. */
const builds = (first: number): StoppedBuild[] =>
  Array.from({ length: 101 }, (_, index) => ({ answered: first + index / 100, free: first + index / 100 + 0.5 }));

test("answers and places have a spread of their own, beside the places of bare Jobs", () => {
  assert.deepEqual(summarizeStops(builds(1), { ignoring: [30, 31, 32], ending: [2, 3, 4] }), {
    answeredSeconds: { p50: 1.5, p99: 1.99 },
    freeSeconds: { p50: 2, p99: 2.49 },
    bare: { freeSeconds: { p50: 31, p99: 31.98 }, endingFreeSeconds: { p50: 3, p99: 3.98 } },
  });
});

const bare = { ignoring: [30], ending: [4] };

test("both are held to the limit, at p99", () => {
  assert.equal(isGoodEnough(summarizeStops(builds(1.5), bare)), true);
  assert.equal(isGoodEnough(summarizeStops(builds(1.52), bare)), false, "places are free too late");
  const late = summarizeStops([{ answered: 3.1, free: 1 }], bare);
  assert.equal(isGoodEnough(late), false, "the answer comes too late");
  assert.match(renderStops(late), /3 s at p99 are wanted: MISSED$/);
});
