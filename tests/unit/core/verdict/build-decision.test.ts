import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Container, Job, Pod } from "../../../../src/core/kubernetes/objects.ts";
import { suspendedAfterStart } from "../../../../src/core/observation/build-state.ts";
import { type BuildAction, type BuildFacts, decideBuild, mustEndPod } from "../../../../src/core/verdict/build-decision.ts";
import type { Verdict } from "../../../../src/core/verdict/verdict.ts";
import { makeJob, makePod, observe, running, service, terminated, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";

const LIMITS = {
  podMs: 600_000,
  scheduleMs: undefined,
  pullMs: 1_200_000,
  checkoutMs: 600_000,
  collectMs: 600_000,
  runMs: 3_600_000,
  run: "1h",
};
const NOW = new Date("2026-01-01T12:00:00Z");
const DELETED = { deletionTimestamp: "2026-01-01T00:00:20Z" };
const ENDING = { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1 };

function decide(pods: Pod[], facts: Partial<BuildFacts> & { job?: Job } = {}): BuildAction {
  const { job = makeJob(), ...rest } = facts;
  return decideBuild({ state: observe(job, pods), withdrawn: undefined, since: NOW, limits: LIMITS, ...rest }, NOW);
}

function verdictOf(action: BuildAction): Verdict {
  assert.equal(action.kind, "finish");
  return (action as Extract<BuildAction, { kind: "finish" }>).verdict;
}

describe("a build that is to end", () => {
  test("gets its running pod ended, once", () => {
    assert.deepEqual(decide([makePod()], { withdrawn: "stop" }), { kind: "end-pod", pod: makePod().metadata.name, end: "stop" });
    assert.equal(decide([makePod({ spec: ENDING })], { withdrawn: "stop" }).kind, "wait");
  });

  test("is finished and its Job deleted when no kubelet has its pod", () => {
    const pending = makePod({
      spec: { containers: [{ name: "test" }], nodeName: undefined as never },
      status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] },
    });
    for (const pods of [[], [pending]]) {
      const action = decide(pods, { withdrawn: "stop" });
      assert.equal(verdictOf(action).result, "ABORTED");
      assert.equal(action.kind === "finish" && action.deleteJob, true);
    }
  });

  test("is ABORTED by any exit code but 0", () => {
    const pod = makePod({ spec: ENDING, status: { containerStatuses: [terminated("test", 143)] } });
    assert.equal(verdictOf(decide([pod], { withdrawn: "stop" })).result, "ABORTED");
  });

  test("with exit code 0 waits for the pod to tell which came first", () => {
    const exited = [terminated("test", 0)];
    assert.equal(decide([makePod({ spec: ENDING, status: { containerStatuses: exited } })], { withdrawn: "stop" }).kind, "wait");
    const deadline = makePod({ spec: ENDING, status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: exited } });
    assert.equal(verdictOf(decide([deadline], { withdrawn: "stop" })).result, "ABORTED");
    const succeeded = makePod({ spec: ENDING, status: { phase: "Succeeded", containerStatuses: exited } });
    assert.equal(verdictOf(decide([succeeded], { withdrawn: "stop" })).result, "SUCCESS");
  });

  test("is not left waiting when its pod is deleted meanwhile", () => {
    const pod = makePod({ metadata: DELETED, spec: ENDING, status: { containerStatuses: [terminated("test", 0)] } });
    assert.equal(verdictOf(decide([pod], { withdrawn: "stop" })).result, "ABORTED");
  });

  test("that nobody asks for gives no result", () => {
    const pod = makePod({ spec: ENDING, status: { phase: "Failed", containerStatuses: [terminated("test", 143)] } });
    assert.equal(verdictOf(decide([pod], { withdrawn: "unclaimed" })).result, null);
  });
});

describe("limits", () => {
  const ago = (ms: number) => new Date(NOW.getTime() - ms);

  test("a running test is looked at again when its time is up, and ended then", () => {
    assert.deepEqual(decide([makePod()], { since: ago(3_599_000) }), { kind: "wait", recheckInMs: 1000 });
    assert.equal(decide([makePod()], { since: ago(3_600_000) }).kind, "end-pod");
  });

  test("a test ended for its time is TIMED_OUT, whatever process judges it", () => {
    const pod = makePod({ spec: ENDING, status: { containerStatuses: [terminated("test", 143, { finishedAt: "2026-01-01T01:00:01Z" })] } });
    assert.equal(verdictOf(decide([pod])).result, "TIMED_OUT");
  });

  test("a test whose node's clock was set on is not TIMED_OUT: its pod was not there for so long", () => {
    const ended = [terminated("test", 143, { finishedAt: "2026-01-01T03:00:00Z" })];
    const clusterNow = new Date("2026-01-01T00:10:00Z");
    const lowered = makePod({ spec: ENDING, status: { containerStatuses: ended } });
    assert.equal(verdictOf(decide([lowered], { clusterNow })).rule, "ended-early");
    const passed = makePod({ status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: ended } });
    assert.equal(verdictOf(decide([passed], { clusterNow })).rule, "pod-deadline");
    assert.equal(verdictOf(decide([passed], { clusterNow: new Date("2026-01-01T03:00:00Z") })).rule, "run-timeout");
  });

  test("a test ended for its time whose end the kubelet lost is TIMED_OUT for who ended it, and nobody's fault for others", () => {
    const unknown = terminated("test", 137, { reason: "ContainerStatusUnknown", startedAt: null, finishedAt: null });
    const pod = makePod({ spec: ENDING, status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [unknown] } });
    assert.equal(verdictOf(decide([pod], { ending: "run-timeout" })).result, "TIMED_OUT");
    assert.equal(verdictOf(decide([pod])).rule, "ended-early");
  });

  test("a test that handled TERM at its time and exited 0 is TIMED_OUT", () => {
    const ended = [terminated("test", 0, { finishedAt: "2026-01-01T01:00:02Z" })];
    assert.equal(decide([makePod({ spec: ENDING, status: { containerStatuses: ended } })]).kind, "wait");
    const pod = makePod({ spec: ENDING, status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: ended } });
    assert.equal(verdictOf(decide([pod])).result, "TIMED_OUT");
  });

  test("preparing has its own limit and gives no result", () => {
    const pod = makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", "ImagePullBackOff")] } });
    assert.equal(decide([pod], { since: ago(1_199_000) }).kind, "wait");
    assert.equal(decide([pod], { since: ago(1_200_000) }).kind, "end-pod");
    const ended = makePod({ spec: ENDING, status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [] } });
    assert.deepEqual(verdictOf(decide([ended])).rule, "pull-timeout");
  });

  test("preparing tells whether a service or an image was waited for", () => {
    const prepare = (started: boolean) =>
      makePod({
        spec: { containers: [{ name: "test" }], initContainers: [{ name: "db", restartPolicy: "Always" }] },
        status: {
          phase: "Pending",
          containerStatuses: [waiting("test", "PodInitializing")],
          initContainerStatuses: [service("db", { started })],
        },
      });
    const ends = [true, false].map((started) => decide([prepare(started)], { since: ago(1_200_000) }));
    assert.deepEqual(
      ends.map((action) => action.kind === "end-pod" && action.end),
      ["pull-timeout", "service-not-ready"],
    );
  });

  test("waiting for a node has no limit unless the task sets one", () => {
    const pod = makePod({
      spec: { containers: [{ name: "test" }], nodeName: undefined as never },
      status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] },
    });
    assert.deepEqual(decide([pod], { since: ago(86_400_000) }), { kind: "wait" });
    const limited = decide([pod], { since: ago(60_000), limits: { ...LIMITS, scheduleMs: 60_000 } });
    assert.equal(verdictOf(limited).rule, "schedule-timeout");
  });

  test("a kubelet that was told to end a pod has its grace and ten minutes more, whatever it is ended for", () => {
    const pod = makePod({ spec: { ...ENDING, terminationGracePeriodSeconds: 60 } });
    const after = (ms: number, facts: Partial<BuildFacts>) => decide([pod], { since: ago(7_200_000), endingSince: ago(ms), ...facts });
    assert.equal(after(659_000, { withdrawn: "stop" }).kind, "wait");
    const stopped = after(660_000, { withdrawn: "stop" });
    assert.deepEqual([verdictOf(stopped).result, stopped.kind === "finish" && stopped.deleteJob], ["ABORTED", true]);
    assert.deepEqual(verdictOf(after(660_000, { ending: "run-timeout" })).rule, "pod-lost");
  });

  test("a service that had ended is what another process takes for the cause of a pod that was ended as it prepared", () => {
    const pod = makePod({
      spec: { ...ENDING, initContainers: [{ name: "db", restartPolicy: "Always" }] },
      status: {
        phase: "Failed",
        reason: "DeadlineExceeded",
        containerStatuses: [waiting("test", "PodInitializing")],
        initContainerStatuses: [service("db", { lastState: { terminated: { exitCode: 1 } } })],
      },
    });
    assert.equal(verdictOf(decide([pod])).rule, "service-not-ready");
    assert.equal(verdictOf(decide([pod], { ending: "pull-timeout" })).rule, "pull-timeout");
  });

  test("a Job that gets no pod is given up, a suspended one is not", () => {
    assert.equal(verdictOf(decide([], { since: ago(600_000) })).rule, "no-pod");
    assert.equal(decide([], { since: ago(600_000), job: makeJob({ spec: { suspend: true } }) }).kind, "wait");
  });

  test("a Job that gets no pod is given up with what the Job controller said last, if anything", () => {
    const said = 'Error creating: Internal error occurred: failed calling webhook "a.b.c": context deadline exceeded';
    assert.equal(verdictOf(decide([], { since: ago(600_000) })).message, "the Job got no pod in time");
    const { message, evidence } = verdictOf(decide([], { since: ago(600_000), waitedFor: said }));
    assert.deepEqual([message, evidence?.waitedFor], [`the Job got no pod in time - ${said}`, said]);
  });
});

describe("what waits for what may not come", () => {
  const ago = (ms: number) => new Date(NOW.getTime() - ms);
  const seen = (
    rule: "image-not-found" | "quota-full" | "pod-refused" | "volume-not-found",
    finalAfterMs: number | undefined,
    ms: number,
  ) => ({
    trouble: { rule, key: rule, finalAfterMs, sentence: "why", evidence: {} },
    since: ago(ms),
  });
  const pulling = makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", "ErrImagePull")] } });

  test("is looked at again when that is final, and not counted from any earlier trouble", () => {
    const facts = { since: ago(600_000), trouble: seen("image-not-found", 60_000, 59_000) };
    assert.deepEqual(decide([pulling], facts), { kind: "wait", recheckInMs: 1000 });
    const action = decide([pulling], { ...facts, trouble: seen("image-not-found", 60_000, 60_000) });
    assert.equal(verdictOf(action).rule, "image-not-found");
    assert.equal(action.kind === "finish" && action.deleteJob, false, "its pod is ended, and the Job kept");
  });

  test("takes its Job with it when that has no pod, which would come one day", () => {
    const action = decide([], { trouble: seen("pod-refused", 0, 0) });
    assert.deepEqual([verdictOf(action).rule, action.kind === "finish" && action.deleteJob], ["pod-refused", true]);
  });

  test("takes its Job with it when no kubelet has its pod, which would begin one day", () => {
    const untaken = makePod({ status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] } });
    for (const pod of [makePod(UNSCHEDULED), untaken]) {
      const action = decide([pod], { trouble: seen("volume-not-found", 30_000, 30_000) });
      assert.deepEqual([verdictOf(action).rule, action.kind === "finish" && action.deleteJob], ["volume-not-found", true]);
    }
    const deleted = decide([makePod({ ...UNSCHEDULED, metadata: DELETED })]);
    assert.deepEqual(
      [verdictOf(deleted).rule, deleted.kind === "finish" && deleted.deleteJob],
      ["pod-deleted", false],
      "it will not begin",
    );
  });

  test("is only a full quota: it waits without an end, or as long as the task waits for a node", () => {
    const facts = { since: ago(86_400_000), trouble: seen("quota-full", undefined, 86_400_000) };
    assert.deepEqual(decide([], facts), { kind: "wait" });
    assert.equal(verdictOf(decide([], { ...facts, limits: { ...LIMITS, scheduleMs: 60_000 } })).rule, "schedule-timeout");
  });

  test("is asked about when the objects tell nothing: a Job without a pod after 5 s, a silent pod after 20 s", () => {
    assert.deepEqual(decide([], { since: ago(1000) }), { kind: "wait", recheckInMs: 4000 });
    const silent = makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", "ContainerCreating")] } });
    assert.deepEqual(decide([silent], { since: ago(1000) }), { kind: "wait", recheckInMs: 19_000 });
    assert.deepEqual(decide([pulling], { since: ago(1000) }), { kind: "wait", recheckInMs: 1_199_000 });
  });

  test("gives way to a stop", () => {
    assert.equal(decide([pulling], { withdrawn: "stop", trouble: seen("image-not-found", 60_000, 60_000) }).kind, "end-pod");
  });
});

describe("what is left of an answered build", () => {
  const ended = terminated("test", 0);
  const two = (other: Partial<Container> = {}) => ({ containers: [{ name: "test" }, { name: "web", ...other }] });
  const left: [string, boolean, Pod, Job?][] = [
    ["a container beside the test that runs", true, makePod({ spec: two(), status: { containerStatuses: [running("web"), ended] } })],
    ...["ContainerCreating", "ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff"].map((reason): [string, boolean, Pod] => [
      `a container beside the test that waits with ${reason}`,
      true,
      makePod({ spec: two(), status: { containerStatuses: [ended, waiting("web", reason)] } }),
    ]),
    ["a container beside the test that no status tells of", true, makePod({ spec: two(), status: { containerStatuses: [ended] } })],
    [
      "a container that will be started again",
      true,
      makePod({ spec: two({ restartPolicy: "Always" }), status: { containerStatuses: [ended, terminated("web", 1)] } }),
    ],
    [
      "a container that a rule may start again",
      true,
      makePod({ spec: two({ restartPolicyRules: [{}] }), status: { containerStatuses: [ended, terminated("web", 1)] } }),
    ],
    [
      "a test that was started again",
      true,
      makePod({ status: { containerStatuses: [{ ...running("test"), lastState: ended.state as object }] } }),
    ],
    [
      "a pod that still prepares",
      true,
      makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", "InvalidImageName")] } }),
    ],
    ["a pod without any status yet", true, makePod({ status: { phase: "Pending", containerStatuses: [] } })],
    ["a pod of a Job that was deleted without it", true, makePod(), makeJob({ metadata: DELETED })],
    [
      "a pod whose node lost sight of its test",
      true,
      makePod({ spec: two(), status: { containerStatuses: [terminated("test", 255, { reason: "Unknown" }), running("web")] } }),
    ],
    [
      "a pod whose containers have all ended",
      false,
      makePod({ spec: two(), status: { containerStatuses: [ended, terminated("web", 1)] } }),
    ],
    ["a pod with the test alone", false, makePod({ status: { containerStatuses: [ended] } })],
    ["a pod without a node, which goes with its Job", false, makePod(UNSCHEDULED)],
    ["a pod that is over", false, makePod({ spec: two(), status: { phase: "Failed", containerStatuses: [ended, running("web")] } })],
    [
      "a pod that ends already",
      false,
      makePod({ spec: { ...two(), activeDeadlineSeconds: 1 }, status: { containerStatuses: [ended, running("web")] } }),
    ],
    [
      "a pod that is deleted already",
      false,
      makePod({ metadata: DELETED, spec: two(), status: { containerStatuses: [ended, running("web")] } }),
    ],
    [
      "a pod whose init container failed",
      false,
      makePod({
        spec: { initContainers: [{ name: "setup" }] },
        status: {
          phase: "Pending",
          initContainerStatuses: [terminated("setup", 1)],
          containerStatuses: [waiting("test", "PodInitializing")],
        },
      }),
    ],
  ];
  for (const [name, must, pod, job = makeJob()] of left) {
    test(`${must ? "is ended" : "needs nothing"}: ${name}`, () => assert.equal(mustEndPod(observe(job, [pod])), must));
  }

  test("is a Job that must not begin again after Kueue took its room away", () => {
    const action = decide([makePod({ metadata: DELETED })], { job: makeJob({ spec: { suspend: true } }) });
    assert.deepEqual([verdictOf(action).rule, action.kind === "finish" && action.deleteJob], ["job-suspended", true]);
    const gone = suspendedAfterStart(undefined);
    assert.equal(verdictOf(decideBuild({ state: gone, withdrawn: undefined, since: NOW, limits: LIMITS }, NOW)).rule, "job-suspended");
  });
});

describe("an exit by a signal", () => {
  test("is judged when the pod ends, or three seconds later", () => {
    const killed = makePod({ status: { containerStatuses: [terminated("test", 137)] } });
    assert.deepEqual(decide([killed]), { kind: "wait", recheckInMs: 3000 });
    assert.equal(verdictOf(decide([killed], { since: new Date(NOW.getTime() - 3000) })).rule, "exit-code");
  });
});
