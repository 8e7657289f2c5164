import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { amountWords, PLAIN_AMOUNT, Usual } from "../../../../src/core/checks/baseline.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const SECONDS = { leastDeviation: 1, show: (seconds: number) => `${amountWords(seconds)}s` };

function usual(samples: readonly number[], { allow = "3 sigma", unit = PLAIN_AMOUNT, branch = "master" as string | undefined } = {}) {
  const task = makeTask({ checks: [{ name: "it", steps: { start: "a", baseline: { allow } } }] });
  const baseline = task.spec.checks?.[0]?.steps?.baseline;
  assert.ok(baseline);
  return new Usual(baseline, { branch, builds: samples.map((sample) => new Map([["a", sample]])) }, unit);
}

const repeated = (count: number, ...samples: number[]) => Array.from({ length: count }, () => samples).flat();

// Allowed amounts are worked out by hand: of 10 and 14 four times each the mean is 12, the sample's deviation sqrt(32/7) = 2.138.
const ROWS: [what: string, samples: number[], options: Parameters<typeof usual>[1], within: number, over: number, words: string][] = [
  ["three deviations", repeated(4, 10, 14), {}, 18.4, 18.5, "usually 12 in 8 builds of master, allowed 18.41"],
  ["one and a half", repeated(4, 10, 14), { allow: "1.5 sigma" }, 15.2, 15.3, "usually 12 in 8 builds of master, allowed 15.21"],
  ["a tenth of the mean at least", repeated(8, 200), {}, 260, 260.1, "usually 200 in 8 builds of master, allowed 260"],
  ["a second at least, of steps", repeated(8, 0.5), { unit: SECONDS }, 3.5, 3.51, "usually 0.5s in 8 builds of master, allowed 3.5s"],
  ["nothing, of what never was more", repeated(8, 0), {}, 0, 1, "usually 0 in 8 builds of master, allowed 0"],
  ["what is below zero", repeated(8, -10), {}, -7, -6.9, "usually -10 in 8 builds of master, allowed -7"],
];

describe("what is usual", () => {
  for (const [what, samples, options, within, over, words] of ROWS) {
    test(`may be exceeded by ${what}`, () => {
      const known = usual(samples, options);
      assert.equal(known.of("a").words, words);
      assert.equal(known.over("a", within), undefined);
      assert.notEqual(known.over("a", over), undefined);
    });
  }

  test("is not known of fewer than eight builds, of which nothing is over", () => {
    for (const [samples, count] of [
      [repeated(7, 1), 7],
      [[], 0],
    ] as const) {
      const few = usual(samples);
      assert.equal(few.of("a").words, `${count} builds of master kept that have it, 8 needed`);
      assert.equal(few.over("a", 1e9), undefined);
      assert.equal(few.usualWords("a"), "unknown");
    }
    assert.equal(usual(repeated(8, 1)).of("b").words, "0 builds of master kept that have it, 8 needed");
  });
});
