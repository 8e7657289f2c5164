import assert from "node:assert/strict";
import { test } from "node:test";
import { readLayout } from "../../../../src/core/zuul/layout.ts";

const COUNT = 10_000;

/** A list of one thing many times that counts how often an entry is taken from it. */
function countedList(entry: unknown) {
  const counted = { taken: 0, list: Array(COUNT).fill(entry) as unknown[] };
  const iterate = function* () {
    for (const each of Array(COUNT).fill(entry)) {
      counted.taken++;
      yield each;
    }
  };
  Object.defineProperty(counted.list, Symbol.iterator, { value: iterate });
  return counted;
}

const BOUNDS: [string, unknown, RegExp, number][] = [
  ["jobs", "unit", /^is as far as was read: jobs are named 500000 times$/, 500_000],
  ["empty lists", [[], []], /^is as far as was read: with its aliases the layout has 5000000 entries$/, 5_000_000],
  ["what is no job", 7, /^is as far as was read: with its aliases the layout has 5000000 entries$/, 5_000_000],
];

for (const [name, entry, message, limit] of BOUNDS) {
  test(`a layout that is small only by its aliases is read so far and no further: ${name}`, () => {
    const jobs = countedList(entry);
    const layout = readLayout({
      pipelines: [{ name: "check" }],
      "project-templates": [{ name: "t", check: jobs.list }],
      projects: [{ name: "p", template: Array(COUNT).fill({ name: "t" }) }],
    });
    assert.ok(typeof layout === "object");
    assert.equal(layout.faults.filter((fault) => message.test(fault.message)).length, 1);
    assert.ok(jobs.taken <= limit + COUNT, `${jobs.taken} entries were looked at`);
  });
}
