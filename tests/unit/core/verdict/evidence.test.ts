import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ContainerRoles, rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { observeTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import type { EndRequest } from "../../../../src/core/verdict/sighting.ts";
import { judge } from "../../../../src/core/verdict/verdict.ts";
import { disrupted, makeEvent, makeJob, makePod, service, terminated, waiting } from "../../../support/objects/build-objects.ts";
import { DELETED, failed, initFailed, MEMORY, pending, withService } from "../../../support/objects/pod-ends.ts";

interface Row {
  seen: string;
  pod: Parameters<typeof makePod>[0];
  roles?: Partial<ContainerRoles>;
  end?: EndRequest;
  kill?: string;
  events?: ReturnType<typeof makeEvent>[];
  message: string;
  /** Beside the pod's name and node. */
  evidence: Record<string, string | number>;
}

const POD = { pod: "unit-0123456789abcdef-abcde", node: "node-1" };
const neverReady = (status: object) => ({
  spec: { initContainers: [{ name: "db", restartPolicy: "Always" }] },
  status: {
    ...{ phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [waiting("test", "PodInitializing")] },
    initContainerStatuses: [service("db", status)],
  },
});

const ROWS: Row[] = [
  {
    seen: "a test that passed",
    pod: { status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } },
    message: "the test ended with exit code 0",
    evidence: { exitCode: 0, reason: "Completed" },
  },
  { seen: "an exit code", pod: failed(3), message: "the test ended with exit code 3", evidence: { exitCode: 3, reason: "Error" } },
  {
    seen: "an exit without a reason",
    pod: failed(3, { reason: undefined }),
    message: "the test ended with exit code 3",
    evidence: { exitCode: 3 },
  },
  {
    seen: "a test that ended by a signal",
    pod: failed(139),
    message: "the test ended with exit code 139 (signal 11)",
    evidence: { exitCode: 139, reason: "Error" },
  },
  ...[128, 160, 255].map((exitCode) => ({
    seen: `exit code ${exitCode}, which is no signal's`,
    pod: failed(exitCode),
    message: `the test ended with exit code ${exitCode}`,
    evidence: { exitCode, reason: "Error" },
  })),
  {
    seen: "a stop",
    pod: failed(143, {}, { reason: "DeadlineExceeded" }),
    end: "stop",
    message: "Zuul asked to stop it",
    evidence: { podReason: "DeadlineExceeded", exitCode: 143, reason: "Error" },
  },
  {
    seen: "a service that kept ending",
    pod: neverReady({ started: false, lastState: { terminated: { exitCode: 2, reason: "Error" } } }),
    end: "service-not-ready",
    message: "service db does not get ready - exit code 2",
    evidence: { podReason: "DeadlineExceeded", service: "db", exitCode: 2, reason: "Error" },
  },
  {
    seen: "a service without memory",
    pod: neverReady({ started: false, lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } }),
    end: "service-not-ready",
    message: "service db does not get ready - out of memory",
    evidence: { podReason: "DeadlineExceeded", service: "db", exitCode: 137, reason: "OOMKilled" },
  },
  {
    seen: "a service whose probe does not pass",
    pod: neverReady({ started: false, state: { terminated: { exitCode: 143, finishedAt: "2026-01-01T00:20:00Z" } } }),
    end: "service-not-ready",
    message: "service db does not get ready - its probe does not pass",
    evidence: { podReason: "DeadlineExceeded", service: "db" },
  },
  {
    seen: "a pod beyond its own limit of disk",
    pod: failed(137, {}, { reason: "Evicted", message: 'Usage of EmptyDir volume "d" exceeds the limit "20Mi". ' }),
    message: "FAILURE - out of disk (limit 20Mi)",
    evidence: {
      ...{ podReason: "Evicted", exitCode: 137, reason: "Error" },
      message: 'Usage of EmptyDir volume "d" exceeds the limit "20Mi". ',
    },
  },
  {
    seen: "a drain",
    pod: { metadata: DELETED, status: { conditions: [disrupted("EvictionByEvictionAPI", "Eviction API: evicting")] } },
    message: "the pod was evicted through the API, as by a drain - Eviction API: evicting",
    evidence: { message: "Eviction API: evicting" },
  },
  {
    seen: "an eviction by the kubelet, in the pod's words",
    pod: failed(137, {}, { reason: "Evicted", message: "The node had condition: [DiskPressure]. " }),
    message: "the pod was evicted by its node - The node had condition: [DiskPressure].",
    evidence: { podReason: "Evicted", exitCode: 137, reason: "Error", message: "The node had condition: [DiskPressure]. " },
  },
  {
    seen: "a disruption without any words",
    pod: { metadata: DELETED, status: { conditions: [{ type: "DisruptionTarget", status: "True" }] } },
    message: "the pod was taken away - no reason given",
    evidence: { message: "no reason given" },
  },
  {
    seen: "a pod of a node that nobody hears of",
    pod: { status: { phase: "Unknown" } },
    message: "the pod was lost with its node - no reason given",
    evidence: { message: "no reason given" },
  },
  {
    seen: "a test that the kubelet ended",
    pod: { status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } },
    kill: "Stopping container test",
    message: "the kubelet ended the test - Stopping container test",
    evidence: { exitCode: 0, reason: "Completed", message: "Stopping container test" },
  },
  {
    seen: "a node that refuses the pod without a message",
    pod: { status: { phase: "Failed", reason: "NodeAffinity", containerStatuses: [] } },
    message: "the node refuses the pod - NodeAffinity",
    evidence: { podReason: "NodeAffinity", message: "NodeAffinity" },
  },
  {
    seen: "a node that says why it refuses the pod",
    pod: { status: { phase: "Failed", reason: "OutOfpods", message: "Pod was rejected: too many pods", containerStatuses: [] } },
    message: "the node refuses the pod - too many pods",
    evidence: { podReason: "OutOfpods", message: "too many pods" },
  },
  {
    seen: "a node that quotes such words",
    pod: { status: { phase: "Failed", reason: "OutOfpods", message: "it says Pod was rejected: no", containerStatuses: [] } },
    message: "the node refuses the pod - it says Pod was rejected: no",
    evidence: { podReason: "OutOfpods", message: "it says Pod was rejected: no" },
  },
  {
    seen: "a reason that nobody knows",
    pod: failed(1, {}, { reason: "NodeReclaimed", message: "spot" }),
    message: "the pod was ended - NodeReclaimed - spot",
    evidence: { podReason: "NodeReclaimed", exitCode: 1, reason: "Error", message: "spot" },
  },
  {
    seen: "such a reason without a message",
    pod: failed(1, {}, { reason: "NodeReclaimed" }),
    message: "the pod was ended - NodeReclaimed",
    evidence: { podReason: "NodeReclaimed", exitCode: 1, reason: "Error", message: "" },
  },
  {
    seen: "an injected init container",
    pod: initFailed("mesh", 1),
    roles: { inits: [] },
    message: "init container mesh, which the cluster added to the pod, failed - exit code 1",
    evidence: { container: "mesh", exitCode: 1, reason: "Error" },
  },
  {
    seen: "a checkout that a limit kills",
    pod: initFailed("checkout", 137, { reason: "OOMKilled" }, MEMORY),
    message: "checkout out of memory (limit 2Gi)",
    evidence: { exitCode: 137, reason: "OOMKilled", container: "checkout", limit: "2Gi" },
  },
  {
    seen: "a checkout without network, in its own words",
    pod: initFailed("checkout", 69, { message: "\nno route\nmore" }),
    message: "checkout failed - no route",
    evidence: { container: "checkout", exitCode: 69, reason: "Error" },
  },
  {
    seen: "a checkout that says nothing",
    pod: initFailed("checkout", 78),
    message: "exit code 78",
    evidence: { container: "checkout", exitCode: 78, reason: "Error" },
  },
  {
    seen: "a command that is not there",
    pod: failed(128, { reason: "StartError", message: 'exec: "nope": executable file not found in $PATH: unknown' }),
    message: 'cannot start test - exec: "nope": executable file not found in $PATH',
    evidence: { exitCode: 128, reason: "StartError", message: 'exec: "nope": executable file not found in $PATH: unknown' },
  },
  {
    seen: "a runtime that gives no reason",
    pod: failed(128, { reason: "StartError" }),
    message: "could not start test - the runtime gave no reason",
    evidence: { exitCode: 128, reason: "StartError" },
  },
  {
    seen: "a test without memory at its limit",
    pod: { ...failed(137, { reason: "OOMKilled" }), spec: { containers: [{ name: "test", ...MEMORY }] } },
    message: "FAILURE - out of memory (limit 2Gi)",
    evidence: { exitCode: 137, reason: "OOMKilled", container: "test", limit: "2Gi" },
  },
  {
    seen: "a test on a node without memory",
    pod: failed(137, { reason: "OOMKilled" }),
    message: "the node ran out of memory",
    evidence: { exitCode: 137, reason: "OOMKilled", container: "test" },
  },
  {
    seen: "a service on a node without memory",
    pod: withService({ lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } }),
    message: "the node ran out of memory, db was killed",
    evidence: { exitCode: 1, reason: "Error", container: "db" },
  },
  {
    seen: "an init container that says why",
    pod: initFailed("setup", 3, { message: "no such schema" }),
    message: "no such schema",
    evidence: { exitCode: 3, reason: "Error", container: "setup" },
  },
  {
    seen: "a service that ended while the test ran",
    pod: withService({ lastState: { terminated: { exitCode: 7, finishedAt: "2026-01-01T00:00:05Z" } } }),
    message: "FAILURE - service db - exit code 7",
    evidence: { exitCode: 1, reason: "Error", service: "db", serviceExitCode: 7 },
  },
  {
    seen: "a missing Secret",
    pod: pending("CreateContainerConfigError", 'secret "db" not found'),
    message: 'secret "db" not found',
    evidence: { container: "test", reason: "CreateContainerConfigError", message: 'secret "db" not found' },
  },
  {
    seen: "a volume whose ConfigMap is not there",
    pod: pending("ContainerCreating"),
    events: [makeEvent("FailedMount", 'MountVolume.SetUp failed for volume "s" : configmap "settings" not found')],
    message: 'configmap "settings" not found',
    evidence: { event: 'MountVolume.SetUp failed for volume "s" : configmap "settings" not found' },
  },
];

describe("what is written down of", () => {
  for (const { seen, pod, roles, end, kill, events = [], message, evidence } of ROWS) {
    test(seen, () => {
      const made = makePod(pod);
      const state = observeBuild(makeJob(), [made], { ...rolesOfTemplate(made.spec), ...roles }, () => kill);
      const trouble = observeTrouble(state, events);
      const standsMs = 600_000;
      const limits = { run: "1h", runMs: 3_600_000 };
      const verdict = judge({ state, end, limits, stateMs: standsMs, trouble: trouble && { trouble, standsMs } });
      assert.deepEqual([verdict?.message, verdict?.evidence], [message, { ...POD, ...evidence }]);
    });
  }

  test("a pod without a node is its name", () => {
    const made = makePod({ ...failed(3), spec: { nodeName: undefined as never } });
    const state = observeBuild(makeJob(), [made], rolesOfTemplate(made.spec), () => undefined);
    const verdict = judge({ state, end: undefined, limits: { run: "1h", runMs: 3_600_000 }, stateMs: 0 });
    assert.deepEqual(verdict?.evidence, { pod: POD.pod, exitCode: 3, reason: "Error" });
  });

  test("words without an end is cut, and never in the middle of a character", () => {
    const message = `${"x".repeat(1022)}😀${"y".repeat(5000)}`;
    const made = makePod(failed(1, {}, { reason: "NodeReclaimed", message }));
    const state = observeBuild(makeJob(), [made], rolesOfTemplate(made.spec), () => undefined);
    const verdict = judge({ state, end: undefined, limits: { run: "1h", runMs: 3_600_000 }, stateMs: 0 });
    assert.equal(verdict?.evidence?.message, `${"x".repeat(1022)}\ufffd…`);
  });
});
