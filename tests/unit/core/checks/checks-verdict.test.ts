import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CheckOutcome, type CheckResult, fitResults } from "../../../../src/core/checks/check-result.ts";
import { awaitsChecks, judgeChecks, judgeWithoutLog } from "../../../../src/core/checks/checks-verdict.ts";
import type { CheckedLog } from "../../../../src/core/checks/log-check.ts";
import type { Verdict } from "../../../../src/core/verdict/verdict.ts";

const PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "exit-0", message: "a", evidence: { pod: "p", exitCode: 0 } };

function checked(name: string, outcome: CheckOutcome, says?: string): CheckedLog {
  return { result: { name, kind: "steps", outcome, message: `${name} was ${outcome}`, findings: [], more: 0 }, says };
}

const slow = checked("slow", "failed", "WARNING - Migration 205->206 took too long");
const ROWS: [what: string, checked: CheckedLog[], result: string | null, rule: string, message: string][] = [
  [
    "all pass",
    [checked("a", "passed"), checked("b", "passed")],
    "SUCCESS",
    "checks-passed",
    "the test ended with exit code 0, and its 2 checks found nothing wrong",
  ],
  [
    "one fails",
    [checked("a", "passed"), slow],
    "WARNING - Migration 205->206 took too long",
    "check-failed",
    "check slow failed: slow was failed",
  ],
  [
    "several fail",
    [slow, checked("b", "failed", "x")],
    "WARNING - Migration 205->206 took too long (2 of 2 checks failed)",
    "check-failed",
    "check slow failed: slow was failed (2 of 2 checks failed)",
  ],
  [
    "one that failed says what would be a success",
    [checked("a", "failed", "SUCCESS")],
    "FAILURE",
    "check-failed",
    "check a failed: a was failed",
  ],
  ["one could not be read", [checked("a", "passed"), checked("b", "unknown")], null, "check-unread", "check b - b was unknown"],
  [
    "one failed, and one could not be read",
    [checked("b", "unknown"), slow],
    "WARNING - Migration 205->206 took too long",
    "check-failed",
    "check slow failed: slow was failed",
  ],
  ["one is wrong itself", [slow, checked("b", "fault")], "CONFIG_ERROR - check b - b was fault", "check-fault", "check b - b was fault"],
];

describe("the verdict where", () => {
  for (const [what, list, result, rule, message] of ROWS) {
    test(what, () => {
      const verdict = judgeChecks(PASSED, list);
      assert.deepEqual([verdict.result, verdict.rule, verdict.message], [result, rule, message]);
      assert.equal(verdict.evidence?.pod, "p");
      assert.deepEqual(
        verdict.checks?.map(({ name }) => name),
        list.map(({ result: { name } }) => name),
      );
      assert.equal(awaitsChecks(verdict), false);
    });
  }

  test("the log was not read whole, or not kept, is none and never a success", () => {
    assert.deepEqual(
      [judgeWithoutLog(PASSED, { kind: "unread", why: "w" }).result, judgeWithoutLog(PASSED, { kind: "cut", why: "w" }).result],
      [null, "CONFIG_ERROR - w"],
    );
  });

  test("nobody has gone through the log yet is still to come", () => {
    assert.equal(awaitsChecks(PASSED), true);
    assert.equal(awaitsChecks({ ...PASSED, class: "failure", result: "FAILURE", rule: "exit-code" }), false);
  });
});

test("results are shortened until they fit, those that say why a check failed last", () => {
  const findings = Array.from({ length: 20 }, (_, index) => ({
    line: index + 1,
    text: "x".repeat(200),
    ...(index === 19 ? { isBad: true as const } : {}),
  }));
  const steps = Array.from({ length: 200 }, (_, index) => ({ name: `s${index}`, line: index + 1, seconds: index }));
  const results = Array.from(
    { length: 20 },
    (_, index): CheckResult => ({ name: `c${index}`, kind: "steps", outcome: "failed", message: "m", findings, more: 0, steps }),
  );
  const kept = fitResults(results, 30_000);
  assert.ok(JSON.stringify(kept).length <= 30_000);
  assert.deepEqual(kept[0]?.findings, [findings[19]]);
  assert.equal(kept[0]?.more, 19);
  assert.deepEqual([kept[0]?.steps?.length, kept[0]?.steps?.at(-1)?.name, kept.length], [10, "s199", 20]);
  assert.deepEqual(fitResults(results.slice(0, 1), 30_000), results.slice(0, 1));
});
