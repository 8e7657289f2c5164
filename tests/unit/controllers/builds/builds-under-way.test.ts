import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TurboHipsterError } from "../../../../src/runtime/errors.ts";
import { makeJob, makePod, terminated } from "../../../support/objects/build-objects.ts";
import { type StagedBuilds, stageBuilds, startBuilds } from "./staged-builds.ts";

const MINUTE = 60_000;
const CONTAINERS = "turbo-hipster.io/containers";
const OTHER_ROLES = JSON.stringify({ test: "main", others: ["test"], services: [], inits: [], checkout: false });
const CANCELLED = "turbo-hipster.io/cancelled";

/** The Job of a build that another replica has begun, with a pod that runs; before this one's builds have started. */
async function stageFound(replica: string | null): Promise<{ stage: StagedBuilds; number: string }> {
  await using before = await startBuilds();
  const { number } = await before.request("a");
  const stage = stageBuilds();
  stage.put(before.jobs.get(number) ?? assert.fail());
  await stage.play(number, "running");
  const { request } = stage.record(number);
  await stage.edit(number, { "turbo-hipster.io/request": JSON.stringify({ ...request, replica }) });
  return { stage, number };
}

describe("a build that is stopped by Zuul", () => {
  test("has its pod ended, is aborted when that has ended, and holds its place until then", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await stage.stop(request.number);
    assert.deepEqual([stage.deeds, request.answers, request.hasSlot], [[`end ${request.number}-pod`], [], true]);
    assert.deepEqual([stage.record(request.number).isCancelled, stage.builds.undelivered], [true, 0]);
    await stage.play(request.number, "ended");
    assert.deepEqual([request.answers, request.hasSlot], [["ABORTED"], false]);
    assert.deepEqual([stage.record(request.number).isDelivered, stage.deeds.length], [true, 1]);
    assert.deepEqual([stage.answers, stage.reads], [[true], []], "the cache has told all");
  });

  test("stays so when its request is handed out again before its pod could be ended", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.world.isEndingAway = true;
    await stage.stop(request.number);
    await request.lose();
    const again = await stage.request("a");
    stage.world.isEndingAway = false;
    await stage.pass(MINUTE);
    assert.deepEqual([again.number, stage.deeds], [request.number, [`end ${request.number}-pod`]]);
    await stage.play(request.number, "ended");
    assert.deepEqual(again.answers, ["ABORTED"]);
  });

  test("whose Job may have been made, though nobody answered that, leaves none", async () => {
    await using stage = await startBuilds();
    const away = new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });
    stage.lag(true);
    stage.world.creation = async (job) => {
      stage.put({ ...job, metadata: { ...job.metadata, uid: "uid-made" } });
      stage.world.creation = undefined;
      throw away;
    };
    const request = await stage.request("a");
    assert.equal(stage.jobs.size, 1);
    await stage.stop(request.number);
    assert.deepEqual([request.answers, stage.deeds, stage.jobs.size], [["ABORTED"], [`delete ${request.number}`], 0]);
  });

  test("whose Job was made, though the API server answers no try at it, leaves none", async () => {
    await using stage = await startBuilds();
    stage.lag(true);
    stage.world.creation = async (job) => {
      if (stage.jobs.size === 0) stage.put({ ...job, metadata: { ...job.metadata, uid: "uid-made" } });
      throw new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });
    };
    const request = await stage.request("a");
    assert.equal(stage.jobs.size, 1);
    await stage.stop(request.number);
    assert.deepEqual([request.answers, stage.deeds, stage.jobs.size], [["ABORTED"], [`delete ${request.number}`], 0]);
    assert.deepEqual(stage.logged.find(({ message }) => message === "recorded the build")?.fields, {
      ...{ build: request.number, namespace: "ci", task: "ci/unit", job: request.number },
      ...{ delivered: true, pod: undefined },
    });
  });

  test("before a kubelet has its pod leaves no Job", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "unscheduled");
    await stage.stop(request.number);
    assert.deepEqual([stage.deeds, request.answers, stage.jobs.size], [[`delete ${request.number}`], ["ABORTED"], 0]);
  });

  test("before its request comes has no Job at all", async () => {
    await using other = await startBuilds();
    const { number } = await other.request("a");
    await using stage = await startBuilds();
    await stage.stop(number);
    const request = await stage.request("a");
    assert.deepEqual([request.number, request.answers, request.hasSlot, stage.deeds], [number, ["ABORTED"], false, []]);
    assert.deepEqual((await stage.request("a")).answers, [], "it was meant once");
  });

  test("after its test has ended has the test's result", async () => {
    await using stage = await startBuilds();
    const reading = Promise.withResolvers<void>();
    stage.world.reading = reading.promise;
    const request = await stage.request("a");
    await stage.play(request.number, "passed");
    assert.deepEqual([request.hasSlot, stage.builds.undelivered, stage.builds.claimed], [false, 1, 1], "its place is free already");
    await stage.stop(request.number);
    reading.resolve();
    await stage.settle();
    assert.deepEqual([request.answers, stage.record(request.number).isCancelled], [["SUCCESS"], false]);
    assert.deepEqual([stage.builds.undelivered, stage.builds.claimed], [0, 0]);
  });

  test("at another replica is told of it by its Job", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await stage.edit(request.number, { [CANCELLED]: "2026-11-01T00:00:00Z" });
    assert.deepEqual(stage.deeds, [`end ${request.number}-pod`]);
    await stage.play(request.number, "ended");
    assert.deepEqual(request.answers, ["ABORTED"]);
  });

  test("is ended by who finds it, though nobody asks for it", async () => {
    const { stage, number } = await stageFound("gone");
    await using _ = stage;
    await stage.edit(number, { [CANCELLED]: "2026-11-01T00:00:00Z" });
    await stage.builds.start();
    await stage.settle();
    assert.deepEqual([stage.deeds, stage.occupied.count], [[`end ${number}-pod`], 1]);
    await stage.play(number, "ended");
    await stage.pass(2 * MINUTE);
    assert.deepEqual([stage.record(number).verdict?.rule, stage.occupied.count], ["stopped", 0]);
  });

  test("early, at a replica that takes no builds, is passed on once its Job appears", async () => {
    const { stage, number } = await stageFound("other");
    await using _ = stage;
    stage.world.isHolder = false;
    const job = stage.jobs.get(number) ?? assert.fail();
    stage.remove(number);
    await stage.builds.start();
    await stage.stop(number);
    stage.put(job);
    await stage.settle();
    assert.deepEqual([stage.record(number).isCancelled, stage.occupied.count], [true, 0]);
  });
});

describe("a build that nobody asks for any more", () => {
  test("is waited for longer where its server is away, also where that would hand nothing out again", async () => {
    await using stage = await startBuilds();
    stage.world.chance = "away";
    stage.world.handsOutAgain = false;
    const request = await stage.request("a", { payload: "{}" });
    await stage.play(request.number, "running");
    await request.lose();
    await stage.pass(14 * MINUTE);
    assert.deepEqual(stage.deeds, []);
    await stage.pass(MINUTE);
    assert.deepEqual(stage.deeds, [`end ${request.number}-pod`]);
  });

  test("is ended after two minutes, not before, and written down without a delivery", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await stage.pass(10 * MINUTE);
    await request.lose();
    await stage.pass(2 * MINUTE - 1000);
    assert.deepEqual(stage.deeds, []);
    await stage.pass(1000);
    assert.deepEqual([stage.deeds, request.hasSlot], [[`end ${request.number}-pod`], true]);
    await stage.play(request.number, "ended");
    await stage.pass(MINUTE);
    const { verdict, isDelivered } = stage.record(request.number);
    assert.deepEqual([verdict?.rule, isDelivered, request.hasSlot, stage.answers], ["unclaimed", false, false, [false]]);
    assert.equal(stage.jobs.get(request.number)?.spec?.ttlSecondsAfterFinished, 60);
  });

  test("runs on while its server has no chance to ask, and where none is known for its relaunch, has two minutes all the same", async () => {
    for (const [payload, handsOutAgain, isEnded] of [
      [undefined, false, false],
      ['{"ZUUL_REF":"refs/heads/master"}', true, false],
      ['{"ZUUL_REF":"refs/heads/master"}', false, true],
    ] as const) {
      await using stage = await startBuilds();
      Object.assign(stage.world, { handsOutAgain, chance: "none" });
      const request = await stage.request("a", payload === undefined ? {} : { payload });
      await stage.play(request.number, "running");
      await request.lose();
      await stage.pass(10 * MINUTE);
      assert.equal(stage.deeds.length > 0, isEnded, `${payload} ${handsOutAgain}`);
    }
  });

  test("has its time stopped in the moment its server goes, and going on when that is back", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await request.lose();
    await stage.pass(2 * MINUTE - 2_000);
    stage.world.chance = "away";
    stage.builds.noteServers();
    await stage.pass(10 * MINUTE);
    assert.deepEqual(stage.deeds, []);
    stage.world.chance = "open";
    stage.builds.noteServers();
    await stage.pass(1_000);
    assert.deepEqual(stage.deeds, []);
    await stage.pass(1_000);
    assert.deepEqual(stage.deeds, [`end ${request.number}-pod`]);
  });

  test("is ended at once when its client has gone", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await request.leave();
    assert.deepEqual([stage.deeds, request.answers], [[`end ${request.number}-pod`], ["none"]]);
  });

  test("and whose pod is ending is saved by no request that comes again: that is told to ask anew", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await request.lose();
    await stage.pass(2 * MINUTE);
    assert.deepEqual(stage.deeds, [`end ${request.number}-pod`]);
    const again = await stage.request("a");
    await stage.play(request.number, "ended");
    assert.deepEqual([again.number, again.answers, stage.told], [request.number, ["none"], ["ci/unit unclaimed"]]);
  });

  test("is asked for though there is no place, as long as a request for it may come", async () => {
    await using stage = await startBuilds();
    const isAwaited = (server = "s:1", served = "build:unit") => stage.builds.isAwaited(server, (name) => name === served);
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    assert.equal(isAwaited(), false, "it is answered here");
    await request.lose();
    stage.world.handsOutAgain = false;
    assert.deepEqual([isAwaited(), isAwaited("s:2"), isAwaited("s:1", "build:other")], [true, false, false]);
    const ofRef = await stage.request("b", { payload: '{"ZUUL_REF":"refs/heads/master"}', server: "s:3" });
    await ofRef.lose();
    assert.equal(isAwaited("s:3"), false, "nobody knows it again");
    stage.world.handsOutAgain = true;
    assert.equal(isAwaited("s:3"), true);
    await stage.stop(request.number);
    assert.equal(isAwaited(), false, "it is to end");
  });

  test("keeps its result for whoever asks within two minutes", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    await first.lose();
    await stage.play(first.number, "passed");
    await stage.pass(MINUTE);
    const second = await stage.request("a");
    await stage.settle();
    assert.deepEqual([second.answers, second.number, stage.jobs.size], [["SUCCESS"], first.number, 1]);
    assert.equal(stage.record(first.number).isDelivered, true);
  });
});

describe("a build whose Job is there when its holder begins", () => {
  for (const replica of ["gone", "me", null]) {
    test(`is carried out where it was of ${replica ?? "nobody"}, counts, and waits two minutes for its request`, async () => {
      const { stage, number } = await stageFound(replica);
      await using _ = stage;
      await stage.builds.start();
      await stage.settle();
      assert.deepEqual([stage.occupied.count, stage.tallies.activeOf("ci/unit")], [1, 1]);
      await stage.pass(2 * MINUTE - 1000);
      assert.deepEqual(stage.deeds, []);
      await stage.pass(1000);
      assert.deepEqual(stage.deeds, [`end ${number}-pod`]);
      await stage.play(number, "ended");
      await stage.pass(MINUTE);
      assert.deepEqual([stage.occupied.count, stage.tallies.activeOf("ci/unit")], [0, 0]);
    });
  }

  test("is watched while another replica answers for it, and has its two minutes from that one's end", async () => {
    const { stage, number } = await stageFound("other");
    await using _ = stage;
    await stage.builds.start();
    await stage.pass(60 * MINUTE);
    assert.deepEqual([stage.deeds, stage.occupied.count, stage.record(number).request.replica], [[], 1, "other"]);
    stage.world.alive.clear();
    stage.builds.noteReplicas();
    await stage.pass(2 * MINUTE - 1000);
    assert.deepEqual(stage.deeds, []);
    await stage.pass(1000);
    assert.deepEqual(stage.deeds, [`end ${number}-pod`]);
  });

  test("is over with the end that another replica writes, and counts as that", async () => {
    const { stage, number } = await stageFound("other");
    await using _ = stage;
    await stage.builds.start();
    await stage.play(number, "failed");
    await stage.edit(number, {
      "turbo-hipster.io/verdict": '{"result":"FAILURE","class":"failure","rule":"exit-code","message":"exit code 1"}',
      "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z",
    });
    assert.deepEqual([stage.occupied.count, stage.tallies.activeOf("ci/unit"), stage.tallies.pending], [0, 0, 0]);
    assert.equal(stage.tallies.lastOf("ci/unit")?.result, "FAILURE");
    assert.deepEqual([stage.told, stage.answers], [[], []], "it was told by who carried it out");
  });

  test("has the verdict that was written down before its pod told something else, or nothing more", async () => {
    for (const state of ["ended", "passed"] as const) {
      const { stage, number } = await stageFound("gone");
      await using _ = stage;
      await stage.play(number, state);
      await stage.edit(number, {
        "turbo-hipster.io/verdict": '{"result":"FAILURE","class":"failure","rule":"exit-code","message":"exit code 1"}',
      });
      await stage.builds.start();
      const request = await stage.request("a");
      assert.deepEqual([request.number, request.answers], [number, ["FAILURE"]]);
    }
  });

  test("and was judged is another replica's to answer once that has its request", async () => {
    for (const isHolder of [true, false]) {
      await using stage = await startBuilds();
      const request = await stage.request("a");
      await stage.play(request.number, "running");
      await request.lose();
      await stage.play(request.number, "passed");
      stage.world.isHolder = isHolder;
      const record = stage.record(request.number).request;
      const theirs = JSON.stringify({ ...record, replica: "other", since: "2026-11-02T00:00:00Z" });
      await stage.edit(request.number, { "turbo-hipster.io/request": theirs });
      await stage.pass(10 * MINUTE);
      assert.deepEqual([stage.record(request.number).verdict, stage.tallies.activeOf("ci/unit")], [undefined, isHolder ? 1 : 0]);
      await stage.edit(request.number, { "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z" });
      assert.deepEqual([stage.tallies.activeOf("ci/unit"), stage.answers], [0, []]);
    }
  });

  test("is not known to a replica that is no holder, until it is one", async () => {
    const { stage, number } = await stageFound("gone");
    await using _ = stage;
    stage.world.isHolder = false;
    await stage.builds.start();
    stage.builds.wake("ci", number);
    await stage.pass(10 * MINUTE);
    assert.deepEqual([stage.occupied.count, stage.deeds], [0, []]);
    const report = stage.builds.reports.of(number);
    assert.deepEqual([report?.step, report?.pod, report?.withdrawn], ["running", `${number}-pod`, undefined]);
    stage.world.isHolder = true;
    stage.builds.noteReplicas();
    await stage.settle();
    assert.equal(stage.occupied.count, 1);
  });

  test("is not taken before the start, nor after the stop", async () => {
    const { stage, number } = await stageFound("gone");
    stage.builds.wake("ci", number);
    await stage.settle();
    assert.equal(stage.occupied.count, 0);
    await stage.builds.stop();
    await stage.builds.start();
    stage.builds.wake("ci", number);
    await stage.settle();
    assert.equal(stage.occupied.count, 0);
  });
});

describe("a replica that is holder no more", () => {
  test("goes on with what it has left as soon as it is the holder again", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await request.lose();
    stage.world.isHolder = false;
    stage.builds.noteReplicas();
    await stage.settle();
    assert.equal(stage.record(request.number).request.replica, null);
    stage.world.isHolder = true;
    stage.builds.noteReplicas();
    await stage.settle();
    assert.deepEqual([stage.occupied.count, stage.tallies.activeOf("ci/unit")], [1, 1]);
    const again = await stage.request("a");
    await stage.play(request.number, "passed");
    assert.deepEqual([again.answers, stage.jobs.size, stage.occupied.count], [["SUCCESS"], 1, 0]);
  });

  test("carries out what somebody asks it for, and gives up the rest so that the next holder may have it", async () => {
    await using stage = await startBuilds();
    const asked = await stage.request("a");
    const left = await stage.request("b");
    for (const { number } of [asked, left]) await stage.play(number, "running");
    await left.lose();
    stage.world.isHolder = false;
    stage.builds.noteReplicas();
    await stage.pass(10 * MINUTE);
    assert.deepEqual([stage.record(left.number).request.replica, left.hasSlot], [null, false]);
    assert.deepEqual([stage.record(asked.number).request.replica, stage.deeds], ["me", []]);
    await stage.play(left.number, "passed");
    await stage.play(asked.number, "passed");
    assert.deepEqual([asked.answers, stage.record(asked.number).isDelivered], [["SUCCESS"], true]);
    assert.equal(stage.record(left.number).verdict, undefined, "it is the next holder's to judge");
    assert.equal(stage.tallies.activeOf("ci/unit"), 0);
  });

  test("deletes no Job that another replica answers for by now, though its pod has not started", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "unscheduled");
    stage.lag(true);
    const record = stage.record(request.number).request;
    const theirs = JSON.stringify({ ...record, replica: "other", since: "2026-11-02T00:00:00Z" });
    await stage.edit(request.number, { "turbo-hipster.io/request": theirs });
    await stage.stop(request.number);
    assert.deepEqual([stage.deeds, request.answers, [...stage.jobs.keys()]], [[], ["none"], [request.number]]);
    assert.equal(stage.record(request.number).verdict, undefined);
  });

  test("gives a request back whose build another replica answers for by now, and writes nothing more of it", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.world.isHolder = false;
    stage.builds.noteReplicas();
    const record = stage.record(request.number).request;
    const theirs = JSON.stringify({ ...record, replica: "other", since: "2026-11-02T00:00:00Z" });
    await stage.edit(request.number, { "turbo-hipster.io/request": theirs });
    assert.deepEqual([request.answers, request.hasSlot], [["none"], false]);
    await stage.play(request.number, "passed");
    await stage.pass(10 * MINUTE);
    assert.deepEqual([stage.record(request.number).verdict, stage.record(request.number).request.replica], [undefined, "other"]);
  });
});

describe("a build whose Job is still to be made", () => {
  test("is taken up where it is there already, of a replica that is gone, and is this one's from then on", async () => {
    const { stage, number } = await stageFound("gone");
    await using _ = stage;
    const job = stage.jobs.get(number) ?? assert.fail();
    stage.jobs.delete(number);
    await stage.builds.start();
    stage.lag(true);
    stage.put({ ...job, metadata: { ...job.metadata, annotations: { ...job.metadata.annotations, [CONTAINERS]: OTHER_ROLES } } });
    const request = await stage.request("a");
    stage.lag(false);
    await stage.pass(1_000);
    assert.deepEqual([request.number, stage.jobs.size, stage.record(number).request.replica], [number, 1, "me"]);
    // As it was made: its test is another container.
    const containers = [{ name: "main" }, { name: "test" }];
    const statuses = [terminated("main", 1), terminated("test", 0)];
    await stage.play(number, makePod({ spec: { containers }, status: { phase: "Failed", containerStatuses: statuses } }));
    assert.deepEqual(request.answers, ["FAILURE"]);
  });

  test("waits for room in a full quota: kept ones give way, the task's keeper hears of it, and its request is no other's meanwhile", async () => {
    await using stage = await startBuilds();
    stage.world.creation = async () => ({ kind: "full", message: "exceeded quota: count/jobs.batch=2" });
    const request = await stage.request("a");
    assert.deepEqual(
      new Set(stage.told),
      new Set(["ci/unit waits: exceeded quota: count/jobs.batch=2", `ci gives way to ${request.number}`]),
    );
    await request.lose();
    assert.equal(
      stage.builds.isAwaited("s:1", () => true),
      false,
      "without a Job it is no matter of places",
    );
  });

  test("is left to the next holder where nobody asks for it and this replica is none any more", async () => {
    await using stage = await startBuilds();
    const away = new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });
    stage.world.creation = () => Promise.reject(away);
    const request = await stage.request("a");
    await request.lose();
    stage.world.isHolder = false;
    stage.builds.noteReplicas();
    stage.world.creation = undefined;
    await stage.pass(MINUTE);
    assert.deepEqual([stage.jobs.size, stage.tallies.activeOf("ci/unit"), request.hasSlot], [0, 0, false]);
  });

  test("is given up in vain when nobody asks for it for two minutes, and none is made", async () => {
    await using stage = await startBuilds();
    const away = new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });
    stage.world.creation = () => Promise.reject(away);
    const request = await stage.request("a");
    await request.lose();
    await stage.pass(3 * MINUTE);
    stage.world.creation = undefined;
    await stage.pass(MINUTE);
    assert.deepEqual([stage.jobs.size, stage.told, stage.answers], [0, ["ci/unit unclaimed"], [false]]);
  });
});

describe("a build that is to have no Job", () => {
  test("keeps its answer two minutes for who may ask again, but only while this replica is the holder", async () => {
    for (const isHolder of [true, false]) {
      await using stage = await startBuilds();
      stage.world.creation = async () => ({ kind: "refused", message: "no such thing" });
      const reading = Promise.withResolvers<void>();
      stage.world.reading = reading.promise;
      const request = await stage.request("a");
      await request.lose();
      reading.resolve();
      await stage.settle();
      stage.world.isHolder = isHolder;
      stage.builds.noteReplicas();
      await stage.settle();
      assert.deepEqual([stage.builds.undelivered, stage.answers], isHolder ? [1, []] : [0, [false]]);
      await stage.pass(2 * MINUTE);
      assert.deepEqual([stage.builds.undelivered, stage.answers], [0, [false]]);
    }
  });
});

describe("a build that meets a defect of ours", () => {
  test("is given back to Zuul, and frees its place", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.world.defect = new Error("the defect of tomorrow");
    await stage.play(request.number, "passed");
    assert.deepEqual([request.answers, request.hasSlot, stage.told], [["none"], false, ["ci/unit operator-error"]]);
    assert.equal(stage.tallies.activeOf("ci/unit"), 0);
  });
});

describe("a request that waits in line for a place", () => {
  test("has no Job and does not count before it has one", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a", { inLine: true });
    await stage.pass(60 * MINUTE);
    assert.deepEqual([stage.jobs.size, stage.tallies.activeOf("ci/unit"), request.answers], [0, 0, []]);
    await request.giveTurn();
    assert.deepEqual([stage.jobs.size, stage.tallies.activeOf("ci/unit")], [1, 1]);
    await stage.play(request.number, "passed");
    assert.deepEqual([request.answers, request.hasSlot], [["SUCCESS"], false]);
  });

  test("is known by its number, and its end does not count beside builds that have begun", async () => {
    await using stage = await startBuilds();
    const [begun, waiting] = [await stage.request("a"), await stage.request("b", { inLine: true })];
    await stage.play(begun.number, "running");
    assert.deepEqual([stage.builds.reports.of(waiting.number)?.step, stage.builds.claimed], ["accepted", 2]);
    await waiting.lose();
    assert.deepEqual([stage.tallies.activeOf("ci/unit"), stage.builds.claimed], [1, 1]);
    await begun.lose();
    assert.equal(stage.builds.claimed, 0);
  });

  test("leaves nothing behind when it is stopped, lost, or this replica is holder no more", async () => {
    await using stage = await startBuilds();
    const [stopped, lost, failed, queued] = [
      await stage.request("a", { inLine: true }),
      await stage.request("b", { inLine: true }),
      await stage.request("c", { inLine: true }),
      await stage.request("d", { inLine: true, isQueuedAgain: true }),
    ];
    await stage.stop(stopped.number);
    await lost.lose();
    assert.deepEqual([stopped.answers, lost.answers, failed.answers], [["ABORTED"], [], []]);
    stage.world.isHolder = false;
    stage.builds.noteReplicas();
    await stage.settle();
    assert.deepEqual([failed.answers, queued.answers, stage.jobs.size, stage.tallies.activeOf("ci/unit")], [["none"], [], 0, 0]);
    for (const { number } of [stopped, lost, failed, queued]) assert.equal(stage.builds.reports.of(number), undefined);
  });
});

describe("the end of a build", () => {
  test("is not begun anew while the cache shows its Job as it was", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.lag(true);
    await stage.play(request.number, "passed");
    assert.deepEqual(request.answers, ["SUCCESS"]);
    stage.builds.wake("ci", request.number);
    stage.builds.noteReplicas();
    await stage.settle();
    assert.deepEqual([stage.occupied.count, stage.tallies.activeOf("ci/unit")], [0, 0]);
  });

  test("comes when somebody deletes its Job: Zuul runs it again", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.remove(request.number);
    await stage.settle();
    assert.deepEqual([request.answers, request.hasSlot, stage.told], [["none"], false, ["ci/unit job-deleted"]]);
  });

  test("comes when its Job has come and gone before the cache has shown it", async () => {
    await using stage = await startBuilds();
    stage.lag(true);
    const request = await stage.request("a");
    await stage.pass(2 * MINUTE);
    assert.deepEqual(request.answers, [], "the watch may be behind");
    stage.jobs.delete(request.number);
    await stage.pass(MINUTE);
    assert.deepEqual([request.answers, stage.told], [["none"], ["ci/unit job-gone"]]);
  });

  test("is waited for by who stops when all is answered, and is told to the page until its Job is gone", async () => {
    await using stage = await startBuilds();
    const isEmptied = async (signal = new AbortController().signal) => {
      let isSo = false;
      void stage.builds.emptied(signal).then(() => {
        isSo = true;
      });
      await stage.settle();
      return () => isSo;
    };
    assert.equal((await isEmptied())(), true);
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    const [late, cut] = [new AbortController(), await isEmptied(AbortSignal.abort())];
    const [emptied, given] = [await isEmptied(), await isEmptied(late.signal)];
    assert.deepEqual([emptied(), given(), cut()], [false, false, true]);
    late.abort();
    await stage.settle();
    assert.deepEqual([emptied(), given()], [false, true]);
    const report = stage.builds.reports.of(request.number);
    assert.deepEqual([report?.step, report?.pod, report?.verdict], ["running", `${request.number}-pod`, undefined]);
    await stage.play(request.number, "passed");
    assert.equal(emptied(), true);
    const kept = stage.builds.reports.of(request.number);
    assert.deepEqual([kept?.step, kept?.verdict?.result, kept?.withdrawn], ["ended", "SUCCESS", undefined]);
    assert.deepEqual(stage.tallies.lastOf("ci/unit"), {
      number: request.number,
      result: "SUCCESS",
      url: `http://b/${request.number}`,
      finishedAt: "1970-01-01T00:00:00Z",
    });
    stage.remove(request.number);
    assert.equal(stage.builds.reports.of(request.number), undefined);
  });

  test("of requests that become no build is waited for as well", async () => {
    await using stage = await startBuilds();
    const reading = Promise.withResolvers<void>();
    stage.world.reading = reading.promise;
    await stage.request("a", { functionName: "build:other" });
    let isEmptied = false;
    void stage.builds.emptied(new AbortController().signal).then(() => {
      isEmptied = true;
    });
    await stage.settle();
    assert.equal(isEmptied, false);
    reading.resolve();
    await stage.settle();
    assert.equal(isEmptied, true);
  });

  test("and of the call that is under way is waited for by the stop", async () => {
    const stage = await startBuilds();
    const creation = Promise.withResolvers<undefined>();
    stage.world.creation = () => creation.promise;
    await stage.request("a");
    let isStopped = false;
    const stopped = stage.builds.stop().then(() => {
      isStopped = true;
    });
    await stage.settle();
    assert.equal(isStopped, false);
    creation.resolve(undefined);
    await stopped;
    assert.equal(stage.jobs.size, 1, "whoever comes next finds it");
  });

  test("is nobody's business here where a Job says too little", async () => {
    await using stage = await startBuilds();
    stage.put(makeJob({ metadata: { name: "foreign" } }));
    stage.builds.noteReplicas();
    await stage.settle();
    assert.equal(stage.occupied.count, 0);
  });

  test("is waited for only by who wants it: the Jobs of what was taken are there sooner", async () => {
    await using stage = await startBuilds();
    const creation = Promise.withResolvers<undefined>();
    stage.world.creation = () => creation.promise;
    await stage.request("a");
    await stage.request("b", { inLine: true });
    let areCreated = false;
    void stage.builds.created().then(() => {
      areCreated = true;
    });
    await stage.settle();
    assert.equal(areCreated, false);
    creation.resolve(undefined);
    await stage.settle();
    assert.deepEqual([areCreated, stage.jobs.size], [true, 1]);
  });

  test("is not reached when the replica stops: its Job goes on, and says nothing of it", async () => {
    const stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    await stage.builds.stop();
    assert.deepEqual([request.answers, stage.deeds, stage.record(request.number).verdict], [[], [], undefined]);
    assert.equal(stage.clock.pending, 0);
  });
});

describe("a build whose Job the API server refuses", () => {
  test("is answered, and nothing is read or written of a Job that never was", async () => {
    await using stage = await startBuilds();
    stage.world.creation = async () => ({ kind: "refused", message: "jobs is forbidden: no" });
    const request = await stage.request("a");
    assert.match(request.answers.join(), /^CONFIG_ERROR/);
    assert.deepEqual([stage.reads, stage.deeds, request.hasSlot], [[], [], false]);
    assert.ok(!stage.logged.some(({ message }) => message === "recorded the build"));
  });
});

describe("the log of a build", () => {
  test("names it, its Job, its pod and its verdict", async () => {
    await using stage = await startBuilds();
    const { number } = await stage.request("a");
    await stage.play(number, "running");
    await stage.play(number, "failed");
    const build = { build: number, namespace: "ci", task: "ci/unit", job: number };
    const pod = `${number}-pod`;
    const lines = stage.logged.filter(({ fields }) => "task" in fields && "build" in fields);
    assert.deepEqual(lines.slice(-5), [
      { message: "build reached a new state", fields: { ...build, state: "queued", pod: undefined } },
      { message: "build reached a new state", fields: { ...build, state: "running", pod } },
      { message: "build reached a new state", fields: { ...build, state: "exited", pod } },
      {
        message: "judged the build",
        fields: { ...build, result: "FAILURE", class: "failure", rule: "exit-code", text: "the test ended with exit code 1", pod },
      },
      { message: "recorded the build", fields: { ...build, delivered: true, pod } },
    ]);
  });

  test("names the server of a newer request for it, the Job that it adopts, and the quota that it waits for", async () => {
    await using stage = await startBuilds();
    const fieldsOf = (message: string) => stage.logged.filter((line) => line.message === message).map(({ fields }) => fields);
    const { number } = await stage.request("a");
    const build = { build: number, namespace: "ci", task: "ci/unit", job: number };
    await stage.request("a");
    assert.deepEqual(fieldsOf("replaces the request of this build by a newer one"), [{ ...build, server: "s:1" }]);
    stage.world.creation = async (job) => {
      stage.world.creation = undefined;
      stage.put({ ...job, metadata: { ...job.metadata, uid: "uid-found" } });
      return { kind: "exists" };
    };
    const adopted = await stage.request("b");
    const names = { build: adopted.number, namespace: "ci", task: "ci/unit", job: adopted.number };
    assert.deepEqual(fieldsOf("adopts the Job that is already there"), [names]);
    stage.world.creation = async () => ({ kind: "full", message: "exceeded quota: q" });
    const waiting = await stage.request("c");
    const waits = { build: waiting.number, namespace: "ci", task: "ci/unit", job: waiting.number };
    assert.deepEqual(fieldsOf("build waits for what may not come"), [{ ...waits, rule: "quota-full", text: "exceeded quota: q" }]);
  });

  test("tells of its request: taken, come again, launched again, refused", async () => {
    await using stage = await startBuilds();
    const { number } = await stage.request("a");
    await stage.request("a");
    await stage.request("a", { launch: 2 });
    const refused = await stage.request("b", { functionName: "build:gone" });
    const from = { server: "s:1", unique: "a-1" };
    const told = stage.logged.filter(({ message }) => /^(accepts|attaches|refuses)/.test(message));
    assert.deepEqual(told.slice(0, 3), [
      { message: "accepts a build", fields: { build: number, function: "build:unit", ...from, task: "ci/unit" } },
      { message: "attaches a request to the build that is under way", fields: { build: number, server: "s:1" } },
      { message: "attaches Zuul's relaunch to the build that it is of", fields: { build: number, server: "s:1", unique: "a-2" } },
    ]);
    const { text, ...fields } = Object(told[3]?.fields);
    assert.deepEqual(fields, { build: refused.number, task: undefined, function: "build:gone", rule: "no-task" });
    assert.match(text, /TestTask/);
  });

  test("tells that a Job which was found is gone on with", async () => {
    const { stage, number } = await stageFound("gone");
    await using _ = stage;
    await stage.builds.start();
    const told = stage.logged.find(({ message }) => message === "goes on with a build that was under way")?.fields;
    assert.deepEqual(told, { build: number, job: number });
  });

  test("tells of a defect of ours, which is no other build's harm, whether or not anybody asks for it", async () => {
    for (const isAskedFor of [true, false]) {
      await using stage = await startBuilds();
      const request = await stage.request("a");
      await stage.play(request.number, "running");
      if (!isAskedFor) await request.lose();
      const defect = new Error("a defect");
      stage.world.defect = defect;
      await stage.play(request.number, "passed");
      const told = stage.logged.find(({ message }) => message === "fails the build after an unexpected error")?.fields;
      assert.equal(Object(told).err, defect);
      assert.deepEqual([request.answers, request.hasSlot || stage.builds.claimed > 0], [isAskedFor ? ["none"] : [], false]);
    }
  });

  test("tells why its pod is ended", async () => {
    await using stage = await startBuilds();
    const { number } = await stage.request("a");
    await stage.play(number, "running");
    await stage.stop(number);
    const build = { build: number, namespace: "ci", task: "ci/unit", job: number };
    const told = stage.logged.find(({ message }) => message === "ends the pod")?.fields;
    assert.deepEqual(told, { ...build, pod: `${number}-pod`, why: "stop" });
  });
});

describe("a build that another replica carries out", () => {
  test("is told to stop once the API server takes that, tried again after five seconds", async () => {
    const { stage, number } = await stageFound("other");
    await using _ = stage;
    await stage.builds.start();
    await stage.settle();
    stage.world.isWritingAway = true;
    await stage.stop(number);
    const retried = stage.logged.find(({ message }) => message === "retries what the API server did not do")?.fields;
    assert.equal(Object(retried).err.message, "no answer");
    stage.world.isWritingAway = false;
    await stage.pass(5_000);
    assert.deepEqual([stage.record(number).isCancelled, stage.deeds, stage.record(number).request.replica], [true, [], "other"]);
  });

  test("is Zuul's relaunch's too where its Job has succeeded, though its pod was not seen here", async () => {
    const { stage, number } = await stageFound("other");
    await using _ = stage;
    stage.lagPods(true);
    stage.removePod(number);
    stage.lagPods(true);
    await stage.builds.start();
    await stage.play(number, "passed");
    await stage.change(number, { status: { conditions: [{ type: "Complete", status: "True" }], succeeded: 1 } });
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual([second.number, second.answers], [number, ["SUCCESS"]]);
  });

  test("is not that of a request that can only have come after its answer was read", async () => {
    const { stage, number } = await stageFound("other");
    await using _ = stage;
    await stage.builds.start();
    await stage.play(number, "passed");
    await stage.change(number, { status: { conditions: [{ type: "Complete", status: "True" }], succeeded: 1 } });
    const again = await stage.request("a", { handle: "H:2" });
    assert.deepEqual([again.answers, stage.jobs.size], [[], 2], "it runs anew");
  });
});

test("a build that comes back to its replica in the very turn in which that has left it goes on there", async () => {
  await using stage = await startBuilds();
  const request = await stage.request("a");
  await stage.play(request.number, "running");
  const role = { isHolder: false, isHadAgain: false };
  Object.defineProperty(stage.world, "isHolder", {
    get() {
      const isGivenUp = stage.record(request.number).request.replica === null;
      if (isGivenUp && !role.isHadAgain) {
        role.isHadAgain = true;
        queueMicrotask(() => {
          role.isHolder = true;
          stage.builds.noteReplicas();
        });
      }
      return role.isHolder;
    },
  });
  await request.lose();
  assert.deepEqual([role, stage.occupied.count], [{ isHolder: true, isHadAgain: true }, 1]);
  const again = await stage.request("a");
  await stage.play(request.number, "passed");
  assert.deepEqual([again.number, again.answers], [request.number, ["SUCCESS"]]);
});
