import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BuildAction, type BuildFacts, decideBuild } from "../../../src/core/build-decision.ts";
import { observeBuild } from "../../../src/core/build-state.ts";
import type { Job, Pod } from "../../../src/core/kubernetes-objects.ts";
import type { Verdict } from "../../../src/core/verdict.ts";
import { makeJob, makePod, running, terminated, waiting } from "../../support/build-objects.ts";

const LIMITS = { podMs: 600_000, scheduleMs: undefined, prepareMs: 1_200_000, runMs: 3_600_000, run: "1h" };
const NOW = new Date("2026-01-01T12:00:00Z");
const DISRUPTED = {
  type: "DisruptionTarget",
  status: "True",
  reason: "DeletionByTaintManager",
  message: "taint manager deletes it",
} as const;
const DELETED = { deletionTimestamp: "2026-01-01T00:00:20Z" };
const ENDING = { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1 };

function decide(pods: Pod[], facts: Partial<BuildFacts> & { job?: Job } = {}): BuildAction {
  const { job = makeJob(), ...rest } = facts;
  return decideBuild({ state: observeBuild(job, pods), requested: undefined, since: NOW, limits: LIMITS, ...rest }, NOW);
}

function verdictOf(action: BuildAction): Verdict {
  assert.equal(action.kind, "finish");
  return (action as Extract<BuildAction, { kind: "finish" }>).verdict;
}

describe("a build that ended", () => {
  const rows: { name: string; pod: Pod; facts?: Partial<BuildFacts>; result: string | null; rule: string }[] = [
    {
      name: "exit code 0 is SUCCESS",
      pod: makePod({ status: { phase: "Running", containerStatuses: [terminated("test", 0)] } }),
      result: "SUCCESS",
      rule: "exit-0",
    },
    {
      name: "exit code 0 is SUCCESS while another container still runs",
      pod: makePod({ status: { containerStatuses: [running("web"), terminated("test", 0)] } }),
      result: "SUCCESS",
      rule: "exit-0",
    },
    {
      name: "another exit code is FAILURE",
      pod: makePod({ status: { containerStatuses: [terminated("test", 3)] } }),
      result: "FAILURE",
      rule: "exit-code",
    },
    {
      name: "the test's own sentence is the result",
      pod: makePod({ status: { containerStatuses: [terminated("test", 1, { message: "Migration 205->206 took too long\nmore\n" })] } }),
      result: "Migration 205->206 took too long",
      rule: "exit-code",
    },
    {
      name: "a test that fails and says SUCCESS is a FAILURE",
      pod: makePod({ status: { containerStatuses: [terminated("test", 1, { message: "  success: \n" })] } }),
      result: "FAILURE",
      rule: "exit-code",
    },
    {
      name: "a sentence of a test that passed changes nothing",
      pod: makePod({ status: { containerStatuses: [terminated("test", 0, { message: "12 tests failed" })] } }),
      result: "SUCCESS",
      rule: "exit-0",
    },
    {
      name: "out of its own memory limit names the limit",
      pod: makePod({
        spec: { containers: [{ name: "test", resources: { limits: { memory: "2Gi" } } }], nodeName: "n" },
        status: { containerStatuses: [terminated("test", 137, { reason: "OOMKilled" })] },
      }),
      result: "FAILURE - out of memory (limit 2Gi)",
      rule: "out-of-memory",
    },
    {
      name: "out of memory without a limit is the node's fault",
      pod: makePod({ status: { containerStatuses: [terminated("test", 137, { reason: "OOMKilled" })] } }),
      result: null,
      rule: "node-out-of-memory",
    },
    {
      name: "a container that cannot be started gives no result",
      pod: makePod({ status: { containerStatuses: [terminated("test", 128, { reason: "StartError", message: "no such file" })] } }),
      result: null,
      rule: "not-runnable",
    },
    {
      name: "an exit code in a disrupted pod gives no result",
      pod: makePod({ status: { phase: "Failed", conditions: [DISRUPTED], containerStatuses: [terminated("test", 143)] } }),
      result: null,
      rule: "pod-disrupted",
    },
    {
      name: "exit code 0 in a deleted pod gives no result",
      pod: makePod({ metadata: DELETED, status: { containerStatuses: [terminated("test", 0)] } }),
      result: null,
      rule: "pod-disrupted",
    },
    {
      name: "an evicted pod gives no result",
      pod: makePod({ status: { phase: "Failed", reason: "Evicted", containerStatuses: [terminated("test", 137)] } }),
      result: null,
      rule: "evicted",
    },
    {
      name: "the pod's backstop deadline after less than the run limit gives no result",
      pod: makePod({ status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [terminated("test", 137)] } }),
      result: null,
      rule: "pod-deadline",
    },
    {
      name: "the pod's backstop deadline after the run limit is TIMED_OUT",
      pod: makePod({
        status: {
          phase: "Failed",
          reason: "DeadlineExceeded",
          containerStatuses: [terminated("test", 137, { finishedAt: "2026-01-01T01:00:02Z" })],
        },
      }),
      result: "TIMED_OUT",
      rule: "run-timeout",
    },
    {
      name: "a pod that was refused by its node gives no result",
      pod: makePod({ status: { phase: "Failed", reason: "OutOfcpu", message: "no cpu", containerStatuses: [] } }),
      result: null,
      rule: "pod-lost",
    },
    {
      name: "a status that the kubelet lost gives no result",
      pod: makePod({ status: { phase: "Failed", containerStatuses: [terminated("test", 137, { reason: "ContainerStatusUnknown" })] } }),
      result: null,
      rule: "pod-lost",
    },
    {
      name: "a pod that Succeeded without its test's exit code gives no result",
      pod: makePod({ status: { phase: "Succeeded", containerStatuses: [] } }),
      result: null,
      rule: "pod-lost",
    },
    { name: "a deleted pod that still runs gives no result", pod: makePod({ metadata: DELETED }), result: null, rule: "pod-lost" },
    {
      name: "a checkout without network gives no result",
      pod: makePod({
        status: { phase: "Failed", initContainerStatuses: [terminated("checkout", 69, { message: "no route" })], containerStatuses: [] },
      }),
      result: null,
      rule: "checkout-failed",
    },
    {
      name: "a checkout that was refused is CONFIG_ERROR with its sentence",
      pod: makePod({
        status: {
          phase: "Failed",
          initContainerStatuses: [terminated("checkout", 78, { message: "ZUUL_URL has no scheme" })],
          containerStatuses: [],
        },
      }),
      result: "CONFIG_ERROR - ZUUL_URL has no scheme",
      rule: "checkout-configuration",
    },
    {
      name: "an image name that can never be pulled is CONFIG_ERROR",
      pod: makePod({
        status: { phase: "Pending", startTime: "x", containerStatuses: [waiting("test", "InvalidImageName", "couldn't parse it")] },
      }),
      result: "CONFIG_ERROR - invalid image name - couldn't parse it",
      rule: "invalid-image-name",
    },
  ];
  for (const { name, pod, facts, result, rule } of rows) {
    test(name, () => {
      const verdict = verdictOf(decide([pod], facts));
      assert.deepEqual({ result: verdict.result, rule: verdict.rule }, { result, rule });
    });
  }

  test("a Job that is gone gives no result", () => {
    const job = makeJob({ status: { conditions: [{ type: "Failed", status: "True", message: "the pod is gone" }] } });
    assert.equal(verdictOf(decide([], { job })).result, null);
    assert.equal(verdictOf(decide([], { job: makeJob({ metadata: DELETED }) })).result, null);
  });
});

describe("a build that is to end", () => {
  test("gets its running pod ended, once", () => {
    assert.deepEqual(decide([makePod()], { requested: "stop" }), { kind: "end-pod", pod: makePod().metadata.name });
    assert.equal(decide([makePod({ spec: ENDING })], { requested: "stop" }).kind, "wait");
  });

  test("is finished and its Job deleted when no kubelet has its pod", () => {
    const pending = makePod({
      spec: { containers: [{ name: "test" }], nodeName: undefined as never },
      status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] },
    });
    for (const pods of [[], [pending]]) {
      const action = decide(pods, { requested: "stop" });
      assert.equal(verdictOf(action).result, "ABORTED");
      assert.equal(action.kind === "finish" && action.deleteJob, true);
    }
  });

  test("is ABORTED by any exit code but 0", () => {
    const pod = makePod({ spec: ENDING, status: { containerStatuses: [terminated("test", 143)] } });
    assert.equal(verdictOf(decide([pod], { requested: "stop" })).result, "ABORTED");
  });

  test("with exit code 0 waits for the pod to tell which came first", () => {
    const exited = [terminated("test", 0)];
    assert.equal(decide([makePod({ spec: ENDING, status: { containerStatuses: exited } })], { requested: "stop" }).kind, "wait");
    const deadline = makePod({ spec: ENDING, status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: exited } });
    assert.equal(verdictOf(decide([deadline], { requested: "stop" })).result, "ABORTED");
    const succeeded = makePod({ spec: ENDING, status: { phase: "Succeeded", containerStatuses: exited } });
    assert.equal(verdictOf(decide([succeeded], { requested: "stop" })).result, "SUCCESS");
  });

  test("is not left waiting when its pod is deleted meanwhile", () => {
    const pod = makePod({ metadata: DELETED, spec: ENDING, status: { containerStatuses: [terminated("test", 0)] } });
    assert.equal(verdictOf(decide([pod], { requested: "stop" })).result, "ABORTED");
  });

  test("that nobody asks for gives no result", () => {
    const pod = makePod({ spec: ENDING, status: { phase: "Failed", containerStatuses: [terminated("test", 143)] } });
    assert.equal(verdictOf(decide([pod], { requested: "unclaimed" })).result, null);
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

  test("waiting for a node has no limit unless the task sets one", () => {
    const pod = makePod({
      spec: { containers: [{ name: "test" }], nodeName: undefined as never },
      status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] },
    });
    assert.deepEqual(decide([pod], { since: ago(86_400_000) }), { kind: "wait" });
    const limited = decide([pod], { since: ago(60_000), limits: { ...LIMITS, scheduleMs: 60_000 } });
    assert.equal(verdictOf(limited).rule, "schedule-timeout");
  });

  test("a Job that gets no pod is given up, a suspended one is not", () => {
    assert.equal(verdictOf(decide([], { since: ago(600_000) })).rule, "no-pod");
    assert.equal(decide([], { since: ago(600_000), job: makeJob({ spec: { suspend: true } }) }).kind, "wait");
  });
});
