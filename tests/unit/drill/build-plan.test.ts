import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { relaunchKey } from "../../../src/core/job/relaunch.ts";
import type { TestTask } from "../../../src/core/test-task/test-task.ts";
import { parseParameters } from "../../../src/core/zuul/parameters.ts";
import { planBuild } from "../../drill/build-plan.ts";
import { drillParameters } from "../../drill/drill-tasks.ts";

const PLANS = Array.from({ length: 500 }, (_, index) => planBuild(3, index));

function keyOf(index: number): string | undefined {
  const plan = planBuild(3, index);
  const ref = plan.item.kind === "change" ? `refs/zuul/master/${plan.item.ref}` : "refs/heads/master";
  const parsed = parseParameters(Buffer.from(JSON.stringify({ ...drillParameters(plan), ZUUL_REF: ref })));
  assert.ok(parsed.ok);
  return relaunchKey({ metadata: { name: "t", namespace: "n" }, spec: {} } as TestTask, plan.job, parsed.parameters, (text) => text);
}

describe("the plan of a drill's builds", () => {
  test("is the same for the same seed and index", () => {
    assert.deepEqual(planBuild(3, 17), planBuild(3, 17));
    assert.notDeepEqual({ ...planBuild(4, 17), id: "" }, { ...planBuild(3, 17), id: "" });
  });

  test("has change, ref and timer builds, most of them of changes, on both servers", () => {
    const changes = PLANS.filter(({ item }) => item.kind === "change").length;
    assert.ok(changes > 300 && changes < 450, `${changes} of 500`);
    assert.deepEqual(new Set(PLANS.map(({ item }) => item.kind)), new Set(["change", "ref", "timer"]));
    assert.deepEqual(new Set(PLANS.map(({ server }) => server)), new Set(["gearmand", "geard"]));
  });

  test("has tests of 1 to 40 seconds with a result that follows from their exit code", () => {
    for (const { runSeconds, exitCode, result, text } of PLANS) {
      assert.ok(runSeconds >= 1 && runSeconds <= 40);
      // 126 and above mean things of their own.
      assert.ok(exitCode >= 0 && exitCode <= 125);
      assert.equal(result, exitCode === 0 ? "SUCCESS" : text);
    }
    assert.equal(new Set(PLANS.map(({ text }) => text)).size, PLANS.length);
  });

  test("gives each change a ref of its own that Zuul's build sets may have", () => {
    const refs = PLANS.flatMap(({ item }) => (item.kind === "change" ? [item.ref ?? ""] : []));
    assert.equal(new Set(refs).size, refs.length);
    for (const ref of refs) assert.match(ref, /^Z[0-9a-f]{32}$/);
  });

  test("makes relaunches of change builds alone recognisable", () => {
    const change = PLANS.findIndex(({ item }) => item.kind === "change");
    const timer = PLANS.findIndex(({ item }) => item.kind === "timer");
    assert.notEqual(keyOf(change), undefined);
    assert.equal(keyOf(timer), undefined);
  });
});
