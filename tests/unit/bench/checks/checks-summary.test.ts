import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChecksReport, compare, isMet, renderChecks } from "../../../bench/checks/checks-summary.ts";

const passes = (...seconds: number[]) => seconds.map((each) => ({ seconds: each, rssMb: 100 }));
const REPORT: ChecksReport = {
  ...{ ours: 2, grep: 1, ratio: 2, bytes: 1e9 },
  ...{ catastrophic: { ours: 3, grep: 1, ratio: 3 }, textless: { ours: 4, grep: 1, ratio: 4 }, memoryMb: { small: 90, large: 120 } },
};

test("passes are compared by their medians", () => {
  assert.deepEqual(compare(passes(9, 3, 2), passes(1, 2, 8)), { ours: 3, grep: 2, ratio: 1.5 });
});

test("the figures are met where each is, and printed all the same where one is not", () => {
  assert.equal(isMet(REPORT), true);
  const missed: Partial<ChecksReport>[] = [
    { ratio: 3.01 },
    { catastrophic: { ours: 4, grep: 1, ratio: 4 } },
    { memoryMb: { small: 90, large: 155 } },
  ];
  for (const each of missed) {
    assert.equal(isMet({ ...REPORT, ...each }), false, JSON.stringify(each));
    assert.match(renderChecks({ ...REPORT, ...each }), /MISSED/);
  }
  assert.match(renderChecks(REPORT), /ours 2 s, grep -En 1 s: 2 times[\s\S]*met$/);
});
