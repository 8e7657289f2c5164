import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { DELIVERED_ANNOTATION, RELAUNCH_ANNOTATION, VERDICT_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import { JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { untilStatus } from "../../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberFor, numberOf, recordOf, type Stage, startStage } from "../stage.ts";

const gearmand = () => startGearmand();
const geard = () => startGeard();
const CHANGE = { ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}` };

async function startNext(stage: Stage, config: object = {}): Promise<void> {
  const before = stage.log.items.filter(({ message }) => message === "takes builds").length;
  await stage.startOperator(config);
  await stage.logged("takes builds", before);
}

/** The unique of a request for `unit` whose number comes before this one. */
function uniqueBefore(stage: Stage, number: string): string {
  for (let count = 0; ; count += 1) {
    const unique = `relaunch-${count}`;
    if (numberFor(stage, unique, CHANGE) < number) return unique;
  }
}

/** A build whose test runs until `finish` is called. */
async function startRunning(start: () => ReturnType<typeof startGearmand>, spec: object = {}, config: object = {}) {
  const finished = Promise.withResolvers<void>();
  const stage = await startStage({ start, config, tasks: { unit: spec }, script: () => ({ finished: finished.promise }) });
  const build = await stage.submit("unit", { parameters: CHANGE });
  const number = await numberOf(build);
  await stage.running(number);
  return { stage, build, number, finish: () => finished.resolve() };
}

/** The Job that the first version made of a request at this server, and that request; its number is of three things and no namespace. */
async function readFirstJob(server: string) {
  const text = await readFile(join(import.meta.dirname, "../../../fixtures/first-version/job.yaml"), "utf8");
  const unique = "0123456789abcdef0123456789abcdef";
  const number = `unit-${createHash("sha256").update(`["${server}","build:unit","${unique}"]`).digest("hex").slice(0, 16)}`;
  const job = parse(text.replaceAll("gearman:4730", server).replaceAll("unit-4757c344dbc13bc4", number));
  const parameters: string = job.spec.template.metadata.annotations["turbo-hipster.io/parameters"];
  return { job, unique, parameters };
}

/** A build that was stopped before its test ran, and an operator that has ended while the API server would not delete its Job. */
async function leaveUndeleted(start: () => ReturnType<typeof startGearmand>) {
  const stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: new Promise(() => {}) }) });
  const fault = stage.kube.misbehave({ verb: "delete", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
  const build = await stage.submit("unit");
  const number = await numberOf(build);
  await stage.until(() => stage.pods().length === 1, "the pod");
  await stage.stop(number);
  await stage.logged("retries to delete the Job");
  await stage.stopOperator();
  return { stage, build, fault };
}

describe("an operator that takes over", () => {
  test("goes on with a running build of gearmand, in the same pod", async () => {
    const { build, number, finish, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    await stage.stopOperator();
    await startNext(stage);
    await stage.logged("attaches a request to the build that is under way");
    finish();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  for (const [what, shortens] of [
    ["a running build of geard when Zuul launches the change again", false],
    ["one of geard that an older version began, whose Job has the key that was written then", true],
  ] as const) {
    test(`goes on with ${what}, in the same pod`, async () => {
      const { build, number, finish, ...rest } = await startRunning(geard);
      await using stage = rest.stage;
      await stage.stopOperator();
      assert.equal((await answerOf(build)).result, null);
      if (shortens) {
        const key = stage.jobs()[0]?.metadata.annotations?.[RELAUNCH_ANNOTATION] ?? "";
        assert.match(key, /^[0-9a-f]{16}-[0-9a-f]{64}$/);
        stage.kube.patch(JOBS, NAMESPACE, number, { metadata: { annotations: { [RELAUNCH_ANNOTATION]: key.slice(17) } } });
      }
      await startNext(stage);
      const relaunch = await stage.submit("unit", { parameters: CHANGE });
      assert.equal(await numberOf(relaunch), number);
      finish();
      assert.equal((await answerOf(relaunch)).result, "SUCCESS");
      assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
    });
  }

  test("goes on with a running build that the first version began, in the same pod", async () => {
    const finished = Promise.withResolvers<void>();
    const tasks = { unit: { checkout: { enabled: false } } };
    await using stage = await startStage({ start: gearmand, tasks, startsOperator: false, script: () => ({ finished: finished.promise }) });
    const { job, unique, parameters } = await readFirstJob(stage.link.address);
    const build = await stage.submit("unit", { unique, parameters });
    stage.kube.create(JOBS, NAMESPACE, job);
    await stage.running(job.metadata.name);
    await startNext(stage);
    await stage.logged("attaches a request to the build that is under way");
    finished.resolve();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(recordOf(await stage.recorded(job.metadata.name)).isDelivered, true);
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  test("answers a build whose test ended while there was no operator", async () => {
    const { build, number, finish, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    await stage.stopOperator();
    finish();
    await stage.until(() => stage.pods()[0]?.status?.phase === "Succeeded", "the end of the pod");
    await startNext(stage);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    assert.equal(stage.pods().length, 1);
  });

  test("makes the Job of a build that had none yet", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    const fault = stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    await stage.logged("retries to create the Job");
    await stage.stopOperator();
    fault.stop();
    await startNext(stage);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  test("goes on with a build whose pod waits for a node", async () => {
    const scheduled = Promise.withResolvers<void>();
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: () => ({ scheduled: scheduled.promise }) });
    const build = await stage.submit("unit");
    await stage.until(() => stage.pods().length === 1, "the pod");
    await stage.stopOperator();
    await startNext(stage);
    await stage.logged("attaches a request to the build that is under way");
    scheduled.resolve();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(stage.pods().length, 1);
  });

  test("answers ABORTED for a build that was stopped before", async () => {
    const { build, number, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    // The pod's end is not told to the first operator.
    stage.kube.watches.silence("pods");
    await stage.stop(number);
    await stage.until(() => stage.jobs()[0]?.metadata.annotations?.["turbo-hipster.io/cancelled"], "the note of the stop");
    await stage.stopOperator();
    await startNext(stage);
    assert.equal((await answerOf(build)).result, "ABORTED");
  });

  test("deletes the Job of a build that was to be deleted when the one before ended", async () => {
    const { build, fault, ...rest } = await leaveUndeleted(gearmand);
    await using stage = rest.stage;
    fault.stop();
    await startNext(stage);
    assert.equal((await answerOf(build)).result, "ABORTED");
    await stage.until(() => stage.jobs().length === 0 && stage.pods().length === 0, "the end of Job and pod");
  });

  test("deletes such a Job also when nobody asks for its build any more", async () => {
    const { build, fault, ...rest } = await leaveUndeleted(geard);
    await using stage = rest.stage;
    assert.equal((await answerOf(build)).result, null);
    fault.stop();
    await startNext(stage);
    await stage.until(() => stage.jobs().length === 0 && stage.pods().length === 0, "the end of Job and pod");
  });

  test("ends a build that nobody claims for two minutes", async () => {
    const { number, ...rest } = await startRunning(geard);
    await using stage = rest.stage;
    await stage.stopOperator();
    await startNext(stage);
    await stage.logged("finds another replica gone");
    await stage.skip(121_000);
    await stage.until(() => stage.pods()[0]?.spec.activeDeadlineSeconds === 1, "the end of its pod");
    await stage.skip(121_000);
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
  });

  test("at full load keeps a build whose request waits behind others, for as long as it takes and whatever its server does", async () => {
    const { build, number, finish, ...rest } = await startRunning(gearmand, { maxConcurrent: 1 });
    await using stage = rest.stage;
    const other = await stage.submit("unit");
    await other.handle;
    await stage.stopOperator();
    await startNext(stage);
    await stage.skip(20 * 60_000);
    // A moment in which the server does not know all functions, and one without links.
    stage.task("more");
    await untilStatus(stage.server, (status) => status.has("build:more"));
    await stage.skip(60_000);
    const before = stage.log.items.filter(({ message }) => message === "registered at the gearman server").length;
    stage.link.cut();
    await stage.logged("registered at the gearman server", before);
    await stage.skip(60_000);
    assert.equal(stage.pods().find(({ metadata }) => metadata.labels?.["job-name"] === number)?.spec.activeDeadlineSeconds > 1, true);
    finish();
    // Watches may have ended in silence meanwhile, and pause.
    await stage.skip(20_000);
    assert.deepEqual([(await answerOf(build)).result, (await answerOf(other)).result], ["SUCCESS", "SUCCESS"]);
    assert.equal(stage.pods().length, 2);
  });

  test("leaves the Jobs of builds alone that were delivered", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "SUCCESS");
    const before = await stage.recorded(await numberOf(build));
    await stage.stopOperator();
    await startNext(stage);
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    assert.equal(
      stage.log.items.some(({ message }) => message.startsWith("goes on with")),
      false,
    );
    assert.deepEqual(
      stage.jobs().find(({ metadata }) => metadata.uid === before.metadata.uid),
      before,
    );
  });

  test("takes no more builds of a task than its limit, those that run already included", async () => {
    const { build, finish, ...rest } = await startRunning(geard, { maxConcurrent: 1 });
    await using stage = rest.stage;
    await stage.stopOperator();
    assert.equal((await answerOf(build)).result, null);
    // Queued before the relaunch: a free slot would take this one first.
    const other = await stage.submit("unit", { parameters: { ZUUL_REF: "refs/heads/master" } });
    await startNext(stage);
    await stage.logged("opened a connection", 5);
    assert.equal(stage.log.items.filter(({ message }) => message === "accepts a build").length, 1);
    finish();
    await stage.skip(121_000);
    assert.equal((await answerOf(other)).result, "SUCCESS");
  });

  test("answers Zuul's relaunch by the newest of its Jobs, not by one whose pod was lost and whose end nobody has written down", async () => {
    const { build, number, finish, ...rest } = await startRunning(geard);
    await using stage = rest.stage;
    const [pod] = stage.pods();
    stage.kube.delete(PODS, NAMESPACE, pod?.metadata.name ?? "");
    assert.equal((await answerOf(build)).result, null);
    await stage.recorded(number);
    // Its Job is listed before the older one, so that the older one is adopted last.
    const unique = uniqueBefore(stage, number);
    const relaunched = await stage.submit("unit", { unique, parameters: CHANGE });
    const second = await numberOf(relaunched);
    assert.ok(second < number);
    await stage.running(second);
    await stage.stopOperator();
    assert.equal((await answerOf(relaunched)).result, null);
    const annotations = { [VERDICT_ANNOTATION]: null, [DELIVERED_ANNOTATION]: null };
    stage.kube.patch(JOBS, NAMESPACE, number, { metadata: { annotations }, spec: { ttlSecondsAfterFinished: null } });
    const again = await stage.submit("unit", { parameters: CHANGE });
    await startNext(stage);
    assert.equal(await numberOf(again), second);
    finish();
    assert.equal((await answerOf(again)).result, "SUCCESS");
    assert.equal(stage.jobs().length, 2);
  });
});
