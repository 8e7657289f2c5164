import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberFor, numberOf, recordOf, startStage } from "../stage.ts";

const never = new Promise<void>(() => {});
const CREATE = { verb: "create", resource: "jobs" };

for (const [kind, start] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const) {
  describe(`stop: through ${kind}`, () => {
    test("ends a running test through its pod, whose log stays, and answers ABORTED", async () => {
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: never }) });
      const build = await stage.submit("unit");
      const number = await numberOf(build);
      await stage.running(number);
      await stage.stop(number);
      assert.equal((await answerOf(build)).result, "ABORTED");
      const job = await stage.recorded(number);
      assert.deepEqual(recordOf(job), { rule: "stopped", result: "ABORTED", isDelivered: true });
      assert.ok(job.metadata.annotations?.["turbo-hipster.io/cancelled"]);
      assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds, 1);
    });
  });
}

describe("stop:", () => {
  const start = () => startGearmand();

  test("before the Job exists answers ABORTED at once, and makes none", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const fault = stage.kube.misbehave(CREATE, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.logged("retries to create the Job");
    await stage.stop(number);
    assert.equal((await answerOf(build)).result, "ABORTED");
    fault.stop();
    await stage.logged("recorded the build");
    assert.deepEqual(stage.jobs(), []);
  });

  test("while the API server is down answers ABORTED at once, and takes a Job away that was made unseen", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: never }) });
    stage.kube.misbehave(CREATE, { kind: "drop", afterwards: true });
    let outage: { end(): void } | undefined;
    const leave = stage.kube.subscribe(({ rules, type }) => {
      if (rules.plural === "jobs" && type === "ADDED") outage = stage.outage();
    });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.logged("retries to create the Job");
    leave();
    await stage.stop(number);
    assert.equal((await answerOf(build)).result, "ABORTED");
    assert.equal(stage.jobs().length, 1);
    outage?.end();
    await stage.until(() => stage.jobs().length === 0, "the end of the unseen Job");
  });

  test("while the pod waits for a node deletes the Job and answers ABORTED", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: never }) });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.until(() => stage.pods().length === 1, "the pod");
    await stage.stop(number);
    assert.equal((await answerOf(build)).result, "ABORTED");
    await stage.until(() => stage.jobs().length === 0 && stage.pods().length === 0, "the end of Job and pod");
  });

  for (const verb of ["patch", "delete"]) {
    test(`while the pod waits for a node deletes the Job even if the ${verb} fails at first`, async () => {
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: never }) });
      const fault = stage.kube.misbehave({ verb, resource: "jobs" }, { kind: "status", code: 500 }, 2);
      const build = await stage.submit("unit");
      const number = await numberOf(build);
      await stage.until(() => stage.pods().length === 1, "the pod");
      await stage.stop(number);
      assert.equal((await answerOf(build)).result, "ABORTED");
      assert.equal(fault.struck, 2);
      await stage.until(() => stage.jobs().length === 0 && stage.pods().length === 0, "the end of Job and pod");
    });

    test(`is answered even if the operator has no right to ${verb} the Job`, async () => {
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: never }) });
      stage.kube.misbehave({ verb, resource: "jobs" }, { kind: "status", code: 403, reason: "Forbidden" }, Number.POSITIVE_INFINITY);
      const build = await stage.submit("unit");
      const number = await numberOf(build);
      await stage.until(() => stage.pods().length === 1, "the pod");
      await stage.stop(number);
      // It is refused for five minutes before that is taken for lasting.
      await stage.skipTries("retries to delete the Job", 19);
      assert.equal((await answerOf(build)).result, "ABORTED");
    });
  }

  test("while images are pulled ends the pod and answers ABORTED", async () => {
    await using stage = await startStage({
      start,
      tasks: { unit: {} },
      script: () => ({ waiting: { reason: "ImagePullBackOff", message: "back-off" } }),
    });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    const pod = await stage.until(() => stage.pods().find(({ status }) => status?.startTime), "the pod on its node");
    await stage.stop(number);
    await stage.until(() => stage.pods()[0]?.spec.activeDeadlineSeconds === 1, "the lowered deadline");
    // The kubelet then fails the pod; its container never ran.
    stage.kube.patchStatus(PODS, NAMESPACE, pod.metadata.name, { phase: "Failed", reason: "DeadlineExceeded" });
    assert.equal((await answerOf(build)).result, "ABORTED");
  });

  test("that comes when the test has ended already changes nothing", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ exitCode: 1, message: "2 of 3 failed" }) });
    // Its end cannot be written down at first, so that the build is still known.
    stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 500 }, 3);
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    const answer = await answerOf(build);
    await stage.stop(number);
    assert.equal(answer.result, "2 of 3 failed");
    const job = await stage.recorded(number);
    assert.deepEqual(recordOf(job), { rule: "exit-code", result: "2 of 3 failed", isDelivered: true });
    assert.equal(job.metadata.annotations?.["turbo-hipster.io/cancelled"], undefined);
  });

  test("of a test that handles TERM and exits 0 is ABORTED, because its pod says DeadlineExceeded", async () => {
    await using stage = await startStage({
      start,
      tasks: { unit: {} },
      script: () => ({ finished: never, exitCodeOnTerm: 0 }),
    });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.running(number);
    await stage.stop(number);
    assert.equal((await answerOf(build)).result, "ABORTED");
  });

  test("is tried again until the API server has lowered the pod's deadline", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: never }) });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.running(number);
    await stage.reached("running");
    const outage = stage.outage();
    await stage.stop(number);
    await stage.logged("retries what the API server did not do");
    assert.equal(build.kinds().includes("complete"), false);
    outage.end();
    stage.clock.skip(16_000);
    assert.equal((await answerOf(build)).result, "ABORTED");
  });

  test("for a number that is not known yet is kept, and ends the build when it comes", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const unique = "cd".repeat(16);
    const number = numberFor(stage, unique);
    await stage.stop(number);
    assert.equal((await answerOf(await stage.submit("unit", { unique }))).result, "ABORTED");
    assert.deepEqual(stage.jobs(), []);
  });

  const nonsense: [string, Buffer][] = [
    ["no JSON", Buffer.from("stop it")],
    ["nothing", Buffer.from("")],
    ["NULs and bytes that are no text", Buffer.from([0, 255, 254, 0, 123])],
    ["a number of another kind", Buffer.from('{"number": 7}')],
    ["a list", Buffer.from('["unit-1"]')],
    ["64 KiB", Buffer.from(JSON.stringify({ number: "x".repeat(65_536) }))],
    ["__proto__ as number", Buffer.from('{"number": "__proto__"}')],
  ];
  test("with nonsense in it is answered and harms nobody", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const build = await stage.submit("unit");
    await stage.running(await numberOf(build));
    for (const [, payload] of nonsense) await stage.stop(payload);
    finished.resolve();
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("of one build leaves the others alone", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const builds = [await stage.submit("unit"), await stage.submit("unit"), await stage.submit("unit")] as const;
    for (const build of builds) await stage.running(await numberOf(build));
    await stage.stop(await numberOf(builds[1]));
    assert.equal((await answerOf(builds[1])).result, "ABORTED");
    finished.resolve();
    assert.equal((await answerOf(builds[0])).result, "SUCCESS");
    assert.equal((await answerOf(builds[2])).result, "SUCCESS");
    assert.equal(stage.kube.list(JOBS, NAMESPACE).length, 3);
  });
});
