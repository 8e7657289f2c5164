import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  mergeRegisteredNames,
  parseRegisteredNames,
  renderRegisteredNames,
  renewRegisteredNames,
} from "../../../../src/core/test-task/registered-names.ts";

const NOW = new Date("2026-03-01T12:00:00.500Z");
const daysAgo = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString();

describe("renewRegisteredNames", () => {
  test("adds what is served now and keeps what was", () => {
    const names = renewRegisteredNames(new Map([["build:old", daysAgo(29)]]), ["build:new"], NOW);
    assert.deepEqual(
      [...names],
      [
        ["build:old", daysAgo(29)],
        ["build:new", "2026-03-01T12:00:00Z"],
      ],
    );
  });

  test("forgets what nobody has served for a month, unless it is served again", () => {
    const old = new Map([
      ["build:a", daysAgo(31)],
      ["build:b", daysAgo(31)],
      ["build:c", daysAgo(30)],
    ]);
    assert.deepEqual([...renewRegisteredNames(old, ["build:b"], NOW).keys()], ["build:b"]);
  });

  test("does not move the time of what is served more than once a day", () => {
    const names = new Map([["build:a", daysAgo(0.9)]]);
    assert.deepEqual([...renewRegisteredNames(names, ["build:a"], NOW)], [...names]);
    assert.notDeepEqual([...renewRegisteredNames(new Map([["build:a", daysAgo(1)]]), ["build:a"], NOW)], [["build:a", daysAgo(1)]]);
  });

  test("keeps the newest where there are too many", () => {
    const many = Array.from({ length: 2500 }, (_, index): [string, string] => [`build:${index}`, daysAgo(index / 100)]);
    for (const order of [many, many.toReversed()]) {
      const names = renewRegisteredNames(new Map(order), [], NOW);
      assert.equal(names.size, 2000);
      assert.ok(names.has("build:0") && names.has("build:1999"));
    }
  });
});

test("merged names are those of both, each with its later time", () => {
  const one = new Map([
    ["build:a", daysAgo(1)],
    ["build:b", daysAgo(2)],
    ["build:c", daysAgo(3)],
  ]);
  const other = new Map([
    ["build:b", daysAgo(1)],
    ["build:c", daysAgo(4)],
    ["build:d", daysAgo(4)],
  ]);
  const merged = [
    ["build:a", daysAgo(1)],
    ["build:b", daysAgo(1)],
    ["build:c", daysAgo(3)],
    ["build:d", daysAgo(4)],
  ] as const;
  assert.deepEqual(mergeRegisteredNames(one, other), new Map(merged));
  assert.deepEqual(mergeRegisteredNames(other, one), new Map(merged));
});

test("names survive being written and read, and what cannot be read counts as none", () => {
  const names = new Map([["build:a", "2026-03-01T12:00:00Z"]]);
  assert.deepEqual(parseRegisteredNames(renderRegisteredNames(names)), names);
  for (const text of [undefined, "", "[]", "{", '{"build:a": 7}', '{"build:a": "yesterday"}'])
    assert.equal(parseRegisteredNames(text).size, 0, text);
});

test("names are written in the same order, however they came", () => {
  const names: [string, string][] = ["build:a", "build:b", "build:c"].map((name) => [name, "2026-03-01T12:00:00Z"]);
  const [a, b, c] = names;
  assert.ok(a && b && c);
  for (const order of [
    [b, a, c],
    [c, b, a],
    [b, c, a],
  ]) {
    assert.equal(renderRegisteredNames(new Map(order)), JSON.stringify(Object.fromEntries(names)));
  }
});
