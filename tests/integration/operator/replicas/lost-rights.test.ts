import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { within } from "../../gearman/worker/link-harness.ts";
import { answerOf, numberOf, type Stage, type StagedReplica, startStage } from "../stage.ts";
import { gearmand, never } from "./replica-stage.ts";

/** A replica that was told to end and has one build, whose test runs until `finish`. */
async function startDraining() {
  const finished = Promise.withResolvers<void>();
  const stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
  const replica = stage.replicas[0] as StagedReplica;
  const build = await stage.submit("unit");
  await stage.running(await numberOf(build));
  await stage.reached("running");
  const drained = replica.operator.drain(never);
  await replica.logged("ends the builds under way");
  return { stage, replica, build, drained, finish: () => finished.resolve() };
}

/** As `helm uninstall` does it: its account is gone, and its watches, which go on for a while, come to an end. */
async function takeRights(stage: Stage): Promise<void> {
  stage.kube.acceptTokens([]);
  stage.kube.cutConnections();
  for (const watch of ["jobs", "pods"]) await stage.log.until((lines) => lines.some((line) => isRefused(line, watch)));
}

function isRefused({ message, fields }: { message: string; fields: Record<string, unknown> }, watch: string): boolean {
  return message === "follows the cluster again after a failure" && fields.watch === watch && /401/.test(String(fields.error));
}

describe("a replica that ends its builds and loses its rights", () => {
  test("gives its builds back after two minutes, and whoever comes next goes on with their pods", async () => {
    const { build, drained, finish, replica, ...rest } = await startDraining();
    await using stage = rest.stage;
    await takeRights(stage);
    finish();
    await stage.until(() => stage.pods()[0]?.status?.phase === "Succeeded", "the end of the pod");
    await stage.skip(130_000);
    assert.equal(await within(drained, () => "it waits for what it can't see"), 1);
    await replica.logged("sees its builds no more: the API server refuses it");
    await stage.stopOperator(replica.operator);
    stage.kube.acceptTokens(["operator-1"]);
    await stage.startReplica();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(stage.pods().length, 1);
  });

  test("for a minute keeps them, and answers", async () => {
    const { build, drained, finish, ...rest } = await startDraining();
    await using stage = rest.stage;
    await takeRights(stage);
    await stage.skip(60_000);
    stage.kube.acceptTokens(["operator-0"]);
    finish();
    // The longest pause between two tries.
    await stage.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(await within(drained, () => "it does not end"), 0);
  });
});
