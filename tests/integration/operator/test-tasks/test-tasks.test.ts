import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PODS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import type { StoredObject } from "../../../support/fake-kube/resource-rules.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { untilStatus } from "../../gearman/worker/link-harness.ts";
import { answerOf, dataOf, type LogLine, NAMESPACE, numberOf, type Stage, startStage } from "../stage.ts";

const gearmand = () => startGearmand();

function edit(stage: Stage, name: string, spec: object): void {
  stage.kube.patch(TEST_TASKS, NAMESPACE, name, { spec });
}

/** The TestTask once its status has this condition; the operator writes at most every five seconds, which is skipped. */
async function condition(
  stage: Stage,
  name: string,
  type: string,
  isRight: (condition: Record<string, unknown>) => boolean,
): Promise<StoredObject> {
  const find = () =>
    stage.kube
      .find(TEST_TASKS, NAMESPACE, name)
      ?.status?.conditions?.find((each: Record<string, unknown>) => each.type === type && isRight(each));
  const leave = stage.clock.onSchedule((delayMs) => {
    if (delayMs > 1000 && delayMs <= 5000) queueMicrotask(() => stage.clock.skip(5000));
  });
  await stage.logged("takes builds");
  stage.clock.skip(5000);
  await stage.until(find, `${type} of ${name}`).finally(leave);
  return stage.kube.get(TEST_TASKS, NAMESPACE, name);
}

/** Waits until the operator has opened this connection, so many times. */
async function untilOpened(stage: Stage, role: string, times = 1): Promise<void> {
  const opened = (lines: readonly LogLine[]) =>
    lines.filter(({ message, fields }) => message === "opened a connection" && fields.role === role).length;
  await stage.log.until((lines) => opened(lines) >= times);
}

/** Everything that `finish` lets go, and how many pods ran at once at most. */
function countingScript() {
  const running = new Set<string>();
  let most = 0;
  const finish: (() => void)[] = [];
  return {
    get most() {
      return most;
    },
    finish: () => finish.shift()?.(),
    script: (job: StoredObject) => {
      running.add(job.metadata.name);
      most = Math.max(most, running.size);
      const finished = new Promise<void>((resolve) => finish.push(resolve));
      return { finished: finished.then(() => void running.delete(job.metadata.name)) };
    },
  };
}

describe("a TestTask", () => {
  test("that is edited leaves its running build alone, and the next one runs what it says now", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const first = await stage.submit("unit");
    await stage.running(await numberOf(first));
    edit(stage, "unit", { image: "test:2" });
    await stage.logged("takes builds");
    const before = stage.pods();
    finished.resolve();
    assert.equal((await answerOf(first)).result, "SUCCESS");
    assert.equal(before.length, 1);
    const second = await stage.submit("unit");
    assert.equal((await answerOf(second)).result, "SUCCESS");
    const images = await Promise.all(
      [first, second].map(async (build) => (await stage.recorded(await numberOf(build))).spec.template.spec.containers[0].image),
    );
    assert.deepEqual(images, ["test:1", "test:2"]);
  });

  test("that is suspended leaves its running build alone, takes none, stays registered, and goes on when resumed", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({
      start: gearmand,
      tasks: { unit: {}, other: {} },
      script: () => ({ finished: finished.promise }),
    });
    const first = await stage.submit("unit");
    await stage.running(await numberOf(first));
    edit(stage, "unit", { suspend: true });
    await condition(stage, "unit", "Ready", ({ status, reason }) => status === "False" && reason === "Suspended");
    finished.resolve();
    assert.equal((await answerOf(first)).result, "SUCCESS");
    const waiting = await stage.submit("unit");
    assert.equal((await answerOf(await stage.submit("other"))).result, "SUCCESS");
    assert.deepEqual(waiting.kinds(), ["created"]);
    await untilStatus(stage.server, (status) => (status.get("build:unit")?.workers ?? 0) > 0 && status.get("build:unit")?.total === 1);
    edit(stage, "unit", { suspend: false });
    assert.equal((await answerOf(waiting)).result, "SUCCESS");
  });

  for (const [kind, start] of [
    ["gearmand", gearmand],
    ["geard", () => startGeard()],
  ] as const) {
    test(`that is deleted leaves its running build alone, and the next request is answered, through ${kind}`, async () => {
      const finished = Promise.withResolvers<void>();
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
      const first = await stage.submit("unit");
      await stage.running(await numberOf(first));
      stage.untask("unit");
      await stage.log.until((lines) =>
        lines.some(({ message, fields }) => message === "opened a connection" && fields.role === "lane/retired"),
      );
      const second = await stage.submit("unit");
      assert.equal((await answerOf(second)).result, "CONFIG_ERROR - no TestTask serves this job any more");
      finished.resolve();
      assert.equal((await answerOf(first)).result, "SUCCESS");
      assert.equal(stage.jobs().length, 1);
    });
  }

  test("that was deleted while there was no operator is answered for by the next one", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    await stage.stopOperator();
    stage.untask("unit");
    const build = await stage.submit("unit");
    await stage.startOperator();
    assert.equal((await answerOf(build)).result, "CONFIG_ERROR - no TestTask serves this job any more");
  });

  test("that names a job which an older one holds serves the rest, and says so", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { older: { jobs: ["a", "b"] } } });
    stage.kube.create(TEST_TASKS, NAMESPACE, { metadata: { name: "younger" }, spec: { image: "test:9", jobs: ["b", "c"] } });
    const build = await stage.submit("c");
    assert.equal((await answerOf(build)).result, "SUCCESS");
    const task = await condition(stage, "younger", "Ready", ({ reason }) => reason === "FunctionConflict");
    assert.deepEqual(task.status.functions, ["build:c"]);
    const contested = await stage.submit("b");
    await answerOf(contested);
    const job = await stage.recorded(await numberOf(contested));
    assert.equal(job.metadata.labels?.["turbo-hipster.io/task"], "older");
    // The heir takes over when the older one goes.
    stage.untask("older");
    await condition(stage, "younger", "Ready", ({ status }) => status === "True");
    const inherited = await stage.submit("b");
    await answerOf(inherited);
    assert.match(await numberOf(inherited), /^younger-/);
  });

  test("that cannot be read says why, and takes nothing away from the others", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { good: {}, bad: { timeouts: { run: 7 }, nonsense: true } } });
    const bad = await condition(stage, "bad", "Ready", ({ reason }) => reason === "Invalid");
    assert.match(JSON.stringify(bad.status.conditions), /spec\.timeouts\.run/);
    assert.equal(bad.status.conditions.find(({ type }: { type: string }) => type === "Registered").reason, "Invalid");
    assert.equal((await answerOf(await stage.submit("good"))).result, "SUCCESS");
  });

  test("tells its functions, its running builds and the last one in its status", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({
      start: gearmand,
      tasks: { unit: { jobs: ["a"], nodeLabels: [{ name: "bionic" }] } },
      script: () => ({ exitCode: 1, message: "2 of 3 failed", finished: finished.promise }),
    });
    await condition(stage, "unit", "Registered", ({ status }) => status === "True");
    const build = await stage.submit("a:bionic");
    const number = await numberOf(build);
    await stage.running(number);
    stage.clock.skip(5000);
    const active = await stage.until(() => task()?.status?.active === 1 && task(), "the running build");
    assert.deepEqual(active.status.functions, ["build:a", "build:a:bionic"]);
    finished.resolve();
    await answerOf(build);
    await stage.recorded(number);
    stage.clock.skip(5000);
    const done = await stage.until(() => task()?.status?.active === 0 && task(), "the end of the build");
    assert.deepEqual([done.status.lastBuild.number, done.status.lastBuild.result], [number, "2 of 3 failed"]);
    assert.deepEqual(dataOf(build).at(-1)?.node_labels, ["bionic"]);

    function task(): StoredObject | undefined {
      return stage.kube.find(TEST_TASKS, NAMESPACE, "unit");
    }
  });

  test("gets its status as soon as the API server takes it again", async () => {
    await using stage = await startStage({ start: gearmand, startsOperator: false, tasks: { unit: {} } });
    const fault = stage.kube.misbehave({ verb: "patch", resource: "testtasks/status" }, { kind: "status", code: 500 }, 3);
    await stage.startOperator();
    for (let count = 0; count < 3; count += 1) {
      await stage.logged("retries to write the status of a TestTask", count);
      stage.clock.skip(5000);
    }
    await stage.until(() => stage.kube.find(TEST_TASKS, NAMESPACE, "unit")?.status?.conditions, "the status");
    assert.equal(fault.struck, 3);
  });
});

describe("the number of builds at once", () => {
  for (const [kind, start] of [
    ["gearmand", gearmand],
    ["geard", () => startGeard()],
  ] as const) {
    test(`is exactly maxConcurrent of a task, and reached, through ${kind}`, async () => {
      const pods = countingScript();
      await using stage = await startStage({ start, tasks: { limited: { maxConcurrent: 2 }, free: {} }, script: pods.script });
      const builds = await Promise.all(Array.from({ length: 6 }, () => stage.submit("limited")));
      for (let ended = 0; ended < 6; ended += 1) {
        await stage.until(() => stage.pods().length === Math.min(6, ended + 2), `pod ${ended + 2}`);
        assert.equal(pods.most, 2);
        pods.finish();
      }
      for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.equal(pods.most, 2);
    });

    test(`is exactly maxBuilds of the installation, over all tasks, through ${kind}`, async () => {
      const pods = countingScript();
      await using stage = await startStage({
        start,
        config: { maxBuilds: 3 },
        tasks: { a: {}, b: { maxConcurrent: 2 } },
        script: pods.script,
      });
      const builds = await Promise.all(["a", "b", "a", "b", "a", "a", "a", "a"].map((job) => stage.submit(job)));
      for (let ended = 0; ended < builds.length; ended += 1) {
        await stage.until(() => stage.pods().length === Math.min(builds.length, ended + 3), `pod ${ended + 3}`);
        assert.equal(pods.most, 3);
        pods.finish();
      }
      for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    });
  }

  test("follows maxConcurrent when it is raised and lowered", async () => {
    const pods = countingScript();
    await using stage = await startStage({ start: gearmand, tasks: { unit: { maxConcurrent: 1 } }, script: pods.script });
    const builds = await Promise.all(Array.from({ length: 5 }, () => stage.submit("unit")));
    await stage.until(() => stage.pods().length === 1, "one pod");
    edit(stage, "unit", { maxConcurrent: 3 });
    await stage.until(() => stage.pods().length === 3, "three pods");
    edit(stage, "unit", { maxConcurrent: 1 });
    await stage.until(() => stage.kube.find(TEST_TASKS, NAMESPACE, "unit")?.metadata.generation === 3, "the edit");
    pods.finish();
    pods.finish();
    pods.finish();
    await stage.until(() => stage.pods().length === 4, "the fourth pod");
    pods.finish();
    await stage.until(() => stage.pods().length === 5, "the fifth pod");
    pods.finish();
    for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(pods.most, 3);
  });

  test("counts what runs when a task gets a limit, and when it is deleted and applied again", async () => {
    const pods = countingScript();
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script: pods.script });
    const first = [await stage.submit("unit"), await stage.submit("unit")];
    await stage.until(() => stage.pods().length === 2, "two pods");
    edit(stage, "unit", { maxConcurrent: 2 });
    await untilOpened(stage, "lane/ci/unit");
    const later = [await stage.submit("unit"), await stage.submit("unit")];
    await untilStatus(stage.server, (status) => status.get("build:unit")?.total === 4);
    stage.untask("unit");
    await untilOpened(stage, "lane/retired");
    await Promise.all(later.map(answerOf));
    stage.task("unit", { maxConcurrent: 2 });
    await untilOpened(stage, "lane/ci/unit", 2);
    const last = [await stage.submit("unit"), await stage.submit("unit")];
    for (let ended = 0; ended < 4; ended += 1) {
      await stage.until(() => stage.pods().length === Math.min(4, ended + 2), `pod ${ended + 2}`);
      assert.equal(pods.most, 2);
      pods.finish();
    }
    for (const build of [...first, ...last]) assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(pods.most, 2);
  });

  for (const config of [{ maxPending: 2 }, { maxBuilds: 2 }]) {
    for (const [kind, start] of [
      ["gearmand", gearmand],
      ["geard", () => startGeard()],
    ] as const) {
      test(`of one task that no node takes leaves room for another's, with ${JSON.stringify(config)} through ${kind}`, async () => {
        const scheduled = Promise.withResolvers<void>();
        const isStuck = (job: StoredObject) => job.metadata.labels?.["turbo-hipster.io/task"] === "stuck";
        const script = (job: StoredObject) => (isStuck(job) ? { scheduled: scheduled.promise } : {});
        await using stage = await startStage({ start, config, tasks: { stuck: {}, healthy: {} }, script });
        const stuck = [await stage.submit("stuck"), await stage.submit("stuck"), await stage.submit("stuck")];
        await stage.until(() => stage.pods().length === 1, "the pod that no node takes");
        for (let count = 0; count < 4; count += 1) assert.equal((await answerOf(await stage.submit("healthy"))).result, "SUCCESS");
        assert.equal(stage.jobs().filter(isStuck).length, 1);
        const words = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
        const pod = stage.pods().find(({ metadata }) => /^stuck-/.test(metadata.name));
        stage.kube.patchStatus(PODS, NAMESPACE, pod?.metadata.name ?? "", {
          conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: words }],
        });
        const task = await condition(stage, "stuck", "Degraded", ({ reason }) => reason === "BuildsWait");
        const told = task.status.conditions.find(({ type }: { type: string }) => type === "Degraded");
        assert.equal(told.message, `1 build waits for a node, so that it takes no more until one has a node: ${words}`);
        scheduled.resolve();
        for (const build of stuck) assert.equal((await answerOf(build)).result, "SUCCESS");
        await condition(stage, "stuck", "Degraded", ({ status }) => status === "False");
      });
    }
  }

  test("stops at maxPending while that many wait for a node", async () => {
    const scheduled = Promise.withResolvers<void>();
    await using stage = await startStage({
      start: gearmand,
      config: { maxPending: 2 },
      tasks: { unit: {} },
      script: () => ({ scheduled: scheduled.promise }),
    });
    const builds = await Promise.all(Array.from({ length: 4 }, () => stage.submit("unit")));
    await stage.until(() => stage.pods().length === 2, "two pods");
    await untilStatus(stage.server, (status) => status.get("build:unit")?.running === 2);
    assert.equal(stage.pods().length, 2);
    scheduled.resolve();
    for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
  });
});
