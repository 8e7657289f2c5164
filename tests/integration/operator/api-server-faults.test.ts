import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FaultEffect } from "../../support/fake-kube/fault-plan.ts";
import { expired, StatusError } from "../../support/fake-kube/status-error.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { answerOf, numberOf, recordOf, type Stage, startStage } from "./stage.ts";

const start = () => startGearmand();
/** Longer than any wait of the operator between two tries, and than a watch may be silent. */
const SILENCE_MS = 151_000;

describe("a build whose watches go wrong while it runs", () => {
  const faults: [string, (stage: Stage) => void][] = [
    ["are cut", (stage) => stage.kube.watches.cut()],
    ["end", (stage) => stage.kube.watches.end()],
    ["are cut for its pod alone", (stage) => stage.kube.watches.cut("pods")],
    ["fall silent for its pod alone", (stage) => stage.kube.watches.silence("pods")],
    ["fall silent for its Job alone", (stage) => stage.kube.watches.silence("jobs")],
    [
      "are told that what they follow is compacted away",
      (stage) => {
        stage.kube.compact();
        stage.kube.watches.fail(expired());
      },
    ],
    ["are told of an internal error", (stage) => stage.kube.watches.fail(new StatusError(500, "InternalError", "etcd is away"))],
    ["send nonsense", (stage) => stage.kube.watches.write("{]")],
  ];
  for (const [name, fault] of faults) {
    test(`gets its result when they ${name}`, async () => {
      const finished = Promise.withResolvers<void>();
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
      const build = await stage.submit("unit");
      await stage.running(await numberOf(build));
      await stage.reached("running");
      fault(stage);
      finished.resolve();
      assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.equal(stage.pods().length, 1);
    });
  }

  test("gets its result when all of them fall silent, once they were silent for too long", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.running(number);
    stage.kube.watches.silence();
    finished.resolve();
    await stage.until(() => stage.jobs()[0]?.status?.succeeded === 1, "the end of the Job");
    await stage.skip(SILENCE_MS);
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("is followed again after the watch of its pod was refused for a while", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const build = await stage.submit("unit");
    await stage.running(await numberOf(build));
    const refusals = ["watch", "list"].map((verb) =>
      stage.kube.misbehave({ verb, resource: "pods" }, { kind: "status", code: 403, reason: "Forbidden" }, Number.POSITIVE_INFINITY),
    );
    stage.kube.watches.cut("pods");
    finished.resolve();
    await stage.logged("follows the cluster again after a failure", 1);
    for (const refusal of refusals) refusal.stop();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });
});

describe("a build while something between answers for the API server", () => {
  const answers: [string, FaultEffect][] = [
    ["a page of 404", { kind: "page", code: 404, text: "<html><h1>404 Not Found</h1></html>" }],
    ["a page of 403", { kind: "page", code: 403, text: "<html><h1>Blocked</h1></html>" }],
    ["that no login is known", { kind: "status", code: 401, reason: "Unauthorized", message: "Unauthorized" }],
  ];
  for (const [name, effect] of answers) {
    test(`gets its result, and is recorded, when that was ${name} to each call while it ran, ended and was answered`, async () => {
      const finished = Promise.withResolvers<void>();
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
      const build = await stage.submit("unit");
      const number = await numberOf(build);
      await stage.running(number);
      await stage.reached("running");
      const faults = ["jobs", "pods"].map((resource) => stage.kube.misbehave({ resource }, effect, Number.POSITIVE_INFINITY));
      for (const resource of ["jobs", "pods"]) stage.kube.watches.cut(resource);
      finished.resolve();
      await stage.logged("follows the cluster again after a failure", 3);
      for (const fault of faults) fault.stop();
      // The pod's end is seen; what is written down of it meets the same trouble.
      const writes = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, effect, Number.POSITIVE_INFINITY);
      stage.clock.skip(31_000);
      assert.equal((await answerOf(build)).result, "SUCCESS");
      await stage.skipTries("retries to record the build", 2);
      writes.stop();
      stage.clock.skip(31_000);
      assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    });

    test(`goes on when that was ${name} to the question whether its Job is gone`, async () => {
      const ends = [Promise.resolve(), Promise.withResolvers<void>()] as const;
      let begun = 0;
      await using stage = await startStage({
        ...{ start, tasks: { unit: {} } },
        script: () => ({ finished: begun++ === 0 ? ends[0] : ends[1].promise }),
      });
      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
      for (const resource of ["jobs", "pods"]) stage.kube.watches.silence(resource);
      const asked = stage.kube.misbehave({ verb: "get", resource: "jobs" }, effect, 2);
      const build = await stage.submit("unit");
      await stage.until(() => stage.jobs().length === 2, "its Job");
      await stage.skip(62_000);
      await stage.logged("retries what the API server did not do");
      await stage.skip(SILENCE_MS);
      assert.equal(asked.struck, 2);
      ends[1].resolve();
      assert.equal((await answerOf(build)).result, "SUCCESS");
    });
  }
});

describe("a build during an outage of the API server", () => {
  test("that begins before its Job is made waits, and is run once", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const outage = stage.outage();
    const build = await stage.submit("unit");
    await numberOf(build);
    await stage.skipTries("retries to create the Job", 5);
    outage.end();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  test("that begins while its pod waits for a node, and in which it runs and ends, gets its result", async () => {
    const scheduled = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: scheduled.promise }) });
    const build = await stage.submit("unit");
    await stage.until(() => stage.pods().length === 1, "the pod");
    const outage = stage.outage();
    scheduled.resolve();
    await stage.until(() => stage.jobs()[0]?.status?.succeeded === 1, "the end of the Job");
    await stage.logged("follows the cluster again after a failure", 2);
    outage.end();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("that begins while it runs gets its result, be it good or bad", async () => {
    const finished = Promise.withResolvers<void>();
    const exitCodes: Record<string, number> = { good: 0, bad: 1 };
    await using stage = await startStage({
      start,
      tasks: { good: {}, bad: {} },
      script: (job) => ({
        finished: finished.promise,
        exitCode: exitCodes[job.metadata.labels?.["turbo-hipster.io/task"] ?? ""] ?? 9,
        message: "2 of 3 failed",
      }),
    });
    const builds = [await stage.submit("good"), await stage.submit("bad")] as const;
    for (const build of builds) await stage.running(await numberOf(build));
    const outage = stage.outage();
    finished.resolve();
    await stage.logged("follows the cluster again after a failure", 2);
    outage.end();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(builds[0])).result, "SUCCESS");
    assert.equal((await answerOf(builds[1])).result, "2 of 3 failed");
  });

  test("that lasts longer than its run timeout, in which it ends in time, gets its result", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({
      start,
      tasks: { unit: { timeouts: { run: "10m" } } },
      script: () => ({ finished: finished.promise }),
    });
    const build = await stage.submit("unit");
    await stage.running(await numberOf(build));
    await stage.reached("running");
    const outage = stage.outage();
    finished.resolve();
    await stage.until(() => stage.jobs()[0]?.status?.succeeded === 1, "the end of the Job");
    await stage.skip(601_000);
    await stage.logged("retries what the API server did not do");
    outage.end();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("that begins at the end of its test gets its result when it is over", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    let outage: { end(): void } | undefined;
    const leave = stage.kube.subscribe(({ rules, object }) => {
      if (rules.plural === "pods" && object.status?.phase === "Succeeded") outage ??= stage.outage();
    });
    const build = await stage.submit("unit");
    await stage.logged("follows the cluster again after a failure", 2);
    leave();
    outage?.end();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("that begins before its end is written down delays no answer, and is written down after it", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const fault = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "drop" }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await stage.skipTries("retries to record the build", 3);
    fault.stop();
    stage.clock.skip(31_000);
    assert.equal(recordOf(await stage.recorded(await numberOf(build))).isDelivered, true);
  });

  test("that never ends keeps nothing: the operator stops all the same", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    stage.outage();
    await stage.submit("unit");
    await stage.logged("retries to create the Job");
  });

  test("in which its calls hang does not keep the operator from stopping at once", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    await stage.logged("opened a connection", 2);
    const arrived = stage.kube.nextCall({ verb: "create", resource: "jobs" }, "answered");
    stage.kube.misbehave({}, { kind: "hang" }, Number.POSITIVE_INFINITY);
    await stage.submit("unit");
    await arrived;
    const startedMs = performance.now();
    await stage.stopOperator();
    assert.ok(performance.now() - startedMs < 10_000, "well within a pod's grace of 30 s");
  });

  test("that lasts while it starts is waited for", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, startsOperator: false });
    const outage = stage.outage();
    const build = await stage.submit("unit");
    await stage.startOperator();
    await stage.logged("lists again after a failure", 5);
    const { internal } = stage.operator.ports;
    assert.equal((await fetch(`http://127.0.0.1:${internal}/readyz`)).status, 503);
    assert.equal((await fetch(`http://127.0.0.1:${internal}/healthz`)).status, 200);
    outage.end();
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal((await fetch(`http://127.0.0.1:${internal}/readyz`)).status, 200);
  });
});
