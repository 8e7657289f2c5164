import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Wakeup } from "../../../src/runtime/wakeup.ts";
import { makeManualClock } from "../../support/manual-clock.ts";

function setUp() {
  const clock = makeManualClock();
  const wakeup = new Wakeup(clock);
  const stopping = new AbortController();
  let ended = 0;
  const wait = async (timeoutMs?: number) => {
    await wakeup.wait(timeoutMs, stopping.signal);
    ended += 1;
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, wakeup, stopping, wait, turn, ended: () => ended };
}

describe("Wakeup", () => {
  test("ends the wait that is under way, and only that one", async () => {
    const { wakeup, wait, turn, ended, stopping } = setUp();
    const first = wait();
    wakeup.wake();
    await first;
    const second = wait();
    await turn();
    assert.equal(ended(), 1);
    stopping.abort();
    await second;
  });

  test("keeps what comes before the wait, however often it came, as one", async () => {
    const { wakeup, wait, turn, ended, stopping } = setUp();
    wakeup.wake();
    wakeup.wake();
    await wait();
    const next = wait();
    await turn();
    assert.equal(ended(), 1);
    stopping.abort();
    await next;
  });

  test("ends a wait after its time, and leaves no timer behind", async () => {
    const { clock, wakeup, wait, turn, ended } = setUp();
    const first = wait(1000);
    assert.equal(clock.pending, 1);
    clock.skip(990);
    await turn();
    assert.equal(ended(), 0);
    clock.skip(10);
    await first;
    const second = wait(1000);
    wakeup.wake();
    await second;
    assert.equal(clock.pending, 0);
  });

  test("ends at once when stopped, before or during the wait", async () => {
    const { clock, wait, stopping } = setUp();
    const during = wait(1000);
    stopping.abort();
    await during;
    await wait(1000);
    assert.equal(clock.pending, 0);
  });
});
