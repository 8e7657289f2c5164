import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CANCELLED_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import { answerOf, numberFor, numberOf, recordOf, type Stage, type StagedReplica, startStage } from "../stage.ts";
import { CHANGE, gearmand, handOver, startTwo } from "./replica-stage.ts";

const never = new Promise<void>(() => {});

/** Zuul's `stop:`, which this replica alone can be handed. */
async function stopAt(stage: Stage, replica: StagedReplica, number: string): Promise<void> {
  for (const other of stage.replicas) if (other !== replica) other.manager.close();
  await stage.stop(number);
  for (const other of stage.replicas) other.manager.open();
}

/** How often a replica has written that the build was cancelled. */
function cancels(replica: StagedReplica): number {
  const bodies = replica.calls({ verb: "patch", resource: "jobs" }).map(({ body }) => JSON.stringify(body));
  return bodies.filter((body) => body.includes("/cancelled") || body.includes("~1cancelled")).length;
}

function cancelledAt(stage: Stage, number: string): string | undefined {
  return stage.jobs().find(({ metadata }) => metadata.name === number)?.metadata.annotations?.[CANCELLED_ANNOTATION];
}

describe("stop: at a replica that stands by", () => {
  test("for a build of the holder ends it, once", async () => {
    const { build, number, holder, standby, ...rest } = await startTwo(gearmand);
    await using stage = rest.stage;
    await stopAt(stage, standby, number);
    assert.equal((await answerOf(build)).result, "ABORTED");
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "stopped", result: "ABORTED", isDelivered: true });
    assert.deepEqual([cancels(standby), cancels(holder)], [1, 0]);
    assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds, 1);
  });

  for (const who of ["the holder", "a third replica"] as const) {
    test(`for a build of one that drains, by way of ${who}, ends it, once`, async () => {
      const { build, number, holder, standby, ...rest } = await startTwo(gearmand);
      await using stage = rest.stage;
      const { drained } = await handOver(holder, standby);
      const third = await stage.startReplica();
      await stopAt(stage, who === "the holder" ? standby : third, number);
      assert.equal((await answerOf(build)).result, "ABORTED");
      await drained;
      assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "stopped", result: "ABORTED", isDelivered: true });
      assert.equal(cancels(standby) + cancels(third), 1);
      const ended = [holder, standby, third].map((replica) => replica.calls({ verb: "patch", resource: "pods" }).length);
      assert.deepEqual(ended, [1, 0, 0], "the one that answers it ends its pod");
    });
  }

  test("for a build that is not known yet ends it when its Job appears, once", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: () => ({ finished: never }) });
    const standby = await stage.startReplica();
    const unique = "ab".repeat(16);
    const number = numberFor(stage, unique, CHANGE);
    await stopAt(stage, standby, number);
    await standby.logged("remembers a stop for a build that is not known yet");
    const build = await stage.submit("unit", { unique, parameters: CHANGE });
    assert.equal((await answerOf(build)).result, "ABORTED");
    assert.equal(cancels(standby), 1);
    assert.equal(stage.jobs().length <= 1, true);
  });

  test("for a build of the holder whose Job appears half an hour later ends it then", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: () => ({ finished: never }) });
    const standby = await stage.startReplica();
    const fault = stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.logged("retries to create the Job");
    await stopAt(stage, standby, number);
    await standby.logged("remembers a stop for a build that is not known yet");
    await stage.skip(30 * 60_000);
    assert.deepEqual(stage.jobs(), []);
    // It may be gone again before the time is skipped.
    const appears = stage.until(() => stage.jobs().length === 1, "the Job");
    fault.stop();
    await Promise.all([appears, stage.skip(20_000)]);
    // Watches may have ended in silence meanwhile, and pause.
    await stage.skip(40_000);
    assert.equal((await answerOf(build)).result, "ABORTED");
    assert.equal(cancels(standby), 1);
  });

  test("is passed on although the API server does not take it at first", async () => {
    const { build, number, standby, ...rest } = await startTwo(gearmand);
    await using stage = rest.stage;
    const fault = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    await stopAt(stage, standby, number);
    // As often as it takes.
    await stage.skipTries("retries to pass a stop on", 12);
    assert.equal(cancelledAt(stage, number), undefined);
    fault.stop();
    await stage.skip(16_000);
    assert.equal((await answerOf(build)).result, "ABORTED");
  });
});
