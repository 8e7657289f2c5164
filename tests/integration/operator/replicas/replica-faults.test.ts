import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { adminStatus } from "../../../support/gearman/gearman-server.ts";
import { untilStatus, within } from "../../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberOf, recordOf, type Stage, type StagedReplica, startStage } from "../stage.ts";
import { CHANGE, gearmand, handOver, requestOf, startTwo } from "./replica-stage.ts";

const geard = () => startGeard();
const REQUEST = "turbo-hipster.io/request";

/** What a replica has written to Jobs and pods, and was taken. */
function writes(replica: StagedReplica): string[] {
  const calls = ["jobs", "pods"].flatMap((resource) => replica.calls({ resource }));
  return calls
    .filter(({ verb, code }) => ["create", "patch", "delete"].includes(verb) && code < 300)
    .map((call) => JSON.stringify(call.body));
}

function annotate(stage: Stage, number: string, annotations: Record<string, string | null>): void {
  stage.kube.patch(JOBS, NAMESPACE, number, { metadata: { annotations } });
}

describe("a replica that was replaced", () => {
  for (const [what, isTold] of [
    ["and its watches tell it first", true],
    ["and nothing has told it yet", false],
  ] as const) {
    test(`while it slept changes nothing when it wakes, and answers nothing, ${what}`, async () => {
      const { build, number, finish, holder, standby, ...rest } = await startTwo(gearmand);
      await using stage = rest.stage;
      const wake = holder.api.delay();
      // Nothing of what becomes of its link reaches it.
      holder.link.sever();
      await standby.logged("takes builds");
      await standby.logged("attaches a request to the build that is under way");
      await stage.until(() => requestOf(stage, number).replica === standby.name, "the next one's name in the Job");
      finish();
      assert.equal((await answerOf(build)).result, "SUCCESS");
      const job = await stage.recorded(number);
      const before = writes(holder);
      const written = stage.kube.nextCall({ verb: "patch", resource: "jobs", name: number });
      if (isTold) wake();
      else holder.api.cut();
      holder.link.cut();
      if (isTold) await holder.logged("leaves the build to the replica that answers for it now");
      else assert.equal((await within(written, () => "it does not give the build up")).code, 422);
      const { drained } = await handOver(standby, holder);
      await drained;
      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
      const after = writes(holder).slice(before.length);
      assert.deepEqual(
        after.filter((body) => body.includes(number)),
        [],
      );
      assert.deepEqual(
        stage.jobs().find(({ metadata }) => metadata.name === number),
        job,
      );
      assert.equal(stage.pods().length, 2);
    });
  }

  test("by a name that someone has written into the Job gives the request back, and changes nothing", async () => {
    const { build, number, finish, holder, standby, ...rest } = await startTwo(geard);
    await using stage = rest.stage;
    const before = writes(holder).length;
    annotate(stage, number, { [REQUEST]: JSON.stringify({ ...requestOf(stage, number), replica: standby.name }) });
    assert.equal((await answerOf(build)).result, null);
    finish();
    await stage.until(() => stage.pods()[0]?.status?.phase === "Succeeded", "the end of the pod");
    await stage.skip(10 * 60_000);
    assert.equal(writes(holder).length, before);
    const relaunch = await stage.submit("unit", { parameters: CHANGE });
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
    await stage.until(() => requestOf(stage, number).replica === holder.name, "the holder's name in the Job");
    assert.equal(stage.pods().length, 1);
  });
});

describe("a holder that watches a build of another replica", () => {
  test("does not take Zuul's relaunch for the one that has just ended in vain, though the other has not written that yet", async () => {
    const { build, number, finish, holder, standby, ...rest } = await startTwo(geard);
    await using stage = rest.stage;
    const { drained } = await handOver(holder, standby);
    const written = Promise.withResolvers<void>();
    stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "delay", until: written.promise });
    stage.kube.delete(PODS, NAMESPACE, stage.pods()[0]?.metadata.name ?? "");
    assert.equal((await answerOf(build)).result, null);
    const relaunch = await stage.submit("unit", { parameters: CHANGE });
    const other = await numberOf(relaunch);
    finish();
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
    assert.notEqual(other, number);
    written.resolve();
    await drained;
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
  });

  test("takes Zuul's relaunch for one whose Job has succeeded, though it has not seen its pod", async () => {
    const finished = Promise.withResolvers<void>();
    const script = () => ({ finished: finished.promise });
    await using stage = await startStage({ start: geard, proxiesApi: true, tasks: { unit: {} }, script });
    const holder = stage.replicas[0] as StagedReplica;
    const standby = await stage.startReplica();
    stage.kube.watches.silence("pods");
    const fault = stage.kube.misbehave({ verb: "watch", resource: "pods" }, { kind: "hang" }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit", { parameters: CHANGE });
    const number = await numberOf(build);
    await stage.running(number);
    await handOver(holder, standby);
    // It can neither learn nor write down what becomes of its build.
    holder.api.hold("client");
    finished.resolve();
    await stage.until(() => stage.jobs()[0]?.status?.succeeded === 1, "the end of the Job");
    holder.link.cut();
    assert.equal((await answerOf(build)).result, null);
    const relaunch = await stage.submit("unit", { parameters: CHANGE });
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
    assert.deepEqual([await numberOf(relaunch), stage.pods().length], [number, 1]);
    fault.stop();
    holder.api.cut();
  });

  test("ends one that was to be deleted and has run since, while there was no operator", async () => {
    const scheduled = Promise.withResolvers<void>();
    await using stage = await startStage({ start: geard, tasks: { unit: {} }, script: () => ({ scheduled: scheduled.promise }) });
    const holder = stage.replicas[0] as StagedReplica;
    const fault = stage.kube.misbehave({ verb: "delete", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit", { parameters: CHANGE });
    const number = await numberOf(build);
    await stage.until(() => stage.pods().length === 1, "the pod");
    await stage.stop(number);
    await holder.logged("retries to delete the Job");
    await stage.stopOperator(holder.operator);
    scheduled.resolve();
    await stage.until(() => stage.pods()[0]?.status?.phase === "Succeeded", "the end of the pod");
    fault.stop();
    const next = await stage.startReplica();
    await next.logged("goes on with a build that was under way");
    await next.logged("judged the build");
    await stage.skip(121_000);
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "stopped", result: "ABORTED", isDelivered: false });
  });
});

describe("a holder that cannot reach the API server", () => {
  for (const [how, isolate] of [
    ["refuses connections", (api: StagedReplica["api"]) => api.close()],
    ["does not answer, in the middle of a status that it writes", (api: StagedReplica["api"]) => api.hold("server")],
  ] as const) {
    test(`for ten seconds takes no builds, keeps those it has, and comes back, when that ${how}`, async () => {
      const finished = Promise.withResolvers<void>();
      const script = () => ({ finished: finished.promise });
      await using stage = await startStage({ start: gearmand, proxiesApi: true, tasks: { unit: {} }, script });
      const holder = stage.replicas[0] as StagedReplica;
      const build = await stage.submit("unit");
      const number = await numberOf(build);
      await stage.running(number);
      isolate(holder.api);
      // A change of the task that has a new status for consequence.
      await stage.skip(6_000);
      await holder.logged("holds the installation no more: its Lease could not be renewed");
      await untilStatus(stage.server, (status) => status.get("build:unit")?.workers === 2);
      const other = await stage.submit("unit");
      await other.handle;
      assert.equal((await adminStatus(stage.server.address)).get("build:unit")?.running, 1);
      finished.resolve();
      await stage.until(() => stage.pods()[0]?.status?.phase === "Succeeded", "the end of the pod");
      holder.api.cut();
      holder.api.open();
      await stage.skip(31_000);
      assert.equal((await answerOf(build)).result, "SUCCESS");
      await holder.logged("takes builds", 1);
      assert.equal((await answerOf(other)).result, "SUCCESS");
      assert.equal(stage.pods().length, 2);
    });
  }

  test("forgets builds that wait for room and that it has lost: they hold nothing back later", async () => {
    const scheduled = Promise.withResolvers<void>();
    const config = { maxPending: 1 };
    const script = () => ({ scheduled: scheduled.promise });
    await using stage = await startStage({ start: gearmand, config, proxiesApi: true, tasks: { unit: {} }, script });
    const holder = stage.replicas[0] as StagedReplica;
    const standby = await stage.startReplica();
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.until(() => stage.pods().length === 1, "the pod");
    holder.api.close();
    await holder.logged("holds the installation no more: its Lease could not be renewed");
    await standby.logged("takes builds");
    holder.link.cut();
    await holder.logged("lost the link to whoever asked for the build");
    holder.api.open();
    await stage.skip(31_000);
    await stage.until(() => requestOf(stage, number).replica === standby.name, "the word that the new holder answers");
    scheduled.resolve();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await handOver(standby, holder);
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
  });
});

describe("a Job whose annotations someone has spoilt", () => {
  const garbage: [string, Record<string, string | null>][] = [
    ["request that is no JSON", { [REQUEST]: "{" }],
    ["request of another shape", { [REQUEST]: '{"server": 7, "number": "../x"}' }],
    ["request taken away", { [REQUEST]: null }],
    ["timeouts", { "turbo-hipster.io/timeouts": "[]" }],
    ["function taken away", { "turbo-hipster.io/function": null }],
    ["verdict", { "turbo-hipster.io/verdict": '{"result": "SUCCESS", "class": "failure", "rule": 1}' }],
    ["relaunch key", { "turbo-hipster.io/relaunch": "\u0000".replace("\u0000", "x".repeat(10_000)) }],
  ];
  for (const [what, annotations] of garbage) {
    test(`is still answered and written to the end: ${what}`, async () => {
      const { build, number, finish, holder, standby, ...rest } = await startTwo(gearmand);
      await using stage = rest.stage;
      annotate(stage, number, annotations);
      const { drained } = await handOver(holder, standby);
      finish();
      assert.equal((await answerOf(build)).result, "SUCCESS");
      await drained;
      assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "exit-0", result: "SUCCESS", isDelivered: true });
      assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
      assert.deepEqual(
        stage.log.items.filter(({ level }) => level === "error").map(({ message }) => message),
        [],
      );
    });
  }

  test("and Jobs that say nothing harm no takeover", async () => {
    const { build, finish, holder, standby, ...rest } = await startTwo(gearmand);
    await using stage = rest.stage;
    const { metadata, spec } = stage.jobs()[0] ?? assert.fail("the Job is there");
    for (const [index, request] of ["", "{}", '{"server":"","unique":"","number":"-"}', undefined].entries()) {
      const { [REQUEST]: _, ...others } = metadata.annotations ?? {};
      const annotations = request === undefined ? others : { ...others, [REQUEST]: request };
      stage.kube.create(JOBS, NAMESPACE, {
        metadata: { name: `made-${index}`, labels: metadata.labels, annotations },
        spec: { ...spec, suspend: true },
      });
    }
    const { drained } = await handOver(holder, standby);
    finish();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await drained;
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
  });
});
