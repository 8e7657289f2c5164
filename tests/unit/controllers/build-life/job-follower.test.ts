import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { makeMasker } from "../../../../src/core/logs/masking.ts";
import { makeEvent, makePod, running, terminated } from "../../../support/objects/build-objects.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { type StagedBuilds, stageBuilds } from "../builds/staged-builds.ts";

const MINUTE = 60_000;
const COMPLETE: Job["status"] = { conditions: [{ type: "Complete", status: "True" }], succeeded: 1 };

async function startStage(spec: object = { timeouts: { run: "1h", pull: "10m" } }): Promise<StagedBuilds> {
  const stage = stageBuilds();
  stage.world.tasks.set("build:unit", makeTask(spec));
  await stage.builds.start();
  return stage;
}

describe("the life of a Job, where the two watches do not run in step", () => {
  test("is not taken for lost when the Job's end is known before its pod's", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.lagPods(true);
    await stage.play(request.number, "passed");
    assert.deepEqual(request.answers, []);
    await stage.change(request.number, { status: COMPLETE });
    assert.deepEqual(request.answers, ["SUCCESS"]);
  });

  test("has its result though no pod of it was ever seen here", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    stage.lagPods(true);
    await stage.play(request.number, "failed");
    await stage.change(request.number, { status: { conditions: [{ type: "Failed", status: "True" }] } });
    assert.deepEqual(request.answers, ["FAILURE"]);
  });

  test("has the result of a pod that the cache has not shown when the Job is being deleted", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    stage.lagPods(true);
    await stage.play(request.number, "passed");
    await stage.edit(request.number, {}, { deletionTimestamp: "2026-11-01T00:00:00Z" });
    assert.deepEqual(request.answers, ["SUCCESS"]);
  });

  test("is one that a relaunch may have, as long as it is not known to have ended in vain", async () => {
    await using stage = await startStage();
    const first = await stage.request("a");
    await stage.settle();
    stage.lagPods(true);
    await stage.play(first.number, "passed");
    stage.lag(true);
    const second = await stage.request("a", { launch: 2 });
    stage.lag(false);
    await stage.change(first.number, { status: COMPLETE });
    assert.deepEqual([second.number, second.answers], [first.number, ["SUCCESS"]]);
  });
});

test("what a test says of its end is told masked, as far as it is known by then what is to be masked", async () => {
  await using stage = await startStage();
  const said = makePod({
    status: { phase: "Failed", containerStatuses: [terminated("test", 1, { message: "no login with correct-horse" })] },
  });
  const before = await stage.request("a");
  await stage.play(before.number, said);
  stage.world.masker = makeMasker([{ name: "s", value: Buffer.from("correct-horse") }]);
  const after = await stage.request("b");
  await stage.play(after.number, said);
  assert.deepEqual([before.answers, after.answers], [["no login with correct-horse"], ["no login with ***"]]);
});

describe("the life of a Job that is suspended", () => {
  test("goes on waiting before its test has begun, and is over after that: it would run a second time", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.change(request.number, { spec: { suspend: true } });
    await stage.pass(60 * MINUTE);
    assert.deepEqual([request.answers, stage.deeds], [[], []]);
    await stage.change(request.number, { spec: { suspend: false } });
    await stage.play(request.number, "running");
    stage.lagPods(true);
    await stage.change(request.number, { spec: { suspend: true } });
    assert.deepEqual([request.answers, stage.told], [["none"], ["ci/unit job-suspended"]]);
  });

  test("is over although its pod was gone when that was seen", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.lag(true);
    stage.removePod(request.number);
    await stage.change(request.number, { spec: { suspend: true } });
    stage.lag(false);
    stage.builds.wake("ci", request.number);
    await stage.settle();
    assert.deepEqual([request.answers, stage.told], [["none"], ["ci/unit job-suspended"]]);
  });
});

describe("a Job that the watch does not show", () => {
  test("is asked for after half a minute, however long the process has run, and its build is over where it is gone", async () => {
    await using stage = await startStage();
    await stage.pass(60 * MINUTE);
    stage.lag(true);
    const request = await stage.request("a");
    for (let second = 0; second < 29; second += 1) await stage.pass(1000);
    assert.deepEqual(stage.reads, []);
    for (let second = 29; second < 50; second += 1) await stage.pass(1000);
    assert.deepEqual([stage.reads, request.answers], [[request.number], []]);
    stage.jobs.delete(request.number);
    await stage.pass(MINUTE);
    assert.deepEqual([request.answers, stage.told], [["none"], ["ci/unit job-gone"]]);
  });

  test("is not asked for while the watches show it and its pod", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    for (const state of ["unscheduled", "running", "passed"] as const) {
      await stage.pass(MINUTE);
      await stage.play(request.number, state);
    }
    assert.deepEqual([request.answers, stage.reads], [["SUCCESS"], []]);
  });
});

describe("a build that the API server does not let go on", () => {
  test("is tried again with growing pauses, and ends once it may", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.world.isEndingAway = true;
    await stage.stop(request.number);
    for (let second = 0; second < 120; second += 1) await stage.pass(1000);
    const tries = stage.logged.filter(({ message }) => message === "retries what the API server did not do");
    assert.ok(tries.length > 5 && tries.length < 25, `${tries.length} tries in two minutes`);
    for (const { fields } of tries) assert.equal(Object(fields).err.message, "no answer");
    stage.world.isEndingAway = false;
    await stage.pass(15_000);
    assert.deepEqual(stage.deeds, [`end ${request.number}-pod`]);
  });
});

describe("a Job whose pod is refused", () => {
  test("ends its build as soon as the Events tell", async () => {
    await using stage = await startStage();
    stage.world.events = [makeEvent("FailedCreate", 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": no')];
    const request = await stage.request("a");
    await stage.pass(5_000);
    assert.match(request.answers.join(), /^CONFIG_ERROR - .*violates PodSecurity/);
    assert.deepEqual(stage.deeds, [`delete ${request.number}`]);
  });
});

describe("the limits of a build", () => {
  test("count anew where its pod was found before its test ran, whatever its node's clock says", async () => {
    const lastTransitionTime = "1970-01-01T00:29:00Z";
    const conditions = [{ type: "PodScheduled", status: "True" as const, lastTransitionTime }];
    const containerStatuses = [running("test", "1970-01-01T00:30:00Z")];
    const early = makePod({ status: { conditions, startTime: lastTransitionTime, containerStatuses } });
    await using before = await startStage();
    const { number } = await before.request("a");
    await using found = stageBuilds();
    await found.pass(120 * MINUTE);
    found.put(before.jobs.get(number) ?? assert.fail());
    await found.play(number, "unscheduled");
    await found.builds.start();
    await found.request("a");
    await using made = await startStage();
    await made.pass(120 * MINUTE);
    await made.request("a");
    for (const stage of [found, made]) {
      await stage.play(number, early);
      await stage.pass(60 * MINUTE - 1000);
      assert.deepEqual(stage.deeds, []);
      await stage.pass(1000);
      assert.deepEqual(stage.deeds, [`end ${number}-pod`]);
    }
  });

  test("are not waited for longer than a kubelet may take: where that says nothing, Zuul runs the build again", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await stage.pass(60 * MINUTE);
    await stage.pass(10 * MINUTE + 29_000);
    assert.deepEqual(request.answers, []);
    await stage.pass(31_000);
    assert.deepEqual([request.answers, stage.deeds], [["none"], [`end ${request.number}-pod`, `delete ${request.number}`]]);
  });

  test("of its run count from when this replica saw it run", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.play(request.number, "unscheduled");
    await stage.pass(120 * MINUTE);
    await stage.play(request.number, "running");
    await stage.pass(60 * MINUTE - 1000);
    assert.deepEqual(stage.deeds, []);
    await stage.pass(1000);
    assert.deepEqual(stage.deeds, [`end ${request.number}-pod`]);
  });

  test("of a run that is found count from its beginning, which is never later than now", async () => {
    const at = (ms: number) => new Date(ms).toISOString();
    for (const [startedAt, leftMs] of [
      // Stamps are whole seconds.
      [at(20 * MINUTE), 20 * MINUTE + 1000],
      [at(10_000 * MINUTE), 60 * MINUTE],
    ] as const) {
      await using before = await startStage();
      const { number } = await before.request("a");
      await using stage = stageBuilds();
      await stage.pass(60 * MINUTE);
      stage.put(before.jobs.get(number) ?? assert.fail());
      const conditions = [{ type: "PodScheduled", status: "True" as const, lastTransitionTime: at(19 * MINUTE) }];
      const status = { conditions, startTime: at(19 * MINUTE), containerStatuses: [running("test", startedAt)] };
      await stage.play(number, makePod({ status }));
      await stage.builds.start();
      const request = await stage.request("a");
      assert.equal(request.number, number);
      await stage.pass(leftMs - 1000);
      assert.deepEqual(stage.deeds, [], startedAt);
      await stage.pass(1000);
      assert.deepEqual(stage.deeds, [`end ${number}-pod`], startedAt);
    }
  });

  test("end its pod once, and are waited for: the kubelet's end is the build's", async () => {
    await using stage = await startStage();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await stage.pass(65 * MINUTE);
    assert.deepEqual([stage.deeds.length, request.answers], [1, []]);
    const times = { startedAt: "1970-01-01T00:00:00Z", finishedAt: "1970-01-01T01:00:20Z" };
    const status = { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [terminated("test", 143, times)] };
    await stage.play(request.number, makePod({ status }));
    assert.match(request.answers.join(), /^TIMED_OUT/);
  });
});
