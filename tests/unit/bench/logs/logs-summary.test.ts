import assert from "node:assert/strict";
import { test } from "node:test";
import { isGoodEnough, renderLogs, summarizeLogs } from "../../../bench/logs/logs-summary.ts";

const reading = (seconds: number, cpuSeconds = 0.1) => ({ bytes: 100e6, seconds, cpuSeconds });

test("the rates are those of medians, and good enough from as fast as kubectl and 250 ms on", () => {
  const report = summarizeLogs([reading(2), reading(1), reading(30)], [reading(4), reading(2), reading(1, 0.2)], [1, 2, 250]);
  assert.deepEqual(report.rate, { ours: 50e6, kubectl: 50e6, ratio: 1 });
  assert.deepEqual(report.cpuSecondsPerGb, { ours: 1, kubectl: 1 });
  assert.equal(isGoodEnough(report), true);
  assert.match(renderLogs(report), /followed 50\.0, .* 50\.0: 1\n/);
  assert.equal(isGoodEnough(summarizeLogs([reading(2.1)], [reading(2)], [1])), false);
  assert.equal(isGoodEnough(summarizeLogs([reading(2)], [reading(2)], [251])), false);
});
