import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isHeldBack } from "../../../../src/core/test-task/shares.ts";

/** How many builds each task gets in, whose builds all wait for ever, when they ask one after another, round and round. */
function fill(tasks: number, limits: { maxPending: number; maxBuilds: number }, running = 0): number[] {
  const waiting = Array.from({ length: tasks }, () => 0);
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    for (let task = 0; task < tasks; task += 1) {
      const allWaiting = waiting.reduce((sum, count) => sum + count, 0);
      const own = waiting[task] as number;
      const active = running + allWaiting;
      if (allWaiting >= limits.maxPending || active >= limits.maxBuilds) continue;
      if (isHeldBack({ waiting: own, allWaiting, active, ...limits })) continue;
      waiting[task] = own + 1;
      isChanged = true;
    }
  }
  return waiting;
}

describe("a task whose builds all wait", () => {
  test("takes half of the places, and two of them a third each", () => {
    const limits = { maxPending: 100, maxBuilds: 100 };
    assert.deepEqual([fill(1, limits), fill(2, limits), fill(4, limits)], [[50], [34, 33], [20, 20, 20, 20]]);
  });

  test("leaves a place of two to others, by either limit, and takes the only one", () => {
    assert.deepEqual(fill(1, { maxPending: 2, maxBuilds: 100 }), [1]);
    assert.deepEqual(fill(1, { maxPending: 2, maxBuilds: 2 }), [1]);
    assert.deepEqual(fill(1, { maxPending: 1, maxBuilds: 100 }), [1]);
  });

  test("counts what runs as taken, and is not held back by that alone", () => {
    assert.deepEqual(fill(1, { maxPending: 100, maxBuilds: 100 }, 90), [5]);
    assert.equal(isHeldBack({ waiting: 0, allWaiting: 2, active: 2, maxPending: 2, maxBuilds: 2 }), false);
  });
});
