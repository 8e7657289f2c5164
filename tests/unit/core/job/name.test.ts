import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import {
  buildNumber,
  isBuildNumber,
  isNumberIn,
  isUsableUnique,
  jobAttempt,
  jobName,
  jobNumber,
  lastAttempt,
  memberNumber,
  type NameSearch,
  nextAttempt,
  pageNumber,
  parseMemberNumber,
  payloadHash,
} from "../../../../src/core/job/name.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";

describe("buildNumber", () => {
  const identity = { server: "zuul:4730", functionName: "build:unit", unique: "ab", payloadHash: "44136fa355b3678a" };
  const number = (changes: Partial<typeof identity> = {}, namespace = "ci") =>
    buildNumber({ namespace, name: "unit" }, { ...identity, ...changes }, sha256Hex);

  test("is the task's name and 64 bits, fit for a Job's name and a label", () => {
    assert.match(number(), /^unit-[0-9a-f]{16}$/);
    assert.ok(buildNumber({ namespace: "ci", name: "a".repeat(40) }, identity, sha256Hex).length + "-r9999".length <= 63);
  });

  test("is the same for the same request, and another one for any other", () => {
    assert.equal(number(), number());
    const others = [
      number({ server: "zuul:4731" }),
      number({ functionName: "build:unit:a" }),
      number({ unique: "abc" }),
      number({ payloadHash: "44136fa355b3678b" }),
      // What lies on both sides of a boundary does not run together.
      number({ functionName: "build:unita", unique: "b" }),
      number({ server: 'zuul:4730","build:unit', functionName: "x" }),
    ];
    assert.equal(new Set([number(), ...others]).size, others.length + 1);
  });

  test("of a known request never changes: Jobs carry it", () => {
    assert.equal(number(), "unit-19b7fab46e026ac0");
  });

  test("is a number of its namespace and of no other, whatever else is said of it", () => {
    const isIn = (namespace: string, made: string) => isNumberIn(namespace, { number: made, identity }, sha256Hex);
    assert.deepEqual([isIn("ci", number()), isIn("other", number()), isIn("", number())], [true, false, false]);
    assert.deepEqual([isIn("ci", number({}, "other")), isIn("other", number({}, "other"))], [false, true]);
    // Not of another task either, nor where the boundary lies elsewhere.
    assert.equal(isIn("ci", number().replace("unit-", "other-")), false);
    const moved = buildNumber({ namespace: "ci", name: "a.unit" }, identity, sha256Hex).replace("a.unit", "unit");
    assert.equal(isIn("ci/a", moved), false);
    assert.equal(isIn("ci", "unit"), false);
  });

  test("of before it told its namespace is known by the request that it was made for", () => {
    const earlier = `unit-${sha256Hex('["zuul:4730","build:unit","ab","44136fa355b3678a"]').slice(0, 16)}`;
    const isKnown = (changes: object) => isNumberIn("ci", { number: earlier, identity: { ...identity, ...changes } }, sha256Hex);
    assert.deepEqual([isKnown({}), isKnown({ unique: "abc" }), isKnown({ payloadHash: null })], [true, false, false]);
  });

  test("of before the payload was of account is known by the rest of its request", () => {
    const first = `unit-${sha256Hex('["zuul:4730","build:unit","ab"]').slice(0, 16)}`;
    const isKnown = (changes: object) => isNumberIn("ci", { number: first, identity: { ...identity, ...changes } }, sha256Hex);
    assert.deepEqual([isKnown({ payloadHash: null }), isKnown({}), isKnown({ payloadHash: null, unique: "abc" })], [true, false, false]);
  });
});

test("payloadHash is 64 bits of the bytes, as they came", () => {
  // sha256sum of no bytes, and of `{}`.
  assert.equal(
    payloadHash(new Uint8Array(), (bytes) => createHash("sha256").update(bytes).digest("hex")),
    "e3b0c44298fc1c14",
  );
  assert.equal(
    payloadHash(Buffer.from("{}"), (bytes) => createHash("sha256").update(bytes).digest("hex")),
    "44136fa355b3678a",
  );
});

describe("isBuildNumber", () => {
  for (const number of ["unit-0123456789abcdef", "a-b.c-0123456789abcdef"]) {
    test(`takes ${number}`, () => assert.equal(isBuildNumber(number), true));
  }
  for (const number of [
    "",
    "unit",
    "0123456789abcdef",
    "-0123456789abcdef",
    "unit-0123456789abcdef-r1",
    "Unit-0123456789abcdef",
    "u\n-0123456789abcdef",
  ]) {
    test(`takes no ${JSON.stringify(number)}`, () => assert.equal(isBuildNumber(number), false));
  }
});

test("the attempt of a Job's name is what follows the number", () => {
  assert.deepEqual(["unit-1", "unit-1-r1", "unit-1-r42", "unit-1-r0", "unit-1-rx", "a-r1-unit"].map(jobAttempt), [0, 1, 42, 0, 0, 0]);
});

test("a member's number is its build's with an index, and its Job's name leads to both", () => {
  const number = "unit-0123456789abcdef";
  assert.deepEqual(parseMemberNumber(memberNumber(number, 12)), { number, index: 12 });
  for (const other of [number, "unit-12", `${number}-012`, `${number}-r1`, `${number}-100`])
    assert.equal(parseMemberNumber(other), undefined);
  assert.deepEqual([`${number}-3-r2`, `${number}-r2`, number].map(jobNumber), [number, number, number]);
  assert.deepEqual([`${number}-3-r2`, `${number}-r2`].map(pageNumber), [`${number}-3`, number]);
});

test("no attempt makes a name longer than a label may be", () => {
  for (const name of ["unit-0123456789abcdef", "n".repeat(57), "n".repeat(60), "n".repeat(61)]) {
    const last = lastAttempt(name);
    assert.ok(jobName(name, last).length <= 63 && last <= 9999, `${name}: ${last}`);
  }
  assert.deepEqual([lastAttempt("n".repeat(57)), lastAttempt("n".repeat(59)), lastAttempt("n".repeat(60))], [9999, 99, 9]);
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

describe("the search for a name that no other build holds", () => {
  /** Names whose attempts are in `held` are taken; attempt 0 was found so already. Tells which one it is to be, and what was looked at. */
  function search(held: ReadonlySet<number>): { name: number | undefined; looked: number[] } {
    const looked: number[] = [];
    let state: NameSearch = { taken: 0, free: undefined };
    for (;;) {
      const next = nextAttempt(state);
      if (next === undefined || next.kind === "take") return { name: next?.attempt, looked };
      looked.push(next.attempt);
      assert.ok(looked.length < 50, "it ends");
      state = held.has(next.attempt) ? { ...state, taken: next.attempt } : { ...state, free: next.attempt };
    }
  }
  const upTo = (last: number) => new Set(Array.from({ length: last }, (_, index) => index + 1));

  for (const last of [0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 1440, 5000]) {
    test(`takes the one after ${last} that are held, having looked at the last of them and at few others`, () => {
      const { name, looked } = search(upTo(last));
      assert.equal(name, last + 1);
      assert.ok(looked.length <= 2 * Math.ceil(Math.log2(last + 2)), `${looked.length} looks`);
      if (last > 0) assert.ok(looked.includes(last));
    });
  }

  test("takes one that is free where old Jobs have gone in between, and never one that is held", () => {
    for (const held of [new Set([2, 3]), new Set([1, 4]), new Set([1, 2, 4, 8]), new Set([1, 2, 3, 5, 6, 7])]) {
      const { name } = search(held);
      assert.ok(name !== undefined && name > 0 && !held.has(name), `${[...held]}: ${name}`);
    }
  });

  test("ends where ten thousand are held", () => {
    assert.deepEqual(search(upTo(9998)).name, 9999);
    assert.deepEqual(search(upTo(9999)).name, undefined);
  });
});
