import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { makeProcessClock } from "../../support/process-clock.ts";

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Nothing of this process runs for so long. */
function stall(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

/** Two rounds of the event loop: what has arrived is read, and who waited for that has gone on. */
async function turns(): Promise<void> {
  for (let count = 0; count < 2; count += 1) await turn();
}

describe("the clock of a process", () => {
  test("counts little of the time in which the process was kept from its turns: each timer leaves it some of them", async () => {
    const clock = makeProcessClock();
    const fired = Promise.withResolvers<void>();
    let hasFired = false;
    clock.schedule(180, () => {
      hasFired = true;
      fired.resolve();
    });
    for (let stalls = 0; stalls < 3; stalls += 1) {
      stall(300);
      await turns();
      assert.equal(hasFired, false, `after ${stalls + 1} stalls`);
    }
    await fired.promise;
  });

  test("counts no more of a stall for being asked often in it", () => {
    const clock = makeProcessClock();
    const cancel = clock.schedule(60_000, () => {});
    const before = clock.monotonicMs();
    for (let count = 0; count < 10; count += 1) {
      stall(20);
      clock.monotonicMs();
      clock.schedule(60_000, () => {})();
    }
    assert.ok(clock.monotonicMs() - before <= 50);
    cancel();
  });

  test("fires timers in the order in which they are due, with their time passed, and none that was cancelled", async () => {
    const clock = makeProcessClock();
    const startMs = clock.monotonicMs();
    const fired: number[] = [];
    const early: number[] = [];
    const timers = [60, 10, 90, 30, 0].map((delayMs) =>
      clock.sleep(delayMs).then(() => {
        fired.push(delayMs);
        if (clock.monotonicMs() - startMs < delayMs) early.push(delayMs);
      }),
    );
    clock.schedule(20, () => fired.push(20))();
    const controller = new AbortController();
    const aborted = assert.rejects(clock.sleep(40, controller.signal), /enough/);
    controller.abort(new Error("enough"));
    await Promise.all([...timers, aborted, assert.rejects(clock.sleep(0, controller.signal), /enough/)]);
    assert.deepEqual([fired, early], [[0, 10, 30, 60, 90], []]);
  });

  test("has one timer that is due before all others go on", async () => {
    const clock = makeProcessClock();
    const cancel = clock.schedule(3_600_000, () => assert.fail("an hour has not passed"));
    await clock.sleep(1);
    cancel();
  });
});
