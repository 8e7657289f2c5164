import assert from "node:assert/strict";
import { test } from "node:test";
import { isFastEnough, renderMatrix, summarizeMatrix } from "../../../bench/matrix/matrix-summary.ts";

test("a build over several datasets may take a twentieth longer than bare Jobs, at p50", () => {
  const bares = [3000, 2000, 9000];
  const builds = [3150, 2000, 9999];
  const report = summarizeMatrix(bares, builds);
  assert.deepEqual(report, { bareSeconds: 3, buildSeconds: 3.15, ratio: 1.05 });
  assert.equal(isFastEnough(report), true);
  const late = summarizeMatrix(bares, [3170, 2000, 9999]);
  assert.equal(isFastEnough(late), false);
  assert.match(renderMatrix(late, bares, builds), /at most 1.05 is wanted: MISSED$/);
});
