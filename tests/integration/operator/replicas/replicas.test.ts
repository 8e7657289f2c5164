import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EVENTS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { adminStatus } from "../../../support/gearman/gearman-server.ts";
import { processClock } from "../../../support/process-clock.ts";
import { untilStatus } from "../../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberOf, recordOf, type Stage, type StagedReplica, startStage } from "../stage.ts";
import { CHANGE, gearmand, handOver, never, requestOf, startTwo } from "./replica-stage.ts";

const UNCLAIMED_MS = 121_000;
const geard = () => startGeard();

/** The next GRAB of a replica goes out, and its answer is on the way until `resume` lets it arrive. */
function delayNextGrab(stage: Stage, { name }: StagedReplica): { asked: Promise<void>; resume: Promise<() => void> } {
  const { promise: resume, resolve } = Promise.withResolvers<() => void>();
  const grab = Buffer.from([0, 0x52, 0x45, 0x51, 0, 0, 0, 30]);
  const link = stage.link.of(`/${name}/lane/`);
  link.onChunk = (chunk, from) => {
    if (from !== "client" || !chunk.includes(grab)) return;
    link.onChunk = undefined;
    // The question itself still goes out.
    setImmediate(() => resolve(link.delay()));
  };
  return { asked: resume.then(() => {}), resume };
}

describe("of two replicas", () => {
  for (const [kind, start] of [
    ["gearmand", gearmand],
    ["geard", geard],
  ] as const) {
    test(`both register all functions at ${kind}, and the holder alone is offered builds`, async () => {
      await using stage = await startStage({ start, tasks: { unit: {}, other: { maxConcurrent: 3 } } });
      const holder = stage.replicas[0] as StagedReplica;
      const standby = await stage.startReplica();
      const wanted = { "build:unit": 3, "build:other": 3, "stop:turbo-hipster-turbo-hipster": 2 };
      await untilStatus(stage.server, (status) => Object.entries(wanted).every(([name, workers]) => status.get(name)?.workers === workers));
      const builds = await Promise.all(Array.from({ length: 12 }, (_, index) => stage.submit(index % 2 === 0 ? "unit" : "other")));
      for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.deepEqual([holder.count("accepts a build"), standby.count("accepts a build")], [12, 0]);
      await stage.stopOperator(holder.operator);
      await standby.logged("takes builds");
      assert.equal((await answerOf(await stage.submit("other"))).result, "SUCCESS");
      assert.equal(standby.count("accepts a build"), 1);
    });
  }

  test("one writes statuses and events, and after it the other", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: { pipelines: ["gate"] } } });
    const holder = stage.replicas[0] as StagedReplica;
    const standby = await stage.startReplica();
    const written = (replica: StagedReplica) => replica.calls({ resource: "testtasks/status" }).length;
    const events = () => stage.kube.list(EVENTS, NAMESPACE).filter(({ reason }) => reason === "BuildRefused");
    await answerOf(await stage.submit("unit", { parameters: { ZUUL_PIPELINE: "check" } }));
    await stage.until(() => events().length === 1, "the event");
    await stage.skip(6_000);
    await stage.until(() => stage.kube.get(TEST_TASKS, NAMESPACE, "unit").status?.conditions, "the status");
    assert.deepEqual([written(standby), standby.calls({ resource: "events", verb: "create" }).length], [0, 0]);
    const { drained } = await handOver(holder, standby);
    await drained;
    const before = written(holder);
    stage.task("more", {});
    await stage.until(() => stage.kube.get(TEST_TASKS, NAMESPACE, "more").status?.conditions, "the status of a task that came later");
    assert.deepEqual([written(holder), written(standby) > 0], [before, true]);
  });

  test("one tells whoever keeps a task of a build that could not be made, though both saw it end", async () => {
    const scheduled = Promise.withResolvers<void>();
    await using stage = await startStage({
      start: gearmand,
      tasks: { unit: {} },
      script: () => ({ scheduled: scheduled.promise, waiting: { reason: "InvalidImageName", message: "no such name" } }),
    });
    const holder = stage.replicas[0] as StagedReplica;
    const standby = await stage.startReplica();
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.until(() => stage.pods().length === 1, "the pod");
    const { drained } = await handOver(holder, standby);
    scheduled.resolve();
    assert.match(String((await answerOf(build)).result), /^CONFIG_ERROR/);
    await drained;
    await stage.recorded(number);
    const events = () => stage.kube.list(EVENTS, NAMESPACE).filter(({ reason }) => reason === "BuildRefused");
    await stage.until(() => events().length > 0, "the event");
    await stage.skip(60_000);
    await standby.operator.drain(never);
    assert.deepEqual(
      events().map(({ count }) => count),
      [1],
    );
    const reasons = holder.calls({ resource: "events", verb: "create" }).map(({ body }) => (body as { reason: string }).reason);
    assert.equal(reasons.includes("BuildRefused"), false, "the one that takes builds writes it");
  });
});

describe("a replica that drains", () => {
  for (const [limit, spec, config] of [
    ["its task's limit", { maxConcurrent: 2 }, {}],
    ["the installation's limit", {}, { maxBuilds: 2 }],
  ] as const) {
    test(`hands over at once and ends its build, which counts for the next one against ${limit}`, async () => {
      const { build, number, finish, holder, standby, ...rest } = await startTwo(gearmand, spec, config);
      await using stage = rest.stage;
      const { drained } = await handOver(holder, standby);
      const more = [await stage.submit("unit"), await stage.submit("unit"), await stage.submit("unit")];
      await standby.logged("accepts a build");
      await stage.until(() => stage.pods().filter(({ status }) => status?.phase === "Running").length === 2, "a second running pod");
      const { running = 0 } = (await adminStatus(stage.server.address)).get("build:unit") ?? {};
      assert.deepEqual([running, standby.count("accepts a build")], [2, 1]);
      finish();
      assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.equal(await drained, 0);
      for (const each of more) assert.equal((await answerOf(each)).result, "SUCCESS");
      assert.equal(holder.count("recorded the build"), 1, "the one that drains has written the end of its build");
      assert.equal(requestOf(stage, number).replica, holder.name);
      assert.equal(stage.pods().length, 4);
    });
  }

  test("hands over only once the Job of its latest build is there to be counted, or after a second", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: { maxConcurrent: 1 } } });
    const holder = stage.replicas[0] as StagedReplica;
    const standby = await stage.startReplica();
    const seen: string[] = [];
    const leave = stage.kube.subscribe(({ rules, type, object }) => {
      if (rules.plural === "jobs" && type === "ADDED") seen.push("job");
      if (rules.plural === "leases" && object.spec?.holderIdentity === "") seen.push("released");
    });
    const create = { verb: "create", resource: "jobs" };
    const late = Promise.withResolvers<void>();
    stage.kube.misbehave(create, { kind: "delay", until: late.promise });
    const arrived = stage.kube.nextCall(create, "arrived");
    const builds = [await stage.submit("unit"), await stage.submit("unit")];
    await arrived;
    const drained = holder.operator.drain(never);
    void processClock.sleep(100).then(late.resolve);
    for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    await drained;
    leave();
    assert.deepEqual(seen, ["job", "released", "job"]);
    // One that cannot be made keeps nobody waiting.
    const fault = stage.kube.misbehave(create, { kind: "hang" }, Number.POSITIVE_INFINITY);
    const hanging = await stage.submit("unit");
    await numberOf(hanging);
    const next = await stage.startReplica();
    await handOver(standby, next);
    fault.stop();
    standby.link.cut();
    assert.equal((await answerOf(hanging)).result, "SUCCESS");
  });

  test("and loses the link of its build gives it up: gearmand's requeue goes to the holder, in the same pod", async () => {
    const { build, number, finish, holder, standby, ...rest } = await startTwo(gearmand);
    await using stage = rest.stage;
    const { drained } = await handOver(holder, standby);
    holder.link.cut();
    await standby.logged("attaches a request to the build that is under way");
    assert.equal(await drained, 0);
    finish();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    assert.equal(requestOf(stage, number).replica, standby.name);
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  for (const [when, loses] of [
    ["it has given the build up", false],
    ["the Job still names it", true],
  ] as const) {
    test(`and loses the link of its build at geard: Zuul's relaunch is answered by the holder, in the same pod, when ${when}`, async () => {
      const { build, number, finish, holder, standby, ...rest } = await startTwo(geard);
      await using stage = rest.stage;
      const { drained } = await handOver(holder, standby);
      if (loses) holder.api.hold("client");
      holder.link.cut();
      assert.equal((await answerOf(build)).result, null);
      if (!loses) await drained;
      assert.equal(requestOf(stage, number).replica, loses ? holder.name : null);
      const relaunch = await stage.submit("unit", { parameters: CHANGE });
      assert.equal(await numberOf(relaunch), number);
      await stage.until(() => requestOf(stage, number).replica === standby.name, "the holder's name in the Job");
      holder.api.cut();
      finish();
      assert.equal((await answerOf(relaunch)).result, "SUCCESS");
      assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
      await stage.skip(31_000);
      await drained;
      assert.equal(requestOf(stage, number).replica, standby.name);
      assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
    });
  }

  test("and loses the link of a build that nobody asks for again: the holder ends it two minutes later", async () => {
    const { build, number, holder, standby, ...rest } = await startTwo(geard);
    await using stage = rest.stage;
    const { drained } = await handOver(holder, standby);
    await stage.skip(UNCLAIMED_MS);
    holder.link.cut();
    assert.equal((await answerOf(build)).result, null);
    await drained;
    await stage.until(() => requestOf(stage, number).replica === null, "the word that nobody answers");
    await stage.skip(110_000);
    assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds > 1, true, "the whole time counts from then");
    await stage.skip(11_000);
    await stage.until(() => stage.pods()[0]?.spec.activeDeadlineSeconds === 1, "the end of its pod");
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
    assert.equal(standby.calls({ verb: "patch", resource: "pods" }).length, 1);
  });

  test("answers its build for as long as that runs, and the holder leaves it alone", async () => {
    const { build, number, finish, holder, standby, ...rest } = await startTwo(gearmand);
    await using stage = rest.stage;
    const { drained } = await handOver(holder, standby);
    await stage.skip(10 * 60_000);
    assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds > 1, true);
    finish();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await drained;
    const job = await stage.recorded(number);
    assert.deepEqual(recordOf(job), { rule: "exit-0", result: "SUCCESS", isDelivered: true });
    assert.deepEqual(
      standby.calls({ verb: "patch" }).filter(({ resource }) => resource === "jobs" || resource === "pods"),
      [],
    );
  });

  test("with a build that has ended and whose answer nobody has read leaves it to the holder, who gives it", async () => {
    const { build, number, finish, holder, standby, ...rest } = await startTwo(gearmand);
    await using stage = rest.stage;
    holder.link.close();
    await holder.logged("lost the link to whoever asked for the build");
    finish();
    await holder.logged("judged the build");
    const { drained } = await handOver(holder, standby);
    assert.equal(await drained, 0);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    assert.equal(requestOf(stage, number).replica, standby.name);
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
    holder.link.open();
  });

  test("and is given Zuul's relaunch by a question it had asked before goes on with the Job that runs already", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const first = stage.replicas[0] as StagedReplica;
    const parameters = { ZUUL_REF: `refs/zuul/master/Z${"cd".repeat(16)}` };
    const build = await stage.submit("unit", { parameters });
    await stage.running(await numberOf(build));
    const second = await stage.startReplica();
    const { drained } = await handOver(first, second);
    const third = await stage.startReplica();
    const { resume, asked } = delayNextGrab(stage, second);
    const relaunch = await stage.submit("unit", { parameters });
    await asked;
    const { drained: alsoDrained } = await handOver(second, third);
    (await resume)();
    assert.equal(await numberOf(relaunch), await numberOf(build));
    finished.resolve();
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
    await Promise.all([drained, alsoDrained]);
    assert.equal(stage.pods().length, 1);
  });

  test("and is given one more build by a question it had asked before carries it out", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    const holder = stage.replicas[0] as StagedReplica;
    const standby = await stage.startReplica();
    const { resume, asked } = delayNextGrab(stage, holder);
    const build = await stage.submit("unit");
    await asked;
    const { drained } = await handOver(holder, standby);
    (await resume)();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await drained;
    assert.deepEqual([holder.count("accepts a build"), stage.pods().length], [1, 1]);
  });
});
