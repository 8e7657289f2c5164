import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findCheckFaults } from "../../../../src/core/checks/check-faults.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const ROWS: [what: string, check: object, faults: string[]][] = [
  ["a pattern", { pattern: { regex: "^a(b|c)*$" } }, []],
  ["a pattern that is none", { pattern: { regex: "a(b" } }, ["pattern.regex is no regular expression (RE2) - missing closing ): `a(b`"]],
  [
    "a pattern with what RE2 has not",
    { pattern: { regex: "a(?=b)" } },
    ["pattern.regex is no regular expression (RE2) - invalid or unsupported Perl syntax: `(?=`"],
  ],
  ["a key of groups that are there", { steps: { start: "(\\d) (?<to>\\d)", key: "{1}->{to}" } }, []],
  ["a key of one that is not", { steps: { start: "(\\d)", key: "{1}->{2}" } }, ["steps.key names {2}, and start has no such group"]],
  ["a key of none", { steps: { start: "(\\d)", key: "step" } }, ["steps.key names no group, as {1} or {step} would"]],
  ["two patterns that are none", { steps: { start: "[", end: "*" } }, ["steps.start is no regular", "steps.end is no regular"]],
  ["a counter without a group", { counters: { regex: "a", limit: 1 } }, ["counters.regex has no group for the number"]],
  ["a counter in steps that it names", { counters: { regex: "(?<step>a) (?<value>1)", limit: 1, measure: "step" } }, []],
  ["a counter in no steps", { counters: { regex: "(1)", limit: 1, measure: "step" } }, ["counters.measure is step: regex needs a group"]],
  [
    "a counter in steps that nobody knows",
    { counters: { regex: "(1)", limit: 1, measure: "step", steps: "other" } },
    ["counters.steps is other, and no check of steps has that name"],
  ],
];

describe("what is wrong with a check that its schema lets pass", () => {
  for (const [what, check, faults] of ROWS) {
    test(`${what}: ${faults.length}`, () => {
      const found = findCheckFaults(makeTask({ checks: [{ name: "it", ...check }] }).spec.checks);
      assert.equal(found.length, faults.length);
      for (const [index, { path, message }] of found.entries()) {
        const told = `${path} ${message}`;
        assert.ok(told.startsWith(`spec.checks[0].${faults[index]}`), told);
      }
    });
  }

  test("all of them together have their limit, as a Job has to hold them", () => {
    const checks = Array.from({ length: 40 }, (_, index) => ({
      name: `c${index}`,
      steps: {
        start: "(a)",
        overrides: Array.from({ length: 20 }, (_each, step) => ({ step: `${step}`, limit: "1m", reason: "r".repeat(80) })),
      },
    }));
    assert.deepEqual(
      findCheckFaults(makeTask({ checks }).spec.checks).map(({ path }) => path),
      ["spec.checks"],
    );
    assert.deepEqual(findCheckFaults(makeTask({ checks: checks.slice(0, 10) }).spec.checks), []);
  });
});
