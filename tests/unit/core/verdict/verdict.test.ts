import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  configuration,
  endedBeforeStart,
  infrastructure,
  judge,
  type ResultStyle,
  renderResult,
  type Verdict,
} from "../../../../src/core/verdict/verdict.ts";
import { makeJob, observe } from "../../../support/objects/build-objects.ts";

describe("the verdict of a build that never had a Job", () => {
  const rows: [what: string, verdict: Verdict, expected: Verdict][] = [
    [
      "that its task does not allow",
      configuration("unsupported", "TestTask a uses checks: not carried out"),
      {
        ...{ rule: "unsupported", class: "configuration", message: "TestTask a uses checks: not carried out" },
        result: "CONFIG_ERROR - TestTask a uses checks - not carried out",
      },
    ],
    [
      "whose reviewers need less of it",
      configuration("job-refused", "the API server refuses it: no", "no"),
      { rule: "job-refused", class: "configuration", message: "the API server refuses it: no", result: "CONFIG_ERROR - no" },
    ],
    [
      "that is nobody's fault",
      infrastructure("name-taken", "other Jobs hold its names"),
      { rule: "name-taken", class: "infrastructure", message: "other Jobs hold its names", result: null },
    ],
    [
      "that Zuul stopped",
      endedBeforeStart("stop"),
      { rule: "stopped", class: "cancelled", message: "Zuul asked to stop it", result: "ABORTED" },
    ],
    [
      "that nobody asks for",
      endedBeforeStart("unclaimed"),
      { rule: "unclaimed", class: "infrastructure", message: "no Gearman server asked for it any more", result: null },
    ],
  ];
  for (const [what, verdict, expected] of rows) test(what, () => assert.deepEqual(verdict, expected));
});

test("a verdict without evidence has none", () => {
  const state = observe(makeJob({ metadata: { deletionTimestamp: "2026-01-01T00:00:20Z" } }), []);
  const verdict = judge({ state, end: undefined, limits: { run: "1h", runMs: 3_600_000 }, stateMs: 0 });
  assert.deepEqual(verdict, { rule: "job-deleted", class: "infrastructure", message: "the Job was deleted", result: null });
});

describe("Zuul gets", () => {
  const WORDS = "FAILURE - 3 tests \u2013 caf\u00e9";
  const verdict = (verdictClass: Verdict["class"], result: string | null, rule = "exit-code"): Verdict => ({
    ...{ class: verdictClass, result, rule },
    message: "",
  });
  const rows: [what: string, of: Verdict, Record<ResultStyle, string | null>][] = [
    ["nothing of an infrastructure failure, whatever was written", verdict("infrastructure", "FAILURE"), all(null)],
    ["nothing where there is no result", verdict("failure", null), all(null)],
    ["SUCCESS, whatever was written", verdict("success", "success!"), all("SUCCESS")],
    ["what is wrong with the change", verdict("failure", WORDS), { text: "FAILURE - 3 tests - cafe", "utf-8": WORDS, token: "FAILURE" }],
    ["a rule's own word", verdict("failure", "TIMED_OUT", "run-timeout"), all("TIMED_OUT")],
    ["FAILURE for a rule of another version", verdict("failure", "FAILURE", "of-another-version"), all("FAILURE")],
    [
      "what is wrong with the task",
      verdict("configuration", "CONFIG_ERROR - no image"),
      { text: "CONFIG_ERROR - no image", "utf-8": "CONFIG_ERROR - no image", token: "CONFIG_ERROR" },
    ],
    ["ABORTED", verdict("cancelled", "ABORTED", "stopped"), all("ABORTED")],
  ];
  for (const [what, of, expected] of rows) {
    test(what, () => {
      for (const style of ["text", "utf-8", "token"] as const) assert.equal(renderResult(of, style), expected[style], style);
    });
  }
});

function all(result: string | null): Record<ResultStyle, string | null> {
  return { text: result, "utf-8": result, token: result };
}
