import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CheckResult } from "../../../../src/core/checks/check-result.ts";
import { proposeLimits, renderLimit } from "../../../../src/core/checks/proposed-limits.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const STEPS = { start: "^begin (\\w+)", limit: "30s" };

function build(seconds: Record<string, number>): CheckResult[] {
  const steps = Object.entries(seconds).map(([name, each]) => ({ name, line: 1, seconds: each }));
  return [{ name: "it", kind: "steps", outcome: "passed", message: "", findings: [], more: 0, steps }];
}

function propose(steps: object, builds: readonly CheckResult[][], margin = 50) {
  const checks =
    makeTask({
      checks: [
        { name: "it", steps },
        { name: "other", pattern: { regex: "x" } },
      ],
    }).spec.checks ?? [];
  const { limits, checks: proposed } = proposeLimits(checks, builds, margin);
  assert.deepEqual(proposed[1], checks[1], "what is no check of steps stays");
  const { limit, overrides } = proposed[0]?.steps ?? {};
  return { told: limits.map((each) => renderLimit(each).join(" | ")), limit, overrides };
}

describe("limits by what steps took", () => {
  test("are the 99th percentile and the margin, with the number of samples", () => {
    const builds = Array.from({ length: 100 }, (_, index) => build({ a: index + 1 }));
    assert.deepEqual(propose(STEPS, builds), {
      told: ["- limit: 30s | + limit: 2m29s (99% of 100 samples came to at most 99s)"],
      limit: "2m29s",
      overrides: undefined,
    });
    assert.equal(propose(STEPS, builds, 0).limit, "99s");
  });

  test("are as they were where that comes to the same, and one second at least", () => {
    assert.deepEqual(propose(STEPS, [build({ a: 20 })]).told, ["  limit: 30s (99% of 1 samples came to at most 20s)"]);
    assert.equal(propose(STEPS, [build({ a: 0 })]).limit, "1s");
  });

  test("keep overrides, with their reasons, each by its own samples", () => {
    const overrides = [
      { step: "slow", limit: "1m", reason: "bug 7" },
      { step: "gone", limit: "5m" },
    ];
    assert.deepEqual(propose({ ...STEPS, overrides }, [build({ a: 10, slow: 3000 })]), {
      told: [
        "- limit: 30s | + limit: 15s (99% of 1 samples came to at most 10s)",
        "- limit of slow: 1m | + limit of slow: 1h15m (99% of 1 samples came to at most 50m)",
      ],
      limit: "15s",
      overrides: [
        { step: "slow", limit: "1h15m", reason: "bug 7" },
        { step: "gone", limit: "5m" },
      ],
    });
  });

  test("are a step's own where it would overrun that of all, from eight samples on", () => {
    const builds = (count: number) => [
      ...Array.from({ length: 1000 }, () => build({ a: 1 })),
      ...Array.from({ length: count }, () => build({ rare: 100 })),
    ];
    assert.deepEqual(propose(STEPS, builds(8)).overrides, [{ step: "rare", limit: "2m30s" }]);
    assert.equal(propose(STEPS, builds(7)).overrides, undefined);
  });

  test("are not proposed where nothing is known", () => {
    assert.deepEqual(propose(STEPS, []), { told: [], limit: "30s", overrides: undefined });
  });
});
