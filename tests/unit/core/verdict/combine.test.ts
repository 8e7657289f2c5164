import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { combine } from "../../../../src/core/verdict/combine.ts";
import { configuration, endedBeforeStart, infrastructure, type Verdict } from "../../../../src/core/verdict/verdict.ts";

const PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "passed", message: "the test passed" };
const failed = (result: string): Verdict => ({ result, class: "failure", rule: "failed", message: result });
const LOST = infrastructure("job-gone", "the Job was deleted");
const WRONG = configuration("no-task", "no such image");
const STOPPED = endedBeforeStart("stop");

/** Over datasets called `a`, `b` and so on. */
const over = (...verdicts: Verdict[]) => combine(verdicts.map((verdict, index) => ({ dataset: String.fromCharCode(97 + index), verdict })));

describe("a build over several datasets", () => {
  const table: readonly (readonly [string, readonly Verdict[], string | null, Verdict["class"]])[] = [
    ["passes where all pass", [PASSED, PASSED], "SUCCESS", "success"],
    ["fails with the dataset that failed", [PASSED, failed("exit code 3")], "exit code 3 (b, 1 of 2 datasets failed)", "failure"],
    ["says how many failed", [failed("x 1"), PASSED, failed("x 2")], "x 1 (a, 2 of 3 datasets failed)", "failure"],
    [
      "lets a failure speak before a warning",
      [failed("WARNING - slow"), failed("TIMED_OUT")],
      "TIMED_OUT (b, 2 of 2 datasets failed)",
      "failure",
    ],
    ["tells of a warning", [failed("WARNING - slow"), PASSED], "WARNING - slow (a, 1 of 2 datasets failed)", "failure"],
    [
      "lets what must be changed speak before a failure",
      [failed("FAILURE"), WRONG],
      "CONFIG_ERROR - no such image (b, 2 of 2 datasets failed)",
      "configuration",
    ],
    ["is run again where one was lost", [failed("FAILURE"), LOST, PASSED], null, "infrastructure"],
    ["is run again where one was lost, and another wrong", [WRONG, LOST], null, "infrastructure"],
    ["is stopped where one was", [PASSED, STOPPED, failed("FAILURE")], "ABORTED", "cancelled"],
  ];
  for (const [name, verdicts, result, verdictClass] of table) {
    test(name, () => {
      const verdict = over(...verdicts);
      assert.deepEqual([verdict.result, verdict.class], [result, verdictClass]);
    });
  }

  test("keeps the rule of the member that speaks, and says in its sentence which that was", () => {
    assert.deepEqual(over(PASSED, LOST), {
      ...LOST,
      message: "the Job was deleted (b, 1 of 2 datasets lost)",
    });
    assert.equal(over(PASSED, PASSED, PASSED).message, "the test passed (all 3 datasets)");
  });

  test("has a result of 120 characters at most, of which the dataset and the count are not cut", () => {
    const dataset = "d".repeat(50);
    const { result } = combine([
      { dataset, verdict: failed(`WARNING - ${"word ".repeat(60)}`) },
      { dataset: "other", verdict: PASSED },
    ]);
    assert.ok(result !== null && result.length <= 120, `${result}`);
    assert.match(result, /^WARNING - word .*\.\.\. \(d{29}\.\.\., 1 of 2 datasets failed\)$/);
  });
});
