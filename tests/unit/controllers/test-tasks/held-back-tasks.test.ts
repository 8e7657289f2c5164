import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeldBackTasks } from "../../../../src/controllers/test-tasks/held-back-tasks.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

const TEN_MINUTES = 600_000;
/** Four places for builds that wait: a task is held back with two of them, or with one where another has two. */
const LIMITS = { maxPending: 4, maxBuilds: 100 };

function setUp() {
  const clock = makeManualClock();
  const heldBack = new HeldBackTasks(clock);
  const weigh = (waiting: Record<string, number>) => {
    const counts = Object.values(waiting);
    const allWaiting = counts.reduce((sum, count) => sum + count, 0);
    return heldBack.weigh(new Map(Object.entries(waiting)), { ...LIMITS, allWaiting, active: allWaiting });
  };
  return { clock, heldBack, weigh };
}

describe("tasks whose builds wait for a node", () => {
  test("are held back when as many wait as there are places left, told once, and go on as soon as fewer do", () => {
    const { heldBack, weigh } = setUp();
    assert.deepEqual([weigh({ a: 1 }), heldBack.of("a")], [[], undefined]);
    assert.deepEqual([weigh({ a: 2 }), heldBack.of("a")], [["a"], { isPaused: true, waitedAtMs: 0 }]);
    assert.deepEqual(weigh({ a: 2 }), [], "nothing has changed");
    assert.deepEqual([weigh({ a: 1 }), heldBack.of("a")?.isPaused], [["a"], false]);
    assert.deepEqual([weigh({ a: 1 }), heldBack.of("a")?.isPaused], [[], false]);
    assert.deepEqual([weigh({ a: 2 }), heldBack.of("a")?.isPaused], [["a"], true]);
  });

  test("are weighed each by its own: one that has few goes on beside one that has many", () => {
    const { heldBack, weigh } = setUp();
    weigh({ a: 2 });
    assert.deepEqual([weigh({ a: 2, b: 1 }), heldBack.of("a")?.isPaused, heldBack.of("b")?.isPaused], [["b"], true, true]);
    assert.deepEqual([weigh({ a: 1, b: 1 }), heldBack.of("a")?.isPaused, heldBack.of("b")?.isPaused], [["a", "b"], false, false]);
  });

  test("keep a lane of their own for ten minutes after the last that waited, and are told to have gone once", () => {
    const { clock, heldBack, weigh } = setUp();
    weigh({ a: 2 });
    assert.deepEqual([weigh({}), heldBack.of("a")?.isPaused], [["a"], false], "none waits: it goes on");
    clock.skip(TEN_MINUTES - 1);
    assert.deepEqual([weigh({}), heldBack.of("a")?.isPaused], [[], false]);
    clock.skip(1);
    assert.deepEqual([weigh({}), heldBack.of("a")], [["a"], undefined]);
    assert.deepEqual(weigh({}), []);
  });

  test("have the ten minutes anew each time one waits", () => {
    const { clock, heldBack, weigh } = setUp();
    weigh({ a: 2 });
    clock.skip(TEN_MINUTES - 1);
    weigh({ a: 1 });
    clock.skip(TEN_MINUTES - 1);
    weigh({});
    assert.notEqual(heldBack.of("a"), undefined);
    clock.skip(1);
    weigh({});
    assert.equal(heldBack.of("a"), undefined);
  });
});
