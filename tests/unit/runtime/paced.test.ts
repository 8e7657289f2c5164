import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { paced } from "../../../src/runtime/paced.ts";
import { makeManualClock } from "../../support/manual-clock.ts";

/** Work that takes so long, and gives the number of its run. */
function setUp(tookMs: number) {
  const clock = makeManualClock();
  let runs = 0;
  const ask = paced(async () => {
    runs += 1;
    clock.skip(tookMs);
    if (runs === 3) throw new Error("the third fails");
    return runs;
  }, clock);
  return { ask, clock, runs: () => runs };
}

describe("paced work", () => {
  test("is done at once for the first, and once for all who ask meanwhile", async () => {
    const { ask, clock } = setUp(100);
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
    assert.equal(clock.pending, 0);
  });

  test("is done again after nine times as long as it took, for all who have asked by then", async () => {
    const { ask, clock, runs } = setUp(100);
    await ask();
    const asked = Array.from({ length: 50 }, ask);
    clock.skip(899);
    await turn();
    assert.equal(runs(), 1);
    asked.push(ask());
    clock.skip(1);
    assert.deepEqual(new Set(await Promise.all(asked)), new Set([2]));
  });

  test("waits for a second at most, and not at all for whoever comes later", async () => {
    const { ask, clock } = setUp(5000);
    await ask();
    const second = ask();
    clock.skip(1000);
    assert.equal(await second, 2);
    clock.skip(1000);
    await assert.rejects(ask(), /the third fails/);
    assert.equal(clock.pending, 0);
  });

  test("goes on after a run that has failed, at the same pace", async () => {
    const { ask, clock } = setUp(10);
    for (const _ of [1, 2]) {
      await ask();
      clock.skip(90);
    }
    await assert.rejects(ask(), /the third fails/);
    const next = ask();
    assert.equal(clock.pending, 1);
    clock.skip(90);
    assert.equal(await next, 4);
  });
});
