import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PhaseTimer } from "../../../../src/controllers/build-life/phase-timer.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";

function makeTimer(isAdopted: boolean) {
  const phases: [string, number][] = [];
  let nowMs = 1000;
  const observer = { noteVerdict() {}, noteAnswer() {}, notePhase: (phase: string, ms: number) => void phases.push([phase, ms]) };
  const timer = new PhaseTimer({ observer, clock: { ...systemClock, monotonicMs: () => nowMs }, isAdopted });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { timer, phases, pass };
}

describe("the timer of a build's phases", () => {
  test("tells how long each of them took, as steps are reached", () => {
    const { timer, phases, pass } = makeTimer(false);
    for (const step of [1, 2, 3, 4, 5]) {
      pass(100);
      timer.reach(step);
    }
    pass(7);
    timer.conclude();
    assert.equal(timer.phase, "answer");
    pass(50);
    timer.delivered();
    timer.delivered();
    assert.deepEqual(phases, [
      ["pending", 300],
      ["preparing", 100],
      ["running", 100],
      ["answer", 50],
    ]);
    assert.equal(timer.phase, undefined);
  });

  test("tells of a build that was taken over only what it saw from its beginning", () => {
    const { timer, phases, pass } = makeTimer(true);
    pass(100);
    timer.reach(3);
    pass(20);
    timer.reach(4);
    assert.deepEqual(phases, [["preparing", 20]]);
  });

  test("ends with the phase in which the build was judged", () => {
    const { timer, phases, pass } = makeTimer(false);
    pass(10);
    timer.conclude();
    assert.deepEqual(phases, [["pending", 10]]);
  });
});
