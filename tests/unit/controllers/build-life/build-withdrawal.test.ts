import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildWithdrawal } from "../../../../src/controllers/build-life/build-withdrawal.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

function setUp() {
  const clock = makeManualClock();
  const cancelled: Date[] = [];
  const world = { leftMs: undefined as number | undefined, isCancelled: false };
  const withdrawal = new BuildWithdrawal({
    conversation: { look: () => world.leftMs },
    record: {
      cancel: (at) => void cancelled.push(at),
      get isCancelled() {
        return world.isCancelled;
      },
    },
    clock,
    logger: () => silentLogger,
    onWithdrawn() {},
  });
  return { withdrawal, clock, cancelled, world };
}

describe("a build is withdrawn", () => {
  test("by Zuul's stop, which is written down with its time, once", () => {
    const { withdrawal, clock, cancelled } = setUp();
    clock.skip(5);
    assert.deepEqual([withdrawal.stop(), withdrawal.stop(), withdrawal.reason], [true, false, "stop"]);
    assert.deepEqual(cancelled, [new Date(5)]);
  });

  test("by a stop that its Job tells of, which is not written again", () => {
    const { withdrawal, cancelled, world } = setUp();
    withdrawal.readRecord();
    assert.equal(withdrawal.reason, undefined);
    world.isCancelled = true;
    withdrawal.readRecord();
    assert.deepEqual([withdrawal.reason, cancelled], ["stop", []]);
  });

  test("when nobody asks for it in time, and no longer when somebody does", () => {
    const { withdrawal, world } = setUp();
    assert.deepEqual([withdrawal.checkClaim(), withdrawal.reason], [undefined, undefined], "somebody asks");
    world.leftMs = 7;
    assert.deepEqual([withdrawal.checkClaim(), withdrawal.reason], [7, undefined]);
    world.leftMs = 0;
    assert.deepEqual([withdrawal.checkClaim(), withdrawal.reason], [undefined, "unclaimed"]);
    withdrawal.resume();
    assert.equal(withdrawal.reason, undefined);
  });

  test("by a stop for good, whoever asks or not", () => {
    const { withdrawal, world } = setUp();
    withdrawal.stop();
    world.leftMs = 0;
    assert.equal(withdrawal.checkClaim(), undefined);
    withdrawal.resume();
    assert.equal(withdrawal.reason, "stop");
  });

  test("by a stop though nobody had asked for it, so that Zuul's word is the result", () => {
    const { withdrawal, cancelled, world } = setUp();
    world.leftMs = 0;
    withdrawal.checkClaim();
    world.isCancelled = true;
    withdrawal.readRecord();
    assert.equal(withdrawal.reason, "unclaimed", "it is ending already");
    assert.deepEqual([withdrawal.stop(), withdrawal.reason, cancelled.length], [true, "stop", 1]);
  });
});
