import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { within } from "../../../src/runtime/within.ts";
import { makeSkippingClock } from "../../support/skipping-clock.ts";

describe("within", () => {
  test("waits for the promise, and leaves no timer", async () => {
    const clock = makeSkippingClock();
    const { promise, resolve } = Promise.withResolvers<void>();
    const waited = within(1000, promise, clock);
    assert.equal(clock.pending, 1);
    resolve();
    await waited;
    assert.equal(clock.pending, 0);
  });

  test("waits no longer than it may", async () => {
    const clock = makeSkippingClock();
    const waited = within(1000, new Promise(() => {}), clock);
    clock.skip(1000);
    await waited;
    assert.equal(clock.pending, 0);
  });
});
