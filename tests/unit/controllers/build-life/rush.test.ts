import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Rush } from "../../../../src/controllers/build-life/rush.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

/** The fewest steps within two seconds that are a rush. */
const MANY = 40;

function makeRush() {
  const clock = makeManualClock();
  const rush = new Rush(clock);
  const takeSteps = (count: number) => {
    for (let step = 0; step < count; step++) rush.noteStep();
  };
  return { clock, rush, takeSteps };
}

describe("a rush", () => {
  test("is on for two seconds after many steps at once, and not after a few", () => {
    const { clock, rush, takeSteps } = makeRush();
    assert.equal(rush.leftMs, 0);
    takeSteps(MANY - 1);
    assert.equal(rush.leftMs, 0);
    clock.skip(500);
    takeSteps(1);
    assert.equal(rush.leftMs, 1500, "the oldest of them counts");
    clock.skip(1500);
    assert.equal(rush.leftMs, 0);
  });

  test("goes on while steps follow each other as quickly", () => {
    const { clock, rush, takeSteps } = makeRush();
    takeSteps(MANY);
    for (let second = 0; second < 60; second++) {
      clock.skip(1000);
      takeSteps(MANY / 2);
      assert.notEqual(rush.leftMs, 0);
    }
    for (let second = 0; second < 2; second++) {
      clock.skip(1000);
      takeSteps(MANY / 2 - 1);
    }
    assert.equal(rush.leftMs, 0);
    assert.equal(clock.pending, 0, "it has no timer");
  });
});
