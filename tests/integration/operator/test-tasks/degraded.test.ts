import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PODS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import type { StoredObject } from "../../../support/fake-kube/resource-rules.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberOf, type Stage, startStage } from "../stage.ts";

const never = new Promise<void>(() => {});

function degraded(stage: Stage): { status: string; message: string } {
  const task = stage.kube.find(TEST_TASKS, NAMESPACE, "unit") as StoredObject | undefined;
  const conditions: { type: string; status: string; message: string }[] = task?.status?.conditions ?? [];
  return conditions.find(({ type }) => type === "Degraded") ?? { status: "none", message: "" };
}

/** A node refuses the pod of a build; Zuul is asked to run it again. */
async function lose(stage: Stage): Promise<void> {
  const build = await stage.submit("unit");
  const number = await numberOf(build);
  const pod = await stage.running(number);
  stage.kube.patchStatus(PODS, NAMESPACE, pod.metadata.name, {
    phase: "Failed",
    reason: "Evicted",
    message: "The node was low on resource: memory.",
    conditions: [{ type: "DisruptionTarget", status: "True", reason: "TerminationByKubelet" }],
  });
  assert.equal((await answerOf(build)).result, null);
}

for (const spec of [{}, { maxConcurrent: 4 }]) {
  describe(`a task ${"maxConcurrent" in spec ? "with" : "without"} a limit of its own`, () => {
    test("whose builds are lost one after another is taken slowly, told so, and as always again once one has run", async () => {
      await using stage = await startStage({ start: startGearmand, tasks: { unit: spec, other: {} }, script: () => ({ finished: never }) });
      for (let count = 0; count < 3; count += 1) await lose(stage);
      await stage.logged("takes a TestTask slowly");
      const told = () => degraded(stage).status === "True";
      stage.clock.skip(5000);
      await stage.until(told, "the condition Degraded");
      assert.match(
        degraded(stage).message,
        /^takes one build at a time, the next not before 20.*Z: 3 builds in a row could not be carried out, the last because/,
      );

      const waiting = [await stage.submit("unit"), await stage.submit("unit")];
      const other = await stage.submit("other");
      await stage.running(await numberOf(other));
      assert.equal(
        waiting.some((build) => build.events.items.some(({ kind }) => kind === "data")),
        false,
        "nothing is taken for half a minute",
      );

      stage.clock.skip(30_000);
      const first = await Promise.race(waiting.map(async (build) => ({ build, number: await numberOf(build) })));
      const pod = await stage.running(first.number);
      const second = waiting.find((build) => build !== first.build);
      assert.equal(
        second?.events.items.some(({ kind }) => kind === "data"),
        false,
        "one at a time",
      );

      const exited = { name: "test", state: { terminated: { exitCode: 1, reason: "Error" } } };
      stage.kube.patchStatus(PODS, NAMESPACE, pod.metadata.name, { phase: "Failed", containerStatuses: [exited] });
      assert.equal((await answerOf(first.build)).result, "FAILURE");
      await stage.logged("takes a TestTask as always again");
      if (second) await stage.running(await numberOf(second));
      const third = await stage.submit("unit");
      await stage.running(await numberOf(third));
      stage.clock.skip(5000);
      await stage.until(() => degraded(stage).status === "False", "the end of the condition Degraded");
    });
  });
}
