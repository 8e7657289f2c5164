import assert from "node:assert/strict";
import { test } from "node:test";
import { EndedLately } from "../../../../src/controllers/builds/ended-lately.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

test("Jobs whose builds have ended are known for a minute, with whether their answer may be had again", () => {
  const clock = makeManualClock();
  const ended = new EndedLately(clock);
  ended.note("a", true);
  clock.skip(30_000);
  ended.note("b", false);
  assert.deepEqual([ended.has("a"), ended.has("b"), ended.has("c"), ended.has(undefined)], [true, true, false, false]);
  assert.deepEqual(
    [ended.hadAnswer("a"), ended.hadAnswer("b"), ended.hadAnswer("c"), ended.hadAnswer(undefined)],
    [true, false, undefined, undefined],
  );
  clock.skip(30_000);
  assert.equal(ended.has("a"), true);
  clock.skip(1);
  assert.deepEqual([ended.has("a"), ended.has("b")], [false, true]);
  clock.skip(30_000);
  assert.equal(ended.has("b"), false);
});

test("no more are held than have ended within a minute, though nobody asks", () => {
  const clock = makeManualClock();
  const ended = new EndedLately(clock);
  for (let count = 0; count < 1000; count += 1) {
    ended.note(`job-${count}`, true);
    clock.skip(1000);
  }
  assert.ok(ended.size <= 61, `${ended.size} are held`);
});
