import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EarlyStops } from "../../../../src/controllers/builds/early-stops.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const at = (ms: number) => new Date(ms).toISOString();

function makeStops() {
  const clock = makeManualClock();
  return { clock, stops: new EarlyStops(clock, () => clock.now()) };
}

describe("a stop that came before its build", () => {
  test("is for the Job that appears within a day, and for one alone", () => {
    const { clock, stops } = makeStops();
    stops.add("n");
    assert.equal(stops.takeForJob("other", at(0)), false);
    clock.skip(DAY_MS);
    assert.deepEqual([stops.takeForJob("n", at(0)), stops.takeForJob("n", at(0))], [true, false]);
    stops.add("n");
    clock.skip(DAY_MS + 1);
    assert.equal(stops.takeForJob("n", at(0)), false);
  });

  test("is for no Job of a request that came after it, but for clocks that differ by minutes", () => {
    for (const [sinceMs, expected] of [
      [20 * MINUTE_MS, true],
      [24 * MINUTE_MS, true],
      [26 * MINUTE_MS, false],
    ] as const) {
      const { clock, stops } = makeStops();
      clock.skip(20 * MINUTE_MS);
      stops.add("n");
      clock.skip(60 * MINUTE_MS);
      assert.equal(stops.takeForJob("n", at(sinceMs)), expected, at(sinceMs));
    }
  });

  test("is for a Job that does not tell when its request came", () => {
    const { stops } = makeStops();
    stops.add("n");
    assert.equal(stops.takeForJob("n", ""), true);
  });

  test("is for a request that is given out again soon, and for none that uses its unique again much later", () => {
    const { clock, stops } = makeStops();
    stops.add("n");
    clock.skip(10 * MINUTE_MS);
    assert.deepEqual([stops.takeForRequest("n"), stops.takeForRequest("n")], [true, false]);
    stops.add("n");
    clock.skip(10 * MINUTE_MS + 1);
    assert.equal(stops.takeForRequest("n"), false);
  });

  test("is for nobody once the build of its number is over, nor when it comes a moment after that", () => {
    const { clock, stops } = makeStops();
    stops.add("n");
    stops.noteEnd("n");
    assert.equal(stops.takeForRequest("n"), false);
    assert.equal(stops.add("n"), false);
    assert.equal(stops.takeForRequest("n"), false);
    clock.skip(10 * MINUTE_MS + 1);
    assert.equal(stops.add("n"), true);
    assert.equal(stops.takeForRequest("n"), true);
  });

  test("is one of a thousand that are remembered at most, and so are the ends", () => {
    const { clock, stops } = makeStops();
    for (let each = 0; each < 10_000; each += 1) stops.noteEnd(`ended-${each}`);
    for (let each = 0; each < 10_000; each += 1) stops.add(`n-${each}`);
    assert.equal(stops.size, 2000);
    assert.deepEqual([stops.takeForRequest("n-8999"), stops.takeForRequest("n-9000"), stops.takeForRequest("n-9999")], [false, true, true]);
    clock.skip(DAY_MS + 1);
    stops.add("n");
    stops.noteEnd("m");
    assert.equal(stops.size, 2);
  });
});
