import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Loop } from "../../../src/runtime/loop.ts";
import { makeManualClock } from "../../support/manual-clock.ts";

/** A loop whose calls the test ends, with how long to wait until the next one. */
function setUp() {
  const clock = makeManualClock();
  const calls: { signal: AbortSignal; end: (waitMs: number | undefined) => void }[] = [];
  const loop = new Loop(clock, (signal) => {
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    calls.push({ signal, end: resolve });
    return promise;
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    calls,
    loop,
    turn,
    /** Ends the call under way; by then the loop has gone on. */
    async end(waitMs: number | undefined) {
      calls.at(-1)?.end(waitMs);
      await turn();
    },
  };
}

describe("Loop", () => {
  test("calls at once, then whenever it is woken", async () => {
    const { calls, loop, turn, end } = setUp();
    await loop.start();
    assert.equal(calls.length, 1);
    await end(undefined);
    assert.equal(calls.length, 1, "it waits");
    loop.wake();
    await turn();
    assert.equal(calls.length, 2);
    await end(undefined);
    await loop.stop();
    assert.equal(calls.length, 2);
  });

  test("calls once more for what comes during a call, however often it came, and never two at a time", async () => {
    const { calls, loop, turn, end } = setUp();
    await loop.start();
    loop.wake();
    loop.wake();
    await turn();
    assert.equal(calls.length, 1);
    await end(undefined);
    assert.equal(calls.length, 2);
    await end(undefined);
    assert.equal(calls.length, 2);
    await loop.stop();
  });

  test("calls again when the time is over that the last call asked for, and at once for none", async () => {
    const { clock, calls, loop, turn, end } = setUp();
    await loop.start();
    await end(1000);
    clock.skip(990);
    await turn();
    assert.equal(calls.length, 1);
    clock.skip(10);
    await turn();
    assert.equal(calls.length, 2);
    await end(0);
    await end(-5);
    assert.equal(calls.length, 4);
    assert.equal(clock.pending, 0);
    await end(1000);
    await loop.stop();
    assert.equal(clock.pending, 0, "no timer is left");
  });

  test("stops after the call under way, which is told at once", async () => {
    const { calls, loop, turn, end } = setUp();
    await loop.start();
    let isStopped = false;
    const stopped = loop.stop().then(() => {
      isStopped = true;
    });
    assert.equal(calls[0]?.signal.aborted, true);
    await turn();
    assert.equal(isStopped, false);
    await end(0);
    await stopped;
    assert.equal(calls.length, 1);
  });

  test("may be started and stopped in any order and any number of times", async () => {
    const twice = setUp();
    await Promise.all([twice.loop.start(), twice.loop.start()]);
    assert.equal(twice.calls.length, 1);
    await twice.end(undefined);
    await Promise.all([twice.loop.stop(), twice.loop.stop()]);
    await twice.loop.start();
    assert.equal(twice.calls.length, 1);

    const before = setUp();
    before.loop.wake();
    await before.loop.stop();
    await before.loop.start();
    await before.loop.stop();
    assert.equal(before.calls.length, 0);
  });
});
