import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EVENTS, JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberOf, recordOf, type Stage, startStage } from "../stage.ts";

const start = () => startGearmand();
const never = new Promise<void>(() => {});

async function startRunning(spec: object = {}) {
  const stage = await startStage({ start, tasks: { unit: spec }, script: () => ({ finished: never }) });
  const build = await stage.submit("unit");
  const number = await numberOf(build);
  const pod = await stage.running(number);
  await stage.reached("running");
  return { stage, build, number, pod: pod.metadata.name };
}

function failJob(stage: Stage, number: string): void {
  const condition = {
    type: "Failed",
    status: "True",
    reason: "BackoffLimitExceeded",
    message: "Job has reached the specified backoff limit",
  };
  stage.kube.patchStatus(JOBS, NAMESPACE, number, { active: null, failed: 1, conditions: [condition] });
}

describe("a build is given back to Zuul, without a result, when its pod", () => {
  const losses: [string, (stage: Stage, number: string, pod: string) => void][] = [
    ["is deleted", (stage, _, pod) => stage.kube.delete(PODS, NAMESPACE, pod)],
    ["is deleted together with its Job", (stage, number) => stage.kube.delete(JOBS, NAMESPACE, number)],
    [
      "vanishes, and the Job with it",
      (stage, number, pod) => {
        stage.kube.remove(PODS, NAMESPACE, pod);
        stage.kube.remove(JOBS, NAMESPACE, number);
      },
    ],
    [
      "vanishes, and the Job controller says so",
      (stage, number, pod) => {
        stage.kube.remove(PODS, NAMESPACE, pod);
        failJob(stage, number);
      },
    ],
    [
      "is evicted from its node",
      (stage, number, pod) => {
        stage.kube.patchStatus(PODS, NAMESPACE, pod, {
          phase: "Failed",
          reason: "Evicted",
          message: "The node was low on resource: memory.",
          conditions: [{ type: "DisruptionTarget", status: "True", reason: "TerminationByKubelet" }],
        });
        failJob(stage, number);
      },
    ],
    [
      "vanishes during an outage",
      (stage, number, pod) => {
        const outage = stage.outage();
        stage.kube.remove(PODS, NAMESPACE, pod);
        failJob(stage, number);
        stage.kube.compact();
        outage.end();
      },
    ],
  ];
  for (const [name, lose] of losses) {
    test(name, async () => {
      const { build, number, pod, ...rest } = await startRunning();
      await using stage = rest.stage;
      lose(stage, number, pod);
      assert.equal((await answerOf(build)).result, null);
      const judged = await stage.logged("judged the build");
      assert.equal(judged.fields.class, "infrastructure");
      await stage.logged("recorded the build");
    });
  }

  test("vanishes and nobody says so, after the time that a Job may be without a pod", async () => {
    const { build, number, pod, ...rest } = await startRunning();
    await using stage = rest.stage;
    stage.kube.remove(PODS, NAMESPACE, pod);
    await stage.reached("queued", 2);
    await stage.skip(10 * 60_000 + 1000);
    assert.equal((await answerOf(build)).result, null);
    await stage.until(() => stage.kube.find(JOBS, NAMESPACE, number) === undefined, "the end of the Job");
  });

  test("is never made, after the time that a Job may be without a pod", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ scheduled: never }) });
    stage.kube.subscribe(({ rules, type, object }) => {
      if (rules.plural === "pods" && type === "ADDED") queueMicrotask(() => stage.kube.remove(PODS, NAMESPACE, object.metadata.name));
    });
    const build = await stage.submit("unit");
    await stage.reached("queued");
    await stage.skip(10 * 60_000 + 1000);
    assert.equal((await answerOf(build)).result, null);
    await stage.until(() => stage.jobs().length === 0, "the end of the Job");
  });

  test("gets no image in time, and the Job says which, and why", async () => {
    await using stage = await startStage({
      start,
      tasks: { unit: { timeouts: { pull: "1m" } } },
      script: () => ({ waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "ci/unit:3"' } }),
    });
    const build = await stage.submit("unit");
    const pod = await stage.until(() => stage.pods().find(({ status }) => status?.startTime), "the pod on its node");
    stage.kube.create(EVENTS, NAMESPACE, {
      metadata: { name: "pull" },
      type: "Warning",
      reason: "Failed",
      message: 'Failed to pull image "ci/unit:3": 503 Service Unavailable',
      involvedObject: { kind: "Pod", namespace: NAMESPACE, name: pod.metadata.name, uid: pod.metadata.uid },
      lastTimestamp: new Date().toISOString(),
    });
    await stage.reached("preparing");
    await stage.skip(11 * 60_000 + 1000);
    await stage.until(() => stage.pods()[0]?.spec.activeDeadlineSeconds === 1, "the end of its pod");
    stage.kube.patchStatus(PODS, NAMESPACE, pod.metadata.name, { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [] });
    assert.equal((await answerOf(build)).result, null);
    const job = await stage.recorded(await numberOf(build));
    const { rule, message, evidence } = JSON.parse(job.metadata.annotations?.["turbo-hipster.io/verdict"] ?? "{}");
    const waitedFor =
      'image ci/unit tag 3 of container test - ImagePullBackOff - Failed to pull image "ci/unit:3": 503 Service Unavailable';
    assert.deepEqual([rule, evidence.waitedFor], ["pull-timeout", waitedFor]);
    assert.equal(message, `the pod's images and init containers were not ready in time - waited for ${waitedFor}`);
  });

  test("finds no node in time, where the task sets one", async () => {
    await using stage = await startStage({
      start,
      tasks: { unit: { timeouts: { schedule: "5m" } } },
      script: () => ({ scheduled: never }),
    });
    const build = await stage.submit("unit");
    await stage.reached("unscheduled");
    await stage.skip(5 * 60_000 + 1000);
    assert.equal((await answerOf(build)).result, null);
    await stage.until(() => stage.jobs().length === 0, "the end of the Job");
  });
});

describe("a build", () => {
  test("over its run timeout is ended through its pod and TIMED_OUT, even if it then exits 0", async () => {
    await using stage = await startStage({
      start,
      tasks: { unit: { timeouts: { run: "30m" } } },
      script: () => ({ finished: never, exitCodeOnTerm: 0 }),
    });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    const pod = await stage.running(number);
    await stage.reached("running");
    // The node's clock skips nothing: the test began longer ago.
    const startTime = new Date(Date.now() - 31 * 60_000).toISOString();
    stage.kube.patchStatus(PODS, NAMESPACE, pod.metadata.name, { startTime });
    await stage.skip(29 * 60_000);
    assert.ok(stage.pods()[0]?.spec.activeDeadlineSeconds > 1);
    await stage.skip(61_000);
    assert.equal((await answerOf(build)).result, "TIMED_OUT");
    assert.equal(recordOf(await stage.recorded(number)).rule, "run-timeout");
    assert.equal(stage.pods().length, 1);
  });

  test("with an image name that can be none is told so at once", async () => {
    await using stage = await startStage({
      start,
      tasks: { unit: {} },
      script: () => ({ waiting: { reason: "InvalidImageName", message: "couldn't parse image name" } }),
    });
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "CONFIG_ERROR - invalid image name - could not parse image name");
    await stage.logged("recorded the build");
  });
});
