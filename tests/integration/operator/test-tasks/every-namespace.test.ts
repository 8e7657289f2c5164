import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS, PODS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberOf, type Stage, startStage } from "../stage.ts";

const start = () => startGearmand();
const OWN = "operators";
const EVERY = { namespaces: ["*"], ownNamespace: OWN };

const addTask = (stage: Stage, namespace: string, name: string, spec: object = {}) =>
  stage.kube.create(TEST_TASKS, namespace, { metadata: { name }, spec: { image: "test:1", ...spec } });

/** Namespaces that the operator has called this resource in; undefined: in all at once. */
const placesOf = (stage: Stage, ...resources: string[]) =>
  new Set(stage.kube.calls.filter(({ resource }) => resources.includes(resource)).map(({ namespace }) => namespace));

describe("every namespace served", () => {
  test("is so without a word: one that comes later as well, and the operator's own objects are in its namespace", async () => {
    await using stage = await startStage({ start, config: EVERY, tasks: { unit: {} } });
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    const watched = () => stage.kube.calls.filter(({ verb, namespace }) => verb === "watch" && namespace !== OWN);
    assert.deepEqual(
      new Set(watched().map(({ resource, namespace }) => `${resource} ${namespace}`)),
      new Set(["events undefined", "jobs undefined", "pods undefined", "testtasks undefined"]),
    );
    const watches = watched().length;
    addTask(stage, "later", "unit-later", { maxConcurrent: 1 });
    for (const _ of [1, 2]) assert.equal((await answerOf(await stage.submit("unit-later"))).result, "SUCCESS");
    assert.deepEqual([stage.kube.list(JOBS, NAMESPACE).length, stage.kube.list(JOBS, "later").length], [1, 2]);
    assert.equal(watched().length, watches, "no watch was begun for it");
    assert.deepEqual(placesOf(stage, "leases", "configmaps"), new Set([OWN]));
  });

  test("one that is deleted under a running build ends that, its jobs are refused from then on, and all others go on", async () => {
    await using stage = await startStage({
      start,
      config: EVERY,
      tasks: { unit: {} },
      script: (job) => (job.metadata.namespace === "doomed" ? { finished: new Promise(() => {}) } : {}),
    });
    addTask(stage, "doomed", "long");
    const running = await stage.submit("long");
    const number = await numberOf(running);
    const pod = await stage.until(
      () => stage.kube.list(PODS, "doomed").find(({ status }) => status?.phase === "Running"),
      "the running pod",
    );
    // What the namespace's controller does.
    stage.kube.delete(TEST_TASKS, "doomed", "long");
    stage.kube.remove(PODS, "doomed", pod.metadata.name);
    stage.kube.remove(JOBS, "doomed", number);
    assert.equal((await answerOf(running)).result, null);
    const { result } = await answerOf(await stage.submit("long"));
    assert.match(String(result), /^CONFIG_ERROR - no TestTask/);
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    assert.equal(stage.kube.list(JOBS, "doomed").length, 0);
  });

  test("a job that two of them serve is the older TestTask's, and the other's when that is gone", async () => {
    await using stage = await startStage({ start, config: EVERY, tasks: { unit: {} } });
    // As old to the second: then the namespace's name decides.
    addTask(stage, "other", "unit");
    const reasonOf = () =>
      stage.kube
        .find(TEST_TASKS, "other", "unit")
        ?.status?.conditions?.find((each: { type: string; reason: string }) => each.type === "Ready" && each.reason === "FunctionConflict");
    const leave = stage.clock.onSchedule((delayMs) => {
      if (delayMs > 1000 && delayMs <= 5000) queueMicrotask(() => stage.clock.skip(5000));
    });
    stage.clock.skip(5000);
    const conflict = await stage.until(reasonOf, "the conflict").finally(leave);
    assert.match(conflict.message, new RegExp(`${NAMESPACE}/unit`));
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    stage.untask("unit");
    await stage.until(() => stage.kube.find(TEST_TASKS, NAMESPACE, "unit") === undefined, "the older one to be gone");
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual([stage.kube.list(JOBS, NAMESPACE).length, stage.kube.list(JOBS, "other").length], [1, 1]);
  });

  test("may not be read: the operator is unready, says why, and begins when it may", async () => {
    await using stage = await startStage({ start, config: EVERY, tasks: { unit: {} }, startsOperator: false });
    const effect = { kind: "status", code: 403, reason: "Forbidden", message: "no right at all" } as const;
    const fault = stage.kube.misbehave({ verb: "list", resource: "jobs" }, effect, Number.POSITIVE_INFINITY);
    await stage.startOperator();
    const line = await stage.logged("serves nothing, as it may not read all namespaces");
    assert.deepEqual([line.level, line.fields.namespace, line.fields.resource], ["error", "*", "jobs"]);
    const url = `http://127.0.0.1:${stage.operator.ports.internal}/readyz`;
    const answer = await fetch(url, { headers: { connection: "close" } });
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /^no namespace is served yet - .*jobs: list jobs: no right at all/m);
    fault.stop();
    stage.clock.skip(31_000);
    await stage.operator.ready();
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
  });

  test("builds that run are known again after a restart, wherever they are", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, config: EVERY, script: () => ({ finished: finished.promise }) });
    for (const namespace of ["one", "two"]) addTask(stage, namespace, `in-${namespace}`);
    const builds = [await stage.submit("in-one"), await stage.submit("in-two")];
    const numbers = await Promise.all(builds.map(numberOf));
    await stage.until(() => stage.kube.list(PODS).filter(({ status }) => status?.phase === "Running").length === 2, "both pods to run");
    await stage.stopOperator();
    await stage.startReplica();
    finished.resolve();
    for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual(
      ["one", "two"].flatMap((namespace) => stage.kube.list(JOBS, namespace).map(({ metadata }) => metadata.name)),
      numbers,
    );
  });
});
