import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changedParameters, isAnswer, isSameRelaunch, launchOf, relaunchKey, requestOf } from "../../../../src/core/job/relaunch.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { configuration, endedBeforeStart, infrastructure } from "../../../../src/core/verdict/verdict.ts";
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

  test("is known again without its part before the dash, as older versions wrote it, and by nothing less", () => {
    const own = key() ?? "";
    const old = own.slice(own.indexOf("-") + 1);
    assert.match(old, /^[0-9a-f]{64}$/);
    assert.deepEqual([own, old].map(requestOf), [old, old]);
    assert.deepEqual([isSameRelaunch(old, own), isSameRelaunch(own, old), isSameRelaunch(own, own)], [true, true, true]);
    const other = key({ ...CHANGE, ZUUL_COMMIT: "decade" }) ?? "";
    assert.equal(launchOf(other), launchOf(own));
    for (const strange of [other, requestOf(other), launchOf(own) ?? "", "", "-"])
      assert.equal(isSameRelaunch(strange, own), false, strange);
  });

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

describe("launchOf", () => {
  const build = launchOf(key() ?? "");

  test("is the same for all launches of a build, whatever else they are asked with", () => {
    assert.match(build ?? "", /^[0-9a-f]{16}$/);
    assert.equal(launchOf(key({ ...CHANGE, ZUUL_COMMIT: "decade", EXTRA: "" }) ?? ""), build);
    assert.equal(launchOf(key(CHANGE, "build:unit", { image: "python:3.13" }) ?? ""), build);
  });

  test("differs for another build of the set, and for another set", () => {
    assert.notEqual(launchOf(key(CHANGE, "build:unit:bionic") ?? ""), build);
    assert.notEqual(launchOf(key({ ...CHANGE, ZUUL_REF: `refs/zuul/master/Z${"cd".repeat(16)}` }) ?? ""), build);
  });

  test("is none of keys that do not tell", () => {
    for (const old of ["", "f".repeat(64), `${"f".repeat(15)}-x`, `${"f".repeat(17)}-x`, `x${"f".repeat(16)}-x`, "F".repeat(16)]) {
      assert.equal(launchOf(old), undefined, old);
    }
  });
});

describe("changedParameters", () => {
  const parse = (text: string) => {
    const parsed = parseParameters(Buffer.from(text));
    assert.ok(parsed.ok);
    return parsed.parameters;
  };
  const rows: [string, earlier: string, later: string, names: string[]][] = [
    ["nothing", '{"A":"1"}', '{"A":"1"}', []],
    ["what Zuul makes anew for each launch", '{"ZUUL_UUID":"1","LOG_PATH":"a","SWIFT_x":"1"}', '{"ZUUL_UUID":"2","SWIFT_y":"1"}', []],
    ["another value, a new one and one that is gone, in order", '{"C":1,"B":1,"X":1}', '{"D":1,"C":2,"X":1}', ["B", "C", "D"]],
    ["a number that is written otherwise", '{"A":1.0,"B":[1]}', '{"A":1,"B":[1.0]}', ["A", "B"]],
    ["a number that became text", '{"A":1}', '{"A":"1"}', ["A"]],
    ["null, where nothing was", "{}", '{"A":null}', ["A"]],
    ["members in another order: none", '{"A":{"x":1,"y":[{"p":1,"q":2}]}}', '{"A":{"y":[{"q":2,"p":1}],"x":1}}', []],
    ["a list that became its members by number", '{"A":["1"]}', '{"A":{"0":"1"}}', ["A"]],
    ["a number that became an object", '{"A":1}', '{"A":{"text":"1"}}', ["A"]],
    ["items in another order", '{"A":[1,2]}', '{"A":[2,1]}', ["A"]],
    ["what only begins or ends like those of a launch", '{"ZUUL_UUID_OLD":1,"MY_SWIFT_x":1}', "{}", ["MY_SWIFT_x", "ZUUL_UUID_OLD"]],
  ];
  for (const [name, earlier, later, names] of rows) {
    test(`names ${name}`, () => assert.deepEqual(changedParameters(parse(earlier), parse(later)), names));
  }
});

test("Zuul launches again what got no result, and what it was told was stopped", () => {
  assert.equal(isAnswer(configuration("unsupported", "no")), true);
  assert.equal(isAnswer(infrastructure("job-gone", "gone")), false);
  assert.equal(isAnswer(endedBeforeStart("stop")), false);
});
