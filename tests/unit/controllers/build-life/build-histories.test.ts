import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { VerdictClass } from "../../../../src/core/verdict/rules/verdict-rule.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import { type HistoryPlan, historyPlans } from "../../../support/objects/history-plan.ts";
import { PodWorld, WORLD_START } from "../../../support/objects/pod-world.ts";
import { stageBuild } from "./staged-build.ts";

/** Time passes in steps of this length at most. */
const STEP_MS = 60_000;
const MAX_STEPS = 400;

/** Plays a history before a real build; resolves to the answers that its requester got, and the class of what was written on the Job. */
async function play(world: PodWorld): Promise<{ answers: readonly string[]; classes: VerdictClass[] }> {
  const staged = stageBuild(world.roles);
  let isStopped = false;
  for (let steps = 0; steps < MAX_STEPS && !staged.isOver; steps += 1) {
    if (world.isStopped && !isStopped) staged.build.requestStop();
    isStopped = world.isStopped;
    const { job, pods, killOf, events } = world.show();
    const kill = killOf();
    const untilMs = Math.min(world.nextMs ?? Number.POSITIVE_INFINITY, world.nowMs + STEP_MS);
    const shown = { name: "", job: job && makeJob(job), pods, events, ...(kill === undefined ? {} : { kill }) };
    await staged.show(shown, untilMs - world.nowMs);
    if (staged.deeds.includes("delete-job")) world.deleteJob();
    else if (staged.isToldToEnd) world.endPod();
    world.passTo(untilMs);
  }
  await staged.stop();
  const verdicts = staged.writes.flatMap((write) => write["turbo-hipster.io/verdict"] ?? []);
  return { answers: staged.answers, classes: verdicts.map((verdict) => JSON.parse(verdict).class) };
}

/** Without those that take hours, or in which the operator is not there: here one process sees all. */
const plans = historyPlans.map((plan): HistoryPlan => {
  const runMs = Math.min(plan.test.runMs ?? 0, 300_000);
  return { ...plan, test: { ...plan.test, runMs }, disturbances: plan.disturbances.filter(({ kind }) => kind !== "absence") };
});

describe("1,000 histories of a pod, played before a real build", () => {
  test("each get one answer, which says of the pod what happened to it, and is the one that is written down", async (t) => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const world = new PodWorld(plan);
        const { answers, classes } = await play(world);
        const told = () => `${answers} (${classes}); ended by ${world.who}, allowed: ${world.allowed}\n${JSON.stringify(plan)}`;
        assert.equal(answers.length, 1, told());
        assert.equal(new Set(classes).size, 1, told());
        const [verdictClass] = classes;
        assert.ok(verdictClass && world.allowed.includes(verdictClass), told());
        assert.equal(answers[0] === "SUCCESS", verdictClass === "success", told());
        assert.equal(answers[0] === "none", verdictClass === "infrastructure", told());
        world.passTo(Math.max(world.nowMs, WORLD_START) + STEP_MS);
        assert.ok(world.isLetGo, `its pod was left running: ${told()}`);
      }),
      fuzzParameters(t, 1000),
    );
  });
});
