import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildNumber, isUsableUnique, jobName } from "../../../../src/core/job/name.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";

describe("buildNumber", () => {
  const identity = { server: "zuul:4730", functionName: "build:unit", unique: "ab" };
  const number = (changes: Partial<typeof identity> = {}) => buildNumber("unit", { ...identity, ...changes }, sha256Hex);

  test("is the task's name and 64 bits, fit for a Job's name and a label", () => {
    assert.match(number(), /^unit-[0-9a-f]{16}$/);
    assert.ok(buildNumber("a".repeat(40), identity, sha256Hex).length <= 63 - "-r4".length - "-abcde".length + 3);
  });

  test("is the same for the same request, and another one for any other", () => {
    assert.equal(number(), number());
    const others = [
      number({ server: "zuul:4731" }),
      number({ functionName: "build:unit:a" }),
      number({ unique: "abc" }),
      // What lies on both sides of a boundary does not run together.
      number({ functionName: "build:unita", unique: "b" }),
      number({ server: 'zuul:4730","build:unit', functionName: "x" }),
    ];
    assert.equal(new Set([number(), ...others]).size, others.length + 1);
  });

  test("of a known request never changes: Jobs carry it", () => {
    assert.equal(number(), `unit-${sha256Hex('["zuul:4730","build:unit","ab"]').slice(0, 16)}`);
  });
});

describe("isUsableUnique", () => {
  for (const unique of ["0123456789abcdef0123456789abcdef", "a", "~", "x".repeat(64)]) {
    test(`takes ${unique.slice(0, 40)}`, () => assert.equal(isUsableUnique(unique), true));
  }
  for (const unique of ["", "-", "x".repeat(65), "a b", "a\0b", "ü", "\x7f"]) {
    test(`takes no ${JSON.stringify(unique.slice(0, 10))}`, () => assert.equal(isUsableUnique(unique), false));
  }
});

test("a Job is called as its build's number, and by another name for each one that holds that", () => {
  assert.deepEqual([jobName("unit-1", 0), jobName("unit-1", 1), jobName("unit-1", 4)], ["unit-1", "unit-1-r1", "unit-1-r4"]);
});
