import assert from "node:assert/strict";
import { test } from "node:test";
import { LineTimes } from "../../../../src/core/checks/line-times.ts";

test("lines have the time of the last line before them that has one", () => {
  const times = new LineTimes();
  for (const [line, ms] of [
    [3, 1000],
    [4, 1005],
    [9, 2000],
    [10, 1990],
  ] as const)
    times.note(line, ms);
  assert.deepEqual(
    [1, 3, 4, 8, 9, 10, 99].map((line) => times.at(line)),
    [undefined, 1000, 1000, 1000, 2000, 2000, 2000],
  );
  assert.equal(times.lastMs, 2000);
});

test("however many lines there are, so many times are kept, and each line's is as near as is said", () => {
  const times = new LineTimes();
  for (let line = 1; line <= 300_000; line += 1) times.note(line, line * 100);
  assert.ok(times.entries.length <= 65_536);
  assert.ok(times.spacingMs <= 1280, `${times.spacingMs}`);
  for (const line of [1, 777, 150_000, 299_999]) {
    const early = line * 100 - (times.at(line) ?? 0);
    assert.ok(early >= 0 && early < 2 * times.spacingMs, `line ${line}: ${early}`);
  }
});
