import assert from "node:assert/strict";
import { test } from "node:test";
import { buildLimits, CHECKOUT_TIMEOUT } from "../../../../src/core/observation/build-limits.ts";

test("a build's limits are its task's timeouts, ten minutes for the checkout, ten for its pod to come, and none for a node", () => {
  const limits = {
    podMs: 600_000,
    scheduleMs: undefined,
    pullMs: 1_200_000,
    checkoutMs: 600_000,
    collectMs: 600_000,
    runMs: 5_400_000,
    run: "1h30m",
  };
  assert.deepEqual(buildLimits({ pull: "20m", run: "1h30m", collect: "10m" }), limits);
  assert.deepEqual(buildLimits({ pull: "20m", run: "1h30m", collect: "10m", schedule: "90s" }), { ...limits, scheduleMs: 90_000 });
  assert.equal(CHECKOUT_TIMEOUT, "10m");
});
