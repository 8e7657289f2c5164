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

  test("of counters and values are made of the largest amount of each build, whole for counters and with four digits for values", () => {
    const found = (name: string, kind: "counters" | "values", amounts: CheckResult["amounts"]): CheckResult => ({
      ...{ name, kind, outcome: "passed", message: "", findings: [], more: 0 },
      ...(amounts ? { amounts } : {}),
    });
    const rows = (step: string, most: number) => found("rows", "counters", [{ step, most }]);
    const many = Array.from({ length: 1000 }, () => [rows("a", 101), found("p99", "values", [{ most: 1.23456 }])]);
    const builds = [...many, ...Array.from({ length: 8 }, () => [rows("b", 1000)]), [rows("slow", 7)]];
    const checks =
      makeTask({
        checks: [
          {
            name: "rows",
            counters: { regex: "(?<step>a)(?<value>1)", measure: "step", limit: 200, overrides: [{ step: "slow", limit: 9 }] },
          },
          { name: "p99", values: { artifact: "a", path: "b", min: 1, max: 9 } },
          { name: "least", values: { artifact: "a", path: "b", min: 1 } },
          { name: "usual", counters: { regex: "(1)", baseline: {} } },
        ],
      }).spec.checks ?? [];
    const { limits, checks: proposed } = proposeLimits(checks, builds, 50);
    assert.deepEqual(
      limits.map((limit) => renderLimit(limit).join(" | ")),
      [
        "- limit: 200 | + limit: 152 (99% of 1008 samples came to at most 101)",
        "- limit of slow: 9 | + limit of slow: 11 (99% of 1 samples came to at most 7)",
        "+ limit of b: 1500 (99% of 8 samples came to at most 1000)",
        "- limit: 9 | + limit: 1.852 (99% of 1000 samples came to at most 1.235)",
      ],
    );
    assert.deepEqual([proposed[0]?.counters?.limit, proposed[0]?.counters?.overrides?.map(({ limit }) => limit)], [152, [11, 1500]]);
    assert.deepEqual([proposed[1]?.values?.min, proposed[1]?.values?.max], [1, 1.852]);
    assert.deepEqual(proposed.slice(2), checks.slice(2));
  });

  test("are not proposed where nothing is known", () => {
    assert.deepEqual(propose(STEPS, []), { told: [], limit: "30s", overrides: undefined });
  });
});
