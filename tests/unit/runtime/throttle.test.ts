import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Throttle } from "../../../src/runtime/throttle.ts";
import { makeManualClock } from "../../support/manual-clock.ts";

function start() {
  const clock = makeManualClock();
  const ranAtMs: number[] = [];
  const startedMs = clock.monotonicMs();
  const throttle = new Throttle({ leastMs: 20, clock, work: () => void ranAtMs.push(clock.monotonicMs() - startedMs) });
  return { clock, ranAtMs, throttle };
}

describe("throttled work", () => {
  test("runs once for all of a turn of the event loop, and then for all of 20 ms", async () => {
    const { clock, ranAtMs, throttle } = start();
    throttle.ask();
    throttle.ask();
    assert.deepEqual(ranAtMs, []);
    await setImmediate();
    assert.deepEqual(ranAtMs, [0]);
    for (let turn = 0; turn < 5; turn += 1) {
      throttle.ask();
      await setImmediate();
      clock.skip(9);
    }
    assert.deepEqual(ranAtMs, [0, 20, 40]);
    clock.skip(50);
    throttle.ask();
    await setImmediate();
    assert.deepEqual(ranAtMs, [0, 20, 40, 95]);
  });

  test("runs at once when it is told to, and not again for what had asked before", async () => {
    const { clock, ranAtMs, throttle } = start();
    throttle.ask();
    throttle.run();
    await setImmediate();
    throttle.ask();
    throttle.run();
    clock.skip(100);
    await setImmediate();
    assert.deepEqual(ranAtMs, [0, 0]);
  });

  test("counts from what somebody else has done, and does nothing that was taken back", async () => {
    const { clock, ranAtMs, throttle } = start();
    throttle.ask();
    throttle.noteRun();
    throttle.ask();
    await setImmediate();
    assert.deepEqual(ranAtMs, []);
    clock.skip(20);
    assert.deepEqual(ranAtMs, [20]);
    throttle.ask();
    throttle.cancel();
    clock.skip(100);
    throttle.ask();
    throttle.cancel();
    await setImmediate();
    assert.deepEqual(ranAtMs, [20]);
  });
});
