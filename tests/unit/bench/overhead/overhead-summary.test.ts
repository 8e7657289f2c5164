import assert from "node:assert/strict";
import { test } from "node:test";
import { type BareRun, type BuildRun, quantile, renderOverhead, summarizeOverhead } from "../../../bench/overhead/overhead-summary.ts";

const bares: BareRun[] = [10, 14, 12].map((createToAdded) => ({ createToAdded, addedToTerminated: 988 }));

function makeBuild(change: Partial<BuildRun> = {}): BuildRun {
  return { submitToData: 2, submitToAdded: 30, addedToTerminated: 990, terminatedToComplete: 5, ...change };
}

test("a quantile lies between its neighbours, whatever the order of the values", () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.equal(quantile([30, 10, 20], 0.5), 20);
  assert.equal(quantile([7], 0.9), 7);
  assert.equal(
    quantile(
      Array.from({ length: 11 }, (_, index) => 10 - index),
      0.9,
    ),
    9,
  );
  assert.throws(() => quantile([], 0.5), RangeError);
});

test("what the operator adds is the time before ADDED beyond the bare create's median, and the time after the container's end", () => {
  assert.deepEqual(summarizeOverhead(bares, [makeBuild(), makeBuild(), makeBuild()]), {
    bare: { p50: 1000, p90: 1001.6 },
    build: { p50: 1025, p90: 1025 },
    addedMs: { p50: 23, p90: 23 },
    ratio: 1.023,
  });
});

test("an operator that hears of the end before the bench does counts as below zero", () => {
  const { addedMs, ratio } = summarizeOverhead(bares, [makeBuild({ submitToAdded: 12, terminatedToComplete: -4 })]);
  assert.deepEqual([addedMs.p50, ratio], [-4, 0.996]);
});

test("what the pod itself takes longer in a build is not the operator's", () => {
  assert.equal(summarizeOverhead(bares, [makeBuild({ addedToTerminated: 5000 })]).ratio, 1.023);
});

test("the text says whether the target is met", () => {
  const render = (builds: BuildRun[]) => renderOverhead(summarizeOverhead(bares, builds), bares, builds);
  assert.match(render([makeBuild({ submitToAdded: 25 })]), /ratio: 1\.018 .*met\)/);
  assert.match(render([makeBuild()]), /ratio: 1\.023 .*MISSED\)/);
});
