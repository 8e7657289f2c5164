import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { relaunchKey } from "../../../../src/core/job/relaunch.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";

const CHANGE = {
  ZUUL_UUID: "1111",
  LOG_PATH: "1/1/check/unit/1111",
  SWIFT_logs_URL: "https://a",
  ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}`,
  ZUUL_COMMIT: "c0ffee",
  NESTED: { a: 1, b: [2] },
};

function key(parameters: Record<string, unknown> = CHANGE, functionName = "build:unit", spec: object = { image: "python:3.12" }) {
  const parsed = parseParameters(Buffer.from(JSON.stringify(parameters)));
  const task = parseTestTask({
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "unit", namespace: "ci", resourceVersion: String(Math.random()) },
    spec,
  });
  assert.ok(parsed.ok && task.ok);
  return relaunchKey(task.task, functionName, parsed.parameters, sha256Hex);
}

describe("relaunchKey", () => {
  test("is the same for Zuul's relaunch, whatever the order of the parameters", () => {
    const relaunch = {
      ...CHANGE,
      ZUUL_UUID: "2222",
      LOG_PATH: "1/1/check/unit/2222",
      SWIFT_logs_URL: "https://b",
      SWIFT_logs_SIGNATURE: "x",
    };
    assert.ok(key());
    assert.equal(key(relaunch), key());
    assert.equal(key(Object.fromEntries(Object.entries({ ...relaunch, NESTED: { b: [2], a: 1 } }).reverse())), key());
  });

  const others: [string, string | undefined][] = [
    ["another build set", key({ ...CHANGE, ZUUL_REF: `refs/zuul/master/Z${"cd".repeat(16)}` })],
    ["another commit", key({ ...CHANGE, ZUUL_COMMIT: "decade" })],
    ["one more parameter", key({ ...CHANGE, EXTRA: "" })],
    ["another function", key(CHANGE, "build:unit:bionic")],
    ["a TestTask that was edited meanwhile", key(CHANGE, "build:unit", { image: "python:3.13" })],
    ["another value inside", key({ ...CHANGE, NESTED: { a: 1, b: [3] } })],
  ];
  for (const [name, other] of others) test(`differs for ${name}`, () => assert.notEqual(other, key()));

  test("tells numbers apart as they were written", () => {
    const keyOf = (written: string) => {
      const parsed = parseParameters(Buffer.from(JSON.stringify(CHANGE).replace('"c0ffee"', written)));
      const task = parseTestTask({
        apiVersion: "turbo-hipster.io/v1alpha1",
        kind: "TestTask",
        metadata: { name: "unit" },
        spec: { image: "i" },
      });
      assert.ok(parsed.ok && task.ok);
      return relaunchKey(task.task, "build:unit", parsed.parameters, sha256Hex);
    };
    const written = ["1", "1.0", "1e400", "1e401", "NaN", "null", "12345678901234567890", "12345678901234567891", "[1.0]", "[1]"];
    assert.equal(new Set(written.map(keyOf)).size, written.length);
    assert.equal(keyOf("1e400"), keyOf("1e400"));
  });

  for (const ref of [undefined, null, "refs/heads/master", "refs/tags/1.0", "refs/zuul/master/Zabc", `refs/zuul/Z${"ab".repeat(16)}`, 7]) {
    test(`is none for the ref ${ref}`, () => assert.equal(key({ ...CHANGE, ZUUL_REF: ref }), undefined));
  }
});
