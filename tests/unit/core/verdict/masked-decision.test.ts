import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeMasker } from "../../../../src/core/logs/masking.ts";
import { decideMasked } from "../../../../src/core/verdict/masked-decision.ts";
import type { Verdict } from "../../../../src/core/verdict/verdict.ts";
import { makeJob, makePod, observe, terminated } from "../../../support/objects/build-objects.ts";

const LIMITS = { podMs: 1e6, scheduleMs: undefined, pullMs: 1e6, checkoutMs: 1e6, collectMs: 1e6, runMs: 3_600_000, run: "1h" };
const NOW = new Date("2026-01-01T12:00:00Z");

function verdictOf(message: string, secret: string | undefined, exitCode = 1, more: object = {}): Verdict {
  const pod = makePod({
    status: { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [terminated("test", exitCode, { message, ...more })] },
  });
  const masker = secret === undefined ? undefined : makeMasker([{ name: "s", value: Buffer.from(secret) }]);
  const facts = { state: observe(makeJob(), [pod]), withdrawn: undefined, since: NOW, limits: LIMITS };
  const action = decideMasked(facts, NOW, masker);
  return action.kind === "finish" ? action.verdict : assert.fail();
}

describe("a sentence that a test wrote", () => {
  test("is masked before anybody hears it, also where cleaning would change the secret", () => {
    const { result, message, rule } = verdictOf('login with p@ss:w"ord$1 refused\n', 'p@ss:w"ord$1');
    assert.deepEqual([result, message, rule], ["login with *** refused", "login with *** refused", "exit-code"]);
  });

  test("is what it was where it holds no secret, and where none is known", () => {
    const plain = verdictOf("2 of 7 failed\n", undefined);
    assert.deepEqual(verdictOf("2 of 7 failed\n", "correct-horse"), plain);
    assert.equal(plain.result, "2 of 7 failed");
  });

  test("that is a secret and nothing else leaves a failure", () => {
    assert.deepEqual(
      [verdictOf("correct-horse", "correct-horse").result, verdictOf("correct-horse", "correct-horse").class],
      ["FAILURE", "failure"],
    );
  });
});

describe("a verdict", () => {
  const words: [string, number, string, object][] = [
    ["a success", 0, "SUCCESS", {}],
    ["a failure", 3, "FAILURE", {}],
    ["a program that is not there", 128, "executable file not found in $PATH", { reason: "StartError" }],
    ["a limit of memory", 137, "OOMKilled", { reason: "OOMKilled" }],
  ];
  for (const [what, exitCode, secret, more] of words) {
    test(`is the same though a Secret holds the words of it: ${what}`, () => {
      const message = exitCode === 128 ? `exec: "x": ${secret}: unknown` : `${secret}\n`;
      const plain = verdictOf(message, undefined, exitCode, more);
      const masked = verdictOf(message, secret, exitCode, more);
      assert.deepEqual([masked.class, masked.rule, masked.result === null], [plain.class, plain.rule, plain.result === null]);
      if (plain.class === "success") assert.deepEqual(masked, plain);
      else assert.ok(!`${masked.message} ${JSON.stringify(masked.evidence)}`.includes("not found in $PATH"));
    });
  }
});
