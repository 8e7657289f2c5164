import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { type ContainerRoles, rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import type { Job, KubeEvent, Pod } from "../../../../src/core/kubernetes/objects.ts";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { observeTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import { renderVerdictPage } from "../../../../src/core/verdict/page.ts";
import { type RuleId, VERDICT_RULES } from "../../../../src/core/verdict/rules.ts";
import type { EndRequest } from "../../../../src/core/verdict/sighting.ts";
import { judge, renderResult } from "../../../../src/core/verdict/verdict.ts";
import { cleanResultText } from "../../../../src/core/zuul/clean-result-text.ts";
import {
  disrupted,
  makeEvent,
  makeJob,
  makePod,
  running,
  service,
  terminated,
  UNSCHEDULED,
  waiting,
} from "../../../support/objects/build-objects.ts";
import { DELETED, failed, initFailed, MEMORY, pending, withService } from "../../../support/objects/pod-ends.ts";

const LIMITS = { run: "1h", runMs: 3_600_000 };
const MINUTES = 60_000;
const WITHOUT_SANDBOX = {
  status: {
    phase: "Pending",
    conditions: [{ type: "PodReadyToStartContainers", status: "False" as const }],
    containerStatuses: [{ ...waiting("test", "ContainerCreating"), containerID: "containerd://a" }],
  },
};
const ENDED_BY_US = {
  phase: "Failed",
  reason: "DeadlineExceeded",
  message: "Pod was active on the node longer than the specified deadline",
};

/** When the pod's own 5,400 s are over. */
const AT_DEADLINE = { finishedAt: "2026-01-01T01:30:00Z" };

/** Its test is a script whose runner says what it ended with. */
const MARKED: Partial<ContainerRoles> = { marked: true };

interface Row {
  seen: string;
  rule: RuleId | undefined;
  result?: string | null;
  job?: Parameters<typeof makeJob>[0];
  /** What the Job says; else what its pod's containers are by their names. */
  roles?: Partial<ContainerRoles>;
  /** undefined: the Job has none. */
  pod?: Parameters<typeof makePod>[0];
  events?: KubeEvent[];
  /** The kubelet's Killing event. */
  kill?: string;
  end?: EndRequest;
  /** How long state and trouble have stood. */
  ms?: number;
}

/** The kubelet noted then that not all containers ran any more. */
const seenAt = (lastTransitionTime: string) => ({
  conditions: [{ type: "ContainersReady", status: "False" as const, reason: "ContainersNotReady", lastTransitionTime }],
});
const rejected = (reason: string, message: string) => ({
  status: { phase: "Failed", reason, message, containerStatuses: [] },
});
const failedCreate = (message: string) => [makeEvent("FailedCreate", `Error creating: ${message}`)];

const AT_ONCE = { startedAt: "2026-01-01T00:00:01Z", finishedAt: "2026-01-01T00:00:01Z" };
const CANNOT_EXECUTE = {
  rule: "not-runnable",
  result: "CONFIG_ERROR - cannot start test - /bin/sh of its image does not run here, as in one for other processors",
  roles: MARKED,
} as const;
const CUT_OFF = { rule: "cut-off", result: null, roles: MARKED } as const;

/** Messages and reasons as Kubernetes 1.36 and containerd 1.6 wrote them. */
const ROWS: Row[] = [
  { seen: "exit code 0", rule: "exit-0", result: "SUCCESS", pod: { status: { containerStatuses: [terminated("test", 0)] } } },
  {
    seen: "exit code 0 while another container still runs",
    rule: "exit-0",
    result: "SUCCESS",
    pod: { status: { containerStatuses: [running("web"), terminated("test", 0)] } },
  },
  {
    seen: "exit code 0, and a sentence that sounds otherwise",
    rule: "exit-0",
    result: "SUCCESS",
    pod: { status: { containerStatuses: [terminated("test", 0, { message: "12 tests failed" })] } },
  },
  {
    seen: "exit code 0 in a pod that another container failed",
    rule: "exit-0",
    result: "SUCCESS",
    pod: { status: { phase: "Failed", containerStatuses: [terminated("web", 1), terminated("test", 0)] } },
  },
  {
    seen: "exit code 0 beside a service that ended before",
    rule: "exit-0",
    result: "SUCCESS",
    pod: withService({ lastState: { terminated: { exitCode: 1 } } }, 0),
  },
  {
    seen: "exit code 0 first, the request to end second",
    rule: "exit-0",
    result: "SUCCESS",
    end: "stop",
    pod: { status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } },
  },

  { seen: "another exit code", rule: "exit-code", result: "FAILURE", pod: { status: { containerStatuses: [terminated("test", 3)] } } },
  {
    seen: "the test's own sentence",
    rule: "exit-code",
    result: "Migration 205->206 took too long",
    pod: failed(1, { message: "Migration 205->206 took too long\nmore\n" }),
  },
  { seen: "a failing test that says SUCCESS", rule: "exit-code", result: "FAILURE", pod: failed(1, { message: "  success: \n" }) },
  { seen: "a failing test that says NOT_REGISTERED", rule: "exit-code", result: "FAILURE", pod: failed(1, { message: "not_registered" }) },
  { seen: "a segmentation fault", rule: "exit-code", result: "FAILURE", pod: { status: { containerStatuses: [terminated("test", 139)] } } },
  { seen: "a KILL of which the pod's end gives no reason", rule: "exit-code", result: "FAILURE", pod: failed(137) },
  ...[1, 130, 137, 143].map(
    (exitCode): Row => ({
      seen: `exit code ${exitCode} whose reason may still come`,
      rule: undefined,
      ms: 2999,
      pod: { status: { containerStatuses: [terminated("test", exitCode)] } },
    }),
  ),
  {
    seen: "a failed init container whose reason may still come",
    rule: undefined,
    ms: 2999,
    pod: { ...initFailed("setup", 1), status: { ...initFailed("setup", 1).status, phase: "Pending" } },
  },
  {
    seen: "a KILL for which no reason came",
    rule: "exit-code",
    result: "FAILURE",
    ms: 3000,
    pod: { status: { containerStatuses: [terminated("test", 137)] } },
  },
  {
    seen: "a failed liveness probe",
    rule: "exit-code",
    result: "FAILURE",
    kill: "Stopping container test",
    pod: failed(143),
  },

  {
    seen: "a stop, and exit code 143",
    rule: "stopped",
    result: "ABORTED",
    end: "stop",
    pod: { status: { containerStatuses: [terminated("test", 143)] } },
  },
  {
    seen: "a stop, and exit code 0 that may be older",
    rule: undefined,
    end: "stop",
    pod: { status: { containerStatuses: [terminated("test", 0)] } },
  },
  { seen: "a stop, and exit code 0 after TERM", rule: "stopped", result: "ABORTED", end: "stop", pod: failed(0, {}, ENDED_BY_US) },
  {
    seen: "a stop, exit code 0 and no end of the pod for ten minutes",
    rule: "stopped",
    result: "ABORTED",
    end: "stop",
    ms: 10 * MINUTES,
    pod: { status: { containerStatuses: [terminated("test", 0)] } },
  },
  {
    seen: "a stop, exit code 0 and the kubelet's word that it ended the test",
    rule: "stopped",
    result: "ABORTED",
    end: "stop",
    kill: "Stopping container test",
    pod: { status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } },
  },
  { seen: "a stop of a pod that was then deleted", rule: "stopped", result: "ABORTED", end: "stop", pod: { metadata: DELETED } },
  { seen: "a stop during the checkout", rule: "stopped", result: "ABORTED", end: "stop", pod: initFailed("checkout", 143) },
  {
    seen: "a test that had ended long before its run limit, as its node tells at last",
    rule: "pod-deadline",
    result: null,
    end: "run-timeout",
    pod: failed(0, {}, ENDED_BY_US),
  },
  ...[0, 1, 143].flatMap((exitCode): Row[] => {
    const ended = { status: { containerStatuses: [terminated("test", exitCode)] } };
    return [
      { seen: `exit code ${exitCode} long before the run limit for which it was ended`, rule: undefined, end: "run-timeout", pod: ended },
      {
        seen: `exit code ${exitCode} long before the run limit for which it was ended, and no end of the pod for ten minutes`,
        rule: "ended-early",
        result: null,
        end: "run-timeout",
        ms: 10 * MINUTES,
        pod: ended,
      },
    ];
  }),
  {
    seen: "a test ended for its run limit whose pod is deleted before it tells anything",
    rule: "pod-deleted",
    result: null,
    end: "run-timeout",
    pod: { metadata: DELETED },
  },
  {
    seen: "a test ended for its run limit whose pod is over, its end lost from sight",
    rule: "run-timeout",
    result: "TIMED_OUT",
    end: "run-timeout",
    pod: failed(137, { reason: "ContainerStatusUnknown", startedAt: null, finishedAt: null }, ENDED_BY_US),
  },
  {
    seen: "a test over its run limit",
    rule: "run-timeout",
    result: "TIMED_OUT",
    end: "run-timeout",
    pod: { status: { containerStatuses: [terminated("test", 143, { finishedAt: "2026-01-01T01:00:02Z" })] } },
  },
  {
    seen: "a test over its run limit that handled TERM and exited 0",
    rule: "run-timeout",
    result: "TIMED_OUT",
    end: "run-timeout",
    pod: failed(0, { finishedAt: "2026-01-01T01:00:02Z" }, ENDED_BY_US),
  },
  {
    seen: "the pod's own deadline after the run limit",
    rule: "run-timeout",
    result: "TIMED_OUT",
    pod: failed(137, { finishedAt: "2026-01-01T01:00:02Z" }, ENDED_BY_US),
  },
  { seen: "the pod's own deadline before the run limit", rule: "pod-deadline", result: null, pod: failed(137, {}, ENDED_BY_US) },
  {
    seen: "exit code 0 once the pod's own deadline has passed",
    rule: undefined,
    pod: { status: { containerStatuses: [terminated("test", 0, AT_DEADLINE)] } },
  },
  {
    seen: "exit code 1 once the pod's own deadline has passed",
    rule: undefined,
    pod: { status: { containerStatuses: [terminated("test", 1, AT_DEADLINE)] } },
  },
  {
    seen: "exit code 0 once the pod's own deadline has passed, beside a container that does not begin",
    rule: undefined,
    ms: 10 * MINUTES - 1,
    pod: { status: { containerStatuses: [terminated("test", 0, AT_DEADLINE), waiting("proxy", "ContainerCreating")] } },
  },
  {
    seen: "exit code 0 once the pod's own deadline has passed, and no end of the pod for ten minutes",
    rule: "pod-deadline",
    result: null,
    ms: 10 * MINUTES,
    pod: { status: { containerStatuses: [terminated("test", 0, AT_DEADLINE)] } },
  },
  {
    seen: "exit code 1 once the pod's own deadline has passed, and no end of the pod for ten minutes",
    rule: "pod-deadline",
    result: null,
    ms: 10 * MINUTES,
    pod: { status: { containerStatuses: [terminated("test", 1, AT_DEADLINE)] } },
  },
  {
    seen: "an init container that ends once the pod's own deadline has passed",
    rule: undefined,
    pod: {
      ...initFailed("setup", 1, AT_DEADLINE),
      status: { ...initFailed("setup", 1, AT_DEADLINE).status, phase: "Pending" },
    },
  },
  {
    seen: "exit code 0 a second before the pod's own deadline",
    rule: "exit-0",
    result: "SUCCESS",
    pod: { status: { containerStatuses: [terminated("test", 0, { finishedAt: "2026-01-01T01:29:59Z" })] } },
  },
  {
    seen: "exit code 0 in a pod without a deadline",
    rule: "exit-0",
    result: "SUCCESS",
    pod: {
      spec: { activeDeadlineSeconds: undefined as never },
      status: { containerStatuses: [terminated("test", 0, AT_DEADLINE)] },
    },
  },
  { seen: "the pod's own deadline and exit code 0", rule: "pod-deadline", result: null, pod: failed(0, {}, ENDED_BY_US) },
  {
    seen: "images that did not come in time",
    rule: "pull-timeout",
    result: null,
    end: "pull-timeout",
    pod: rejected("DeadlineExceeded", ""),
  },
  {
    seen: "a service that never got ready",
    rule: "service-not-ready",
    result: "CONFIG_ERROR - service db does not get ready - exit code 1",
    end: "service-not-ready",
    pod: {
      spec: { initContainers: [{ name: "db", restartPolicy: "Always" }] },
      status: {
        ...ENDED_BY_US,
        containerStatuses: [waiting("test", "PodInitializing")],
        initContainerStatuses: [service("db", { lastState: { terminated: { exitCode: 1, reason: "Error" } } })],
      },
    },
  },
  {
    seen: "a service whose probe never passed",
    rule: "service-not-ready",
    result: "CONFIG_ERROR - service db does not get ready - its probe does not pass",
    end: "service-not-ready",
    pod: {
      spec: { initContainers: [{ name: "db", restartPolicy: "Always" }] },
      status: {
        ...ENDED_BY_US,
        containerStatuses: [waiting("test", "PodInitializing")],
        initContainerStatuses: [
          service("db", { started: false, state: { terminated: { exitCode: 143, finishedAt: "2026-01-01T00:20:00Z" } } }),
        ],
      },
    },
  },
  {
    seen: "a healthy service beside an image that did not come",
    rule: "pull-timeout",
    result: null,
    end: "pull-timeout",
    pod: {
      spec: { initContainers: [{ name: "db", restartPolicy: "Always" }] },
      status: {
        ...ENDED_BY_US,
        containerStatuses: [waiting("test", "ImagePullBackOff")],
        initContainerStatuses: [service("db", { state: { terminated: { exitCode: 143, finishedAt: "2026-01-01T00:20:00Z" } } })],
      },
    },
  },
  { seen: "a pod that no node took in time", rule: "schedule-timeout", result: null, end: "schedule-timeout", pod: { metadata: DELETED } },
  { seen: "a pod that never came and was deleted", rule: "no-pod", result: null, end: "no-pod", pod: { metadata: DELETED } },
  { seen: "a build that nobody asks for", rule: "unclaimed", result: null, end: "unclaimed", pod: failed(143) },
  { seen: "a deadline that somebody else lowered", rule: "ended-early", result: null, end: "unknown", pod: failed(143) },

  {
    seen: "an overrun ephemeral-storage limit of the pod",
    rule: "out-of-disk",
    result: "FAILURE - out of disk (limit 10Gi)",
    pod: failed(137, {}, { reason: "Evicted", message: "Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. " }),
  },
  {
    seen: "an overrun ephemeral-storage limit of the container",
    rule: "out-of-disk",
    result: "FAILURE - out of disk (limit 20Mi)",
    pod: failed(1, {}, { reason: "Evicted", message: 'Container test exceeded its local ephemeral storage limit "20Mi". ' }),
  },
  {
    seen: "an overrun emptyDir whose container the kubelet lost sight of",
    rule: "out-of-disk",
    result: "FAILURE - out of disk (limit 20Mi)",
    pod: failed(
      137,
      { reason: "ContainerStatusUnknown", startedAt: null, finishedAt: null },
      { reason: "Evicted", message: 'Usage of EmptyDir volume "d" exceeds the limit "20Mi". ' },
    ),
  },
  {
    seen: "an eviction for the node's memory",
    rule: "evicted",
    result: null,
    pod: failed(
      137,
      {},
      {
        reason: "Evicted",
        message:
          "The node was low on resource: memory. Threshold quantity: 50Mi, available: 1Mi. Container test was using 1Gi, request is 0, has larger consumption of memory. ",
        conditions: [disrupted("TerminationByKubelet", "The node was low on resource: memory.")],
      },
    ),
  },
  {
    seen: "an eviction whose message says nothing of a limit",
    rule: "evicted",
    result: null,
    pod: failed(1, {}, { reason: "Evicted", message: "The node had condition: [DiskPressure]. " }),
  },
  {
    seen: "an eviction of a pod that had not begun its test",
    rule: "evicted",
    result: null,
    pod: { status: { phase: "Failed", reason: "Evicted", message: "The node had condition: [MemoryPressure]. ", containerStatuses: [] } },
  },
  {
    seen: "preemption by the scheduler",
    rule: "preempted",
    result: null,
    pod: {
      metadata: DELETED,
      status: { conditions: [disrupted("PreemptionByScheduler", "preempting to accommodate a higher priority pod")] },
    },
  },
  {
    seen: "preemption by the kubelet",
    rule: "preempted",
    result: null,
    pod: failed(
      137,
      {},
      { reason: "Preempting", message: "Preempted in order to admit critical pod", conditions: [disrupted("TerminationByKubelet")] },
    ),
  },
  {
    seen: "a drain",
    rule: "drained",
    result: null,
    pod: {
      metadata: DELETED,
      status: { conditions: [disrupted("EvictionByEvictionAPI", "Eviction API: evicting")], containerStatuses: [terminated("test", 143)] },
    },
  },
  {
    seen: "a drain, and exit code 0 after TERM",
    rule: "drained",
    result: null,
    pod: {
      metadata: DELETED,
      status: { phase: "Succeeded", conditions: [disrupted("EvictionByEvictionAPI")], containerStatuses: [terminated("test", 0)] },
    },
  },
  {
    seen: "a node that does not answer any more",
    rule: "node-lost",
    result: null,
    pod: {
      metadata: DELETED,
      status: { conditions: [disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")] },
    },
  },
  {
    seen: "a node that is gone",
    rule: "node-lost",
    result: null,
    pod: { metadata: DELETED, status: { phase: "Failed", conditions: [disrupted("DeletionByPodGC", "PodGC: node no longer exists")] } },
  },
  { seen: "phase Unknown", rule: "node-lost", result: null, pod: { status: { phase: "Unknown" } } },
  {
    seen: "a node that shuts down",
    rule: "disrupted",
    result: null,
    pod: failed(
      143,
      {},
      {
        reason: "Terminated",
        message: "Pod was terminated in response to imminent node shutdown.",
        conditions: [disrupted("TerminationByKubelet")],
      },
    ),
  },
  {
    seen: "a Job suspended while its test ran",
    rule: "job-suspended",
    result: null,
    job: { spec: { suspend: true } },
    pod: { metadata: DELETED },
  },
  {
    seen: "a Job suspended while its test ran, and exit code 0 after TERM",
    rule: "job-suspended",
    result: null,
    job: { spec: { suspend: true } },
    pod: { metadata: DELETED, status: { containerStatuses: [terminated("test", 0)] } },
  },
  {
    seen: "a Job suspended while its test ran, its pod not deleted yet",
    rule: "job-suspended",
    result: null,
    job: { spec: { suspend: true } },
    pod: {},
  },
  {
    seen: "a Job suspended after its test had failed",
    rule: "exit-code",
    result: "FAILURE",
    job: { spec: { suspend: true } },
    pod: { status: { containerStatuses: [terminated("test", 1)] } },
  },
  { seen: "a suspended Job", rule: undefined, job: { spec: { suspend: true } } },
  { seen: "a Job suspended while its pod prepares", rule: undefined, job: { spec: { suspend: true } }, pod: pending("ImagePullBackOff") },
  { seen: "a deleted Job", rule: "job-deleted", result: null, job: { metadata: DELETED } },
  { seen: "a deleted Job and its pod", rule: "job-deleted", result: null, job: { metadata: DELETED }, pod: { metadata: DELETED } },
  { seen: "a deleted Job whose pod still runs", rule: "job-deleted", result: null, job: { metadata: DELETED }, pod: {} },
  { seen: "a deleted Job whose test has failed", rule: "exit-code", result: "FAILURE", job: { metadata: DELETED }, pod: failed(1) },
  { seen: "a deleted pod", rule: "pod-deleted", result: null, pod: { metadata: DELETED } },
  {
    seen: "exit code 0 in a deleted pod",
    rule: "pod-deleted",
    result: null,
    pod: { metadata: DELETED, status: { containerStatuses: [terminated("test", 0)] } },
  },
  {
    seen: "exit code 1 in a deleted pod",
    rule: "pod-deleted",
    result: null,
    pod: { metadata: DELETED, status: { containerStatuses: [terminated("test", 1)] } },
  },
  {
    seen: "exit code 0 after the kubelet ended the test (an evicted pod ends like this)",
    rule: "killed",
    result: null,
    kill: "Stopping container test",
    pod: { status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } },
  },
  {
    seen: "exit code 0 after the kubelet ended the test for its own limit of disk",
    rule: "out-of-disk",
    result: "FAILURE - out of disk (limit 20Mi)",
    kill: "Stopping container test",
    pod: { status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } },
    events: [makeEvent("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ")],
  },
  {
    seen: "exit code 0 after the kubelet ended the test, whose pod may still say why",
    rule: undefined,
    kill: "Stopping container test",
    pod: { status: { containerStatuses: [terminated("test", 0)] } },
  },
  {
    seen: "an exit after the kubelet ended the test, and no end of the pod for ten minutes",
    rule: "killed",
    result: null,
    kill: "Stopping container test",
    ms: 10 * MINUTES,
    pod: { status: { containerStatuses: [terminated("test", 1)] } },
  },
  ...[0, 1, 143].flatMap((exitCode): Row[] => [
    {
      seen: `exit code ${exitCode} that the kubelet saw twenty seconds later`,
      rule: "unwatched",
      result: null,
      pod: failed(exitCode, {}, seenAt("2026-01-01T00:00:31Z")),
    },
    {
      seen: `exit code ${exitCode} that the kubelet saw nineteen seconds later`,
      rule: exitCode === 0 ? "exit-0" : "exit-code",
      result: exitCode === 0 ? "SUCCESS" : "FAILURE",
      pod: failed(exitCode, {}, seenAt("2026-01-01T00:00:30Z")),
    },
  ]),
  {
    seen: "exit code 0 beside a container that had not been ready before",
    rule: "exit-0",
    result: "SUCCESS",
    pod: failed(0, {}, seenAt("2026-01-01T00:00:00Z")),
  },
  {
    seen: "exit code 0 of a test that was started again, and seen to end at first",
    rule: "exit-0",
    result: "SUCCESS",
    pod: {
      status: {
        containerStatuses: [{ ...terminated("test", 1), lastState: terminated("test", 0).state ?? {}, restartCount: 1 }],
        ...seenAt("2026-01-01T00:10:00Z"),
      },
    },
  },
  {
    seen: "a command that is not there, with the runtime's times",
    rule: "not-runnable",
    result: "CONFIG_ERROR - cannot start test - exec - a - permission denied",
    pod: failed(
      128,
      { reason: "StartError", message: 'exec: "a": permission denied: unknown', finishedAt: "1970-01-01T00:00:00Z" },
      seenAt("2026-01-01T00:00:31Z"),
    ),
  },
  {
    seen: "a stop whose effect the kubelet saw late",
    rule: "stopped",
    result: "ABORTED",
    end: "stop",
    pod: failed(143, {}, seenAt("2026-01-01T00:10:00Z")),
  },

  {
    seen: "a sysctl that the node forbids",
    rule: "node-unfit",
    result: "CONFIG_ERROR - the node refuses the pod - forbidden sysctl - net.core.somaxconn not allowlisted",
    pod: rejected("SysctlForbidden", 'Pod was rejected: forbidden sysctl: "net.core.somaxconn" not allowlisted'),
  },
  {
    seen: "a full node",
    rule: "node-refused",
    result: null,
    pod: rejected("OutOfpods", "Pod was rejected: Node didn't have enough resource: pods"),
  },
  {
    seen: "a node without cpu",
    rule: "node-refused",
    result: null,
    pod: rejected("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu"),
  },
  {
    seen: "a device plugin's refusal",
    rule: "node-refused",
    result: null,
    pod: rejected("UnexpectedAdmissionError", "Pod was rejected: Allocate failed"),
  },
  {
    seen: "changed labels of a node",
    rule: "node-refused",
    result: null,
    pod: rejected("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed"),
  },

  {
    seen: "a node that was reset, as containerd tells",
    rule: "pod-lost",
    result: null,
    pod: { status: { containerStatuses: [terminated("test", 255, { reason: "Unknown" })] } },
  },
  {
    seen: "a node that was reset, its pod over",
    rule: "pod-lost",
    result: null,
    pod: failed(255, { reason: "Unknown" }),
  },
  {
    seen: "a container that containerd could not read, and whose task then ended with 0",
    rule: "pod-lost",
    result: null,
    pod: failed(0, { reason: "Unknown" }, { phase: "Succeeded" }),
  },
  ...[137, 255].flatMap((exitCode): Row[] => [
    { seen: `exit code ${exitCode} of a script whose runner says nothing`, ...CUT_OFF, pod: failed(exitCode) },
    {
      seen: `exit code ${exitCode} of a script whose runner says another one`,
      ...CUT_OFF,
      pod: failed(exitCode, { message: "ended 0\n" }),
    },
    {
      seen: `exit code ${exitCode} of a script that has lost its service with itself`,
      ...CUT_OFF,
      pod: withService({ lastState: { terminated: { exitCode } } }, exitCode),
    },
    {
      seen: `exit code ${exitCode} of a script's own`,
      ...{ rule: "exit-code", result: "FAILURE", roles: MARKED },
      pod: failed(exitCode, { message: `ended ${exitCode}\n` }),
    },
    {
      seen: `exit code ${exitCode} of a script's own, and its sentence`,
      ...{ rule: "exit-code", result: "3 of 12 tests failed", roles: MARKED },
      pod: failed(exitCode, { message: `ended ${exitCode}\n3 of 12 tests failed\nmore` }),
    },
    { seen: `exit code ${exitCode} of a test without a script's runner`, rule: "exit-code", result: "FAILURE", pod: failed(exitCode) },
    {
      seen: `exit code ${exitCode} of a test without a script's runner, and its sentence`,
      ...{ rule: "exit-code", result: "ended 3" },
      pod: failed(exitCode, { message: "ended 3\nmore\n" }),
    },
  ]),
  ...[0, 1, 127, 143, 254].map(
    (exitCode): Row => ({
      seen: `exit code ${exitCode} of a script whose runner says nothing: no runtime makes that up`,
      ...(exitCode === 0 ? { rule: "exit-0", result: "SUCCESS" } : { rule: "exit-code", result: "FAILURE" }),
      ...{ roles: MARKED, pod: failed(exitCode, {}, exitCode === 0 ? { phase: "Succeeded" } : {}) },
    }),
  ),
  ...[
    { seen: "an image whose /bin/sh this node cannot execute", times: AT_ONCE },
    {
      seen: "an image whose /bin/sh this node cannot execute, within the turn of a second",
      times: { ...AT_ONCE, finishedAt: "2026-01-01T00:00:02Z" },
    },
  ].map(({ seen, times }): Row => ({ seen, ...CANNOT_EXECUTE, pod: failed(1, times) })),
  ...(
    [
      ["a script that fails at once", { message: "ended 1\n" }, "FAILURE"],
      ["a script whose runner says nothing, after two seconds", { finishedAt: "2026-01-01T00:00:03Z" }, "FAILURE"],
      ["a script whose runner says nothing, with a time that nobody tells", { startedAt: null }, "FAILURE"],
      ["a script whose runner says nothing, but that has said something itself", { message: "Failure" }, "Failure"],
    ] as const
  ).map(([seen, end, result]): Row => ({ seen, rule: "exit-code", result, roles: MARKED, pod: failed(1, { ...AT_ONCE, ...end }) })),
  {
    seen: "a script that ran out of memory at once, with exit code 1",
    rule: "node-out-of-memory",
    result: null,
    roles: MARKED,
    pod: failed(1, { ...AT_ONCE, reason: "OOMKilled" }),
  },
  { seen: "another exit code at once", rule: "exit-code", result: "FAILURE", roles: MARKED, pod: failed(2, AT_ONCE) },
  { seen: "an image's own command that fails at once", rule: "exit-code", result: "FAILURE", pod: failed(1, AT_ONCE) },
  {
    seen: "exit code 255 of a script whose runner says nothing, in a pod that its kubelet then ended",
    ...CUT_OFF,
    kill: "Stopping container test",
    pod: failed(255, { message: "12 of 12 tests passed\n" }),
  },
  {
    seen: "a script that ignores TERM and whose own liveness probe has failed",
    ...{ rule: "exit-code", result: "FAILURE", roles: MARKED },
    kill: "Stopping container test",
    pod: failed(137),
  },
  {
    seen: "a script that ignores TERM, after a stop",
    ...{ rule: "stopped", result: "ABORTED", roles: MARKED, end: "stop" },
    pod: failed(137, {}, ENDED_BY_US),
  },
  {
    seen: "a script that was killed with its runner for want of memory",
    ...{ rule: "out-of-memory", result: "FAILURE - out of memory (limit 2Gi)", roles: MARKED },
    pod: { spec: { containers: [{ name: "test", ...MEMORY }] }, ...failed(137, { reason: "OOMKilled" }) },
  },
  {
    seen: "a script that says of its interpreter what its runner would",
    ...{ rule: "exit-code", result: "CONFIG_ERROR - the interpreter x is away", roles: MARKED },
    pod: failed(127, { message: "ended 127\nCONFIG_ERROR - the interpreter x is away\n" }),
  },
  {
    seen: "a runner without the script's interpreter",
    ...{ rule: "no-interpreter", result: "CONFIG_ERROR - the interpreter x is away", roles: MARKED },
    pod: failed(127, { message: "CONFIG_ERROR - the interpreter x is away\n" }),
  },
  {
    seen: "a container without an exit code, as CRI-O tells",
    rule: "pod-lost",
    result: null,
    pod: failed(-1),
  },
  {
    seen: "an init container on a node that was reset",
    rule: "pod-lost",
    result: null,
    pod: initFailed("setup", 255, { reason: "Unknown" }),
  },
  {
    seen: "a checkout on a node that was reset",
    rule: "pod-lost",
    result: null,
    pod: initFailed("checkout", 255, { reason: "Unknown" }),
  },
  {
    seen: "a test that its kubelet has lost and would begin anew",
    rule: "pod-lost",
    result: null,
    pod: {
      status: {
        containerStatuses: [
          {
            ...waiting("test", "ContainerCreating"),
            lastState: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } },
            restartCount: 1,
          },
        ],
      },
    },
  },
  {
    seen: "a failing test that runs again, by its first end",
    rule: "exit-code",
    result: "FAILURE",
    pod: { status: { containerStatuses: [{ ...running("test"), lastState: { terminated: { exitCode: 1 } }, restartCount: 1 }] } },
  },
  {
    seen: "a failing test that ran again and passed, by its first end",
    rule: "exit-code",
    result: "3 tests failed",
    pod: {
      status: {
        phase: "Succeeded",
        containerStatuses: [
          { ...terminated("test", 0), lastState: { terminated: { exitCode: 1, message: "3 tests failed" } }, restartCount: 1 },
        ],
      },
    },
  },
  {
    seen: "a failing test that is about to run again, by its first end",
    rule: "exit-code",
    result: "FAILURE",
    pod: {
      status: {
        containerStatuses: [{ ...waiting("test", "CrashLoopBackOff"), lastState: { terminated: { exitCode: 143 } }, restartCount: 1 }],
      },
    },
  },
  {
    seen: "a test that has run three times and passed at last",
    rule: "run-again",
    result: "CONFIG_ERROR - container test was started again, and how it ended at first was not seen - the pod of a build runs once",
    pod: {
      status: {
        phase: "Succeeded",
        containerStatuses: [{ ...terminated("test", 0), lastState: { terminated: { exitCode: 1 } }, restartCount: 2 }],
      },
    },
  },
  {
    seen: "a test that ended while all containers of its pod are started again",
    rule: "run-again",
    pod: {
      status: {
        conditions: [{ type: "AllContainersRestarting", status: "True" }],
        containerStatuses: [terminated("test", 0), terminated("web", 88)],
      },
    },
    result: "CONFIG_ERROR - all containers of its pod were started again - the pod of a build runs once",
  },
  {
    seen: "an init container of the template that failed and will be started again",
    rule: undefined,
    pod: {
      spec: { initContainers: [{ name: "setup", restartPolicy: "OnFailure" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [terminated("setup", 1)],
        containerStatuses: [waiting("test", "PodInitializing")],
      },
    },
    roles: { inits: ["setup"] },
  },
  {
    seen: "exit code 0 in a pod with a reason that nobody knows",
    rule: "pod-ended",
    result: null,
    pod: failed(0, {}, { reason: "NodeReclaimed", message: "the node was reclaimed" }),
  },
  {
    seen: "exit code 1 in a pod with a reason that nobody knows",
    rule: "pod-ended",
    result: null,
    pod: failed(1, {}, { reason: "Terminated", message: "Pod was terminated in response to imminent node shutdown." }),
  },
  {
    seen: "a disruption that was announced while the test runs on",
    rule: undefined,
    pod: { status: { conditions: [disrupted("EvictionByEvictionAPI")] } },
  },
  {
    seen: "a disruption that was announced while its image is pulled",
    rule: undefined,
    pod: {
      status: { phase: "Pending", conditions: [disrupted("PreemptionByScheduler")], containerStatuses: [waiting("test", "ErrImagePull")] },
    },
  },
  {
    seen: "an init container that a shutdown of its node ended",
    rule: "disrupted",
    result: null,
    pod: {
      ...initFailed("setup", 143),
      status: { ...initFailed("setup", 143).status, conditions: [disrupted("TerminationByKubelet")] },
    },
  },
  {
    seen: "a failed test whose service had ended before it began",
    rule: "exit-code",
    result: "FAILURE",
    pod: withService({ lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:00:00Z" } } }),
  },
  {
    seen: "a failed test whose service was OOMKilled before it began",
    rule: "exit-code",
    result: "FAILURE",
    pod: withService({ lastState: { terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: "2026-01-01T00:00:00Z" } } }, 1, MEMORY),
  },
  {
    seen: "a checkout that a limit kills",
    rule: "checkout-out-of-memory",
    result: "CONFIG_ERROR - checkout out of memory (limit 2Gi)",
    pod: initFailed("checkout", 137, { reason: "OOMKilled" }, MEMORY),
  },
  {
    seen: "a checkout whose git a limit kills",
    rule: "checkout-out-of-memory",
    result: "CONFIG_ERROR - checkout out of memory (limit 2Gi)",
    pod: {
      ...initFailed("checkout", 69, { reason: "OOMKilled", message: "git fetch was killed" }),
      spec: { initContainers: [{ name: "checkout", ...MEMORY }] },
    },
  },
  {
    seen: "an init container of whose processes a limit kills one, and that ends with 0",
    rule: "out-of-memory",
    result: "FAILURE - setup out of memory (limit 2Gi)",
    pod: initFailed("setup", 0, { reason: "OOMKilled" }, MEMORY),
  },
  {
    seen: "an injected init container's exit code",
    rule: "injected-failed",
    result: null,
    roles: { inits: ["setup"] },
    pod: initFailed("mesh-validation", 126),
  },
  {
    seen: "an injected init container's sentence",
    rule: "injected-failed",
    result: null,
    roles: { inits: [] },
    pod: initFailed("mesh-init", 1, { message: "no network yet" }),
  },
  {
    seen: "an injected init container that is called as the checkout would be",
    rule: "injected-failed",
    result: null,
    roles: { checkout: false },
    pod: initFailed("checkout", 65, { message: "the ref does not exist" }),
  },
  {
    seen: "an injected init container without memory at its own limit",
    rule: "injected-failed",
    result: null,
    roles: { inits: [] },
    pod: initFailed("mesh-init", 137, { reason: "OOMKilled" }, MEMORY),
  },
  {
    seen: "an injected init container whose command is not there",
    rule: "injected-failed",
    result: null,
    roles: { inits: [] },
    pod: initFailed("mesh-init", 128, { reason: "StartError", message: 'exec: "/x": permission denied: unknown' }),
  },
  {
    seen: "an injected image that is not there",
    rule: undefined,
    ms: 60_000,
    roles: { others: [] },
    pod: {
      status: {
        phase: "Pending",
        containerStatuses: [waiting("test", "ContainerCreating"), waiting("proxy", "ErrImagePull", "not found")],
      },
    },
  },
  {
    seen: "a failed test whose injected sidecar had ended",
    rule: "exit-code",
    result: "FAILURE",
    roles: { services: [] },
    pod: withService({ lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:00:05Z" } } }),
  },
  {
    seen: "a failed test whose injected sidecar was OOMKilled at its own limit",
    rule: "exit-code",
    result: "FAILURE",
    roles: { services: [] },
    pod: withService({ lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } }, 1, MEMORY),
  },
  {
    seen: "a failed test beside an injected container that stands first and ended with 0",
    rule: "exit-code",
    result: "1 of 3 tests failed",
    roles: { test: "unit", others: [] },
    pod: {
      spec: { containers: [{ name: "proxy" }, { name: "unit" }] },
      status: { containerStatuses: [terminated("proxy", 0), terminated("unit", 1, { message: "1 of 3 tests failed" })] },
    },
  },
  {
    seen: "a running test beside an injected container that stands first, is called test and ended with 0",
    rule: undefined,
    roles: { test: "unit", others: [] },
    pod: {
      spec: { containers: [{ name: "test" }, { name: "unit" }] },
      status: { containerStatuses: [terminated("test", 0), running("unit")] },
    },
  },
  {
    seen: "a pull that took too long behind an injected sidecar that does not get ready",
    rule: "pull-timeout",
    result: null,
    end: "pull-timeout",
    roles: { services: [] },
    pod: {
      spec: { initContainers: [{ name: "proxy", restartPolicy: "Always" }] },
      status: {
        phase: "Failed",
        initContainerStatuses: [service("proxy", { started: false, lastState: { terminated: { exitCode: 1 } } })],
        containerStatuses: [waiting("test", "PodInitializing")],
      },
    },
  },
  {
    seen: "a checkout that is set up wrong",
    rule: "checkout-configuration",
    result: "CONFIG_ERROR - ZUUL_URL has no scheme",
    pod: initFailed("checkout", 78, { message: "ZUUL_URL has no scheme" }),
  },
  {
    seen: "a ref that is gone",
    rule: "checkout-ref",
    result: "FAILURE - refs/zuul/master/Z0 does not exist in nova at git.example.org",
    pod: initFailed("checkout", 65, { message: "refs/zuul/master/Z0 does not exist in nova at git.example.org" }),
  },
  { seen: "a checkout without network", rule: "checkout-failed", result: null, pod: initFailed("checkout", 69, { message: "no route" }) },
  { seen: "a checkout that crashed", rule: "checkout-failed", result: null, pod: initFailed("checkout", 1) },
  { seen: "a checkout that somebody else ended", rule: "checkout-failed", result: null, pod: initFailed("checkout", 143) },
  { seen: "a checkout without memory", rule: "checkout-failed", result: null, pod: initFailed("checkout", 137, { reason: "OOMKilled" }) },

  ...[{ startedAt: "2026-01-01T00:00:01Z" }, { startedAt: null }].map(
    (times): Row => ({
      seen: `exit code 0 of what could not be started${times.startedAt ? "" : ", without a time"}`,
      rule: "start-failed",
      result: null,
      pod: failed(0, { reason: "StartError", message: "cannot start a stopped process", ...times }, { phase: "Succeeded" }),
    }),
  ),
  {
    seen: "a command that is not there",
    rule: "not-runnable",
    result: "CONFIG_ERROR - cannot start test - exec - nope - executable file not found in PATH",
    pod: failed(128, {
      reason: "StartError",
      message:
        'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown',
    }),
  },
  {
    seen: "an init container's command that may not be executed",
    rule: "not-runnable",
    result: "CONFIG_ERROR - cannot start setup - exec - /x - permission denied",
    pod: initFailed("setup", 128, {
      reason: "StartError",
      message:
        'OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/x": permission denied: unknown',
    }),
  },
  {
    seen: "a dataset's image without the directory",
    rule: "dataset-copy",
    result: "CONFIG_ERROR - image of the dataset - cp - can not stat /data/. - No such file or directory",
    pod: initFailed("th-dataset", 1, { message: "cp: can't stat '/data/.': No such file or directory\n" }),
  },
  {
    seen: "a dataset's image with a file that the pod's user may not read, and nothing said",
    rule: "dataset-copy",
    result: "CONFIG_ERROR - image of the dataset - exit code 1",
    pod: initFailed("th-dataset", 1),
  },
  {
    seen: "a dataset's image without cp",
    rule: "not-runnable",
    result: "CONFIG_ERROR - cannot start th-dataset - exec - cp - executable file not found in PATH",
    pod: initFailed("th-dataset", 128, { reason: "StartError", message: 'exec: "cp": executable file not found in $PATH: unknown' }),
  },
  {
    seen: "a script whose interpreter its image does not have",
    rule: "no-interpreter",
    result: "CONFIG_ERROR - the interpreter /bin/bash of the script is not in the image",
    pod: failed(127, { message: "CONFIG_ERROR - the interpreter /bin/bash of the script is not in the image\n" }),
  },
  { seen: "a script that does not find a command", rule: "exit-code", result: "FAILURE", pod: failed(127) },
  {
    seen: "a message that is the end of a longer file",
    rule: "exit-code",
    result: "FAILURE",
    pod: failed(1, { message: `tion failed in test_login\n${"x".repeat(4070)}` }),
  },
  {
    seen: "an init container's message that is the end of a longer file",
    rule: "init-failed",
    result: "FAILURE - init container setup - exit code 3",
    pod: initFailed("setup", 3, { message: `\u{fffd}${"x".repeat(4093)}` }),
  },
  {
    seen: "a runtime that cannot start it",
    rule: "start-failed",
    result: null,
    pod: failed(128, { reason: "StartError", message: "failed to create shim task: context deadline exceeded: unknown" }),
  },
  { seen: "a runtime that gives no reason", rule: "start-failed", result: null, pod: failed(128, { reason: "ContainerCannotRun" }) },
  {
    seen: "OOMKilled at its own limit",
    rule: "out-of-memory",
    result: "FAILURE - out of memory (limit 2Gi)",
    pod: {
      spec: { containers: [{ name: "test", ...MEMORY }] },
      status: { containerStatuses: [terminated("test", 137, { reason: "OOMKilled" })] },
    },
  },
  {
    seen: "OOMKilled at the limit of the whole pod",
    rule: "out-of-memory",
    result: "FAILURE - out of memory (limit 2Gi)",
    pod: { spec: MEMORY, status: { containerStatuses: [terminated("test", 137, { reason: "OOMKilled" })] } },
  },
  {
    seen: "OOMKilled without a limit",
    rule: "node-out-of-memory",
    result: null,
    pod: { status: { containerStatuses: [terminated("test", 137, { reason: "OOMKilled" })] } },
  },
  {
    seen: "an init container OOMKilled at its own limit",
    rule: "out-of-memory",
    result: "FAILURE - setup out of memory (limit 2Gi)",
    pod: initFailed("setup", 137, { reason: "OOMKilled" }, MEMORY),
  },
  {
    seen: "an init container OOMKilled without a limit",
    rule: "node-out-of-memory",
    result: null,
    pod: initFailed("setup", 137, { reason: "OOMKilled" }),
  },
  {
    seen: "a failed test whose service was OOMKilled at its own limit",
    rule: "out-of-memory",
    result: "FAILURE - db out of memory (limit 2Gi)",
    pod: withService({ lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } }, 1, MEMORY),
  },
  {
    seen: "a failed test whose service was OOMKilled without a limit",
    rule: "node-out-of-memory",
    result: null,
    pod: withService({ lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } }),
  },
  {
    seen: "a failed test whose service had ended",
    rule: "service-failed",
    result: "FAILURE - service db - exit code 1",
    pod: withService({ lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:00:05Z" } } }),
  },
  {
    seen: "a failed test whose service the kubelet ended after it",
    rule: "exit-code",
    result: "FAILURE",
    pod: withService({ state: { terminated: { exitCode: 143, finishedAt: "2026-01-01T00:00:12Z" } } }),
  },
  {
    seen: "an init container's exit code",
    rule: "init-failed",
    result: "FAILURE - init container setup - exit code 3",
    pod: initFailed("setup", 3),
  },
  {
    seen: "an init container's sentence",
    rule: "init-failed",
    result: "no such schema",
    pod: initFailed("setup", 3, { message: "no such schema" }),
  },

  {
    seen: "an image name that is none",
    rule: "invalid-image-name",
    result: "CONFIG_ERROR - invalid image name - could not parse image name Bad - invalid reference format",
    ms: 0,
    pod: pending("InvalidImageName", 'Failed to apply default image tag "Bad": couldn\'t parse image name "Bad": invalid reference format'),
  },
  {
    seen: "an image that is not there, for a minute",
    rule: "image-not-found",
    result: "CONFIG_ERROR - image not found - registry.example.org/unit tag 3",
    ms: 60_000,
    pod: pending(
      "ErrImagePull",
      'rpc error: code = NotFound desc = failed to pull and unpack image "registry.example.org/unit:3": failed to resolve reference "registry.example.org/unit:3": registry.example.org/unit:3: not found',
    ),
  },
  {
    seen: "an image that is not there, backing off",
    rule: "image-not-found",
    result: "CONFIG_ERROR - image not found - unit tag 3",
    ms: 60_000,
    pod: pending("ImagePullBackOff", 'Back-off pulling image "unit:3": ErrImagePull: manifest unknown'),
  },
  {
    seen: "an image that may not be pulled and is not there",
    rule: "image-not-found",
    result: "CONFIG_ERROR - image not found - unit tag 3 is not on the node, and imagePullPolicy is Never",
    ms: 60_000,
    pod: pending("ErrImageNeverPull", 'Container image "unit:3" is not present with pull policy of Never'),
  },
  {
    seen: "a repository that is not there, or private",
    rule: "image-denied",
    result: "CONFIG_ERROR - image not found, or no right to pull it - pyhton tag 3.12",
    ms: 180_000,
    pod: pending("ErrImagePull", 'Back-off pulling image "pyhton:3.12": ErrImagePull: pull access denied, repository does not exist'),
  },
  {
    seen: "an image of another platform",
    rule: "image-platform",
    result: "CONFIG_ERROR - ci/tests tag 1 has nothing for the platform of this node",
    ms: 60_000,
    pod: pending("ErrImagePull", 'failed to pull and unpack image "ci/tests:1": no match for platform in manifest: not found'),
  },
  { seen: "an image that is not there, for less", rule: undefined, ms: 59_000, pod: pending("ImagePullBackOff", "manifest unknown") },
  {
    seen: "a registry that does not answer",
    rule: undefined,
    ms: 10 * MINUTES,
    pod: pending("ErrImagePull", 'failed to do request: Head "https://registry.example.org/v2/": dial tcp: i/o timeout'),
  },
  {
    seen: "a registry whose name is not found",
    rule: undefined,
    ms: 10 * MINUTES,
    pod: pending("ErrImagePull", "dial tcp: lookup registry.example.org on 10.96.0.10:53: no such host"),
  },
  {
    seen: "a missing Secret, for half a minute",
    rule: "container-config",
    result: "CONFIG_ERROR - secret db not found",
    ms: 30_000,
    pod: pending("CreateContainerConfigError", 'secret "db" not found'),
  },
  {
    seen: "a missing key of a ConfigMap",
    rule: "container-config",
    result: "CONFIG_ERROR - could not find key url in ConfigMap ci/settings",
    ms: 30_000,
    pod: pending("CreateContainerConfigError", "couldn't find key url in ConfigMap ci/settings"),
  },
  {
    seen: "a missing Secret that is called like a passing fault",
    rule: "container-config",
    result: "CONFIG_ERROR - secret read-timeout not found",
    ms: 30_000,
    pod: pending("CreateContainerConfigError", 'secret "read-timeout" not found'),
  },
  {
    seen: "a missing key that is called like a passing fault",
    rule: "container-config",
    result: "CONFIG_ERROR - could not find key timeout in ConfigMap ci/timeouts",
    ms: 30_000,
    pod: pending("CreateContainerConfigError", "couldn't find key timeout in ConfigMap ci/timeouts"),
  },
  ...[
    'failed to pull and unpack image "r.example.org:5000/ci/timeout:1": failed to resolve reference "r.example.org:5000/ci/timeout:1": r.example.org:5000/ci/timeout:1: not found',
    "reading manifest 429 in r.example.org/rate/timeout: manifest unknown",
  ].map(
    (message): Row => ({
      seen: `an image that is not there and is called like a passing fault: ${message}`,
      rule: "image-not-found",
      result: `CONFIG_ERROR - image not found - ${message.startsWith("reading") ? "r.example.org/rate/timeout tag 429" : "ci/timeout tag 1 at r.example.org port 5000"}`,
      ms: MINUTES,
      pod: pending("ErrImagePull", message),
    }),
  ),
  {
    seen: "a command that is called like a hook",
    rule: "not-runnable",
    result: "CONFIG_ERROR - cannot start test - exec - bin/running hook 1 - no such file or directory",
    pod: failed(128, { reason: "StartError", message: 'exec: "bin/running hook 1": no such file or directory: unknown' }),
  },
  {
    seen: "an image without any command",
    rule: "container-config",
    result: "CONFIG_ERROR - container test has no command, and its image has none",
    ms: 30_000,
    pod: pending("CreateContainerError", "failed to generate container spec: no command specified"),
  },
  { seen: "a missing Secret, for less", rule: undefined, ms: 29_000, pod: pending("CreateContainerConfigError", 'secret "db" not found') },
  {
    seen: "a Secret that the kubelet could not ask for",
    rule: undefined,
    ms: 10 * MINUTES,
    pod: pending("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
  },
  {
    seen: "a volume of a ConfigMap that is not there",
    rule: "volume-not-found",
    result: "CONFIG_ERROR - configmap settings not found",
    ms: 30_000,
    pod: pending("ContainerCreating"),
    events: [makeEvent("FailedMount", 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found')],
  },
  {
    seen: "a volume that cannot be mounted yet",
    rule: undefined,
    ms: 10 * MINUTES,
    pod: pending("ContainerCreating"),
    events: [makeEvent("FailedMount", 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32')],
  },
  {
    seen: "a claim that is not there",
    rule: "volume-not-found",
    result: "CONFIG_ERROR - persistentvolumeclaim data not found",
    ms: 30_000,
    pod: {
      ...UNSCHEDULED,
      status: {
        ...UNSCHEDULED.status,
        conditions: [
          {
            type: "PodScheduled",
            status: "False",
            reason: "Unschedulable",
            message: '0/1 nodes are available: persistentvolumeclaim "data" not found. not found',
          },
        ],
      },
    },
  },
  {
    seen: "a dataset that is larger than its size",
    rule: "dataset-size",
    result: "CONFIG_ERROR - dataset too big - 20 bytes, and its size says 10 - raise it in the TestTask",
    ms: 30_000,
    pod: {
      ...UNSCHEDULED,
      status: {
        ...UNSCHEDULED.status,
        conditions: [
          { type: "PodScheduled", status: "False", message: "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims." },
        ],
      },
    },
    events: [makeEvent("ProvisioningFailed", "requested volume size 10 is less than the size 20 for the source snapshot nova")],
  },
  { seen: "a pod that no node has room for", rule: undefined, ms: 24 * 60 * MINUTES, pod: UNSCHEDULED },
  {
    seen: "a pod behind a scheduling gate",
    rule: undefined,
    ms: 24 * 60 * MINUTES,
    pod: {
      ...UNSCHEDULED,
      status: {
        ...UNSCHEDULED.status,
        conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated", message: "Scheduling is blocked" }],
      },
    },
  },
  {
    seen: "a pod that Pod Security refuses",
    rule: "pod-refused",
    result: "CONFIG_ERROR - violates PodSecurity restricted-latest - privileged (container test must not set...",
    events: failedCreate(
      'pods "unit-1-abcde" is forbidden: violates PodSecurity "restricted:latest": privileged (container "test" must not set securityContext.privileged=true)',
    ),
  },
  {
    seen: "a pod beyond a LimitRange",
    rule: "pod-refused",
    result: "CONFIG_ERROR - maximum memory usage per Container is 100Mi, but limit is 1Gi",
    events: failedCreate('pods "unit-1-abcde" is forbidden: maximum memory usage per Container is 100Mi, but limit is 1Gi'),
  },
  {
    seen: "a pod that needs more than the quota has",
    rule: "pod-refused",
    events: failedCreate(
      'pods "unit-1-abcde" is forbidden: exceeded quota: small, requested: requests.memory=2Gi, used: requests.memory=0, limited: requests.memory=1Gi',
    ),
    result: "CONFIG_ERROR - more than quota small allows - requests.memory 2Gi is requested, the limit is 1Gi",
  },
  {
    seen: "a pod that a policy engine refuses in several lines",
    rule: "pod-refused",
    result: "CONFIG_ERROR - policy require-requests-limits - CPU and memory limits are required",
    events: failedCreate(
      "admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Pod/ci/unit-1-abcde was blocked due to the following policies \n\nrequire-requests-limits:\n  validate-resources: 'validation error: CPU and memory limits are required. rule\n    validate-resources failed at path /spec/containers/0/resources/limits/'\n",
    ),
  },
  {
    seen: "a pod that a policy refuses in words that sound like a passing fault",
    rule: "pod-refused",
    result: "CONFIG_ERROR - every container needs a timeout, ask the server team (by tests.example.org)",
    events: failedCreate('admission webhook "tests.example.org" denied the request: every container needs a timeout, ask the server team'),
  },
  {
    seen: "a pod that a policy engine refuses because it could not ask",
    rule: undefined,
    ms: 60_000,
    events: failedCreate(
      'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Pod/ci/unit-1-abcde was blocked due to the following policies \n\nverify:\n  signatures: \'failed to verify image: Get "https://registry.example.org/v2/": dial tcp 10.0.0.9:443: i/o timeout\'\n',
    ),
  },
  {
    seen: "a pod with a value that sounds like a passing fault",
    rule: "pod-refused",
    result: "CONFIG_ERROR - spec.priorityClassName - Invalid value - timeout - is not there",
    events: failedCreate('Pod "unit-1-abcde" is invalid: spec.priorityClassName: Invalid value: "timeout": is not there'),
  },
  {
    seen: "a webhook that does not answer",
    rule: undefined,
    ms: 60_000,
    events: failedCreate('Internal error occurred: failed calling webhook "tests.example.org": context deadline exceeded'),
  },
  {
    seen: "a pod whose service account may still come",
    rule: undefined,
    ms: 59_000,
    events: failedCreate('pods "unit-1-abcde" is forbidden: error looking up service account ci/robot: serviceaccount "robot" not found'),
  },
  {
    seen: "a pod whose service account is not there",
    rule: "pod-refused",
    ms: 60_000,
    result: "CONFIG_ERROR - error looking up service account ci/robot - serviceaccount robot not found",
    events: failedCreate('pods "unit-1-abcde" is forbidden: error looking up service account ci/robot: serviceaccount "robot" not found'),
  },
  {
    seen: "a quota that lets no pod be made",
    rule: undefined,
    ms: 24 * 60 * MINUTES,
    events: failedCreate('pods "unit-1-abcde" is forbidden: exceeded quota: closed, requested: pods=1, used: pods=0, limited: pods=0'),
  },
  {
    seen: "a full quota",
    rule: undefined,
    ms: 24 * 60 * MINUTES,
    events: failedCreate('pods "unit-1-abcde" is forbidden: exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5'),
  },
  {
    seen: "a webhook that does not answer",
    rule: undefined,
    ms: 9 * MINUTES,
    events: failedCreate(
      'Internal error occurred: failed calling webhook "x.example.org": failed to call webhook: context deadline exceeded',
    ),
  },
  {
    seen: "a namespace that is being deleted",
    rule: "namespace-terminating",
    result: null,
    events: failedCreate('pods "unit-1-abcde" is forbidden: unable to create new content in namespace ci because it is being terminated'),
  },

  { seen: "a pod without a sandbox before its test, for a minute", rule: "sandbox-lost", result: null, ms: MINUTES, pod: WITHOUT_SANDBOX },
  { seen: "one for less", rule: undefined, ms: MINUTES - 1000, pod: WITHOUT_SANDBOX },
  { seen: "a status that the kubelet lost", rule: "pod-lost", result: null, pod: failed(137, { reason: "ContainerStatusUnknown" }) },
  {
    seen: "a pod that Succeeded without its test's exit code",
    rule: "pod-lost",
    result: null,
    pod: { status: { phase: "Succeeded", containerStatuses: [] } },
  },
  {
    seen: "a Job that ended, its pod gone",
    rule: "pod-lost",
    result: null,
    job: { status: { conditions: [{ type: "Failed", status: "True", message: "the pod is gone" }] } },
  },
];

function judgeRow(row: Row) {
  const job: Job = makeJob(row.job);
  const pods: Pod[] = row.pod ? [makePod(row.pod)] : [];
  const roles = { ...rolesOfTemplate(pods[0]?.spec), ...row.roles };
  const state = observeBuild(job, pods, roles, () => row.kill);
  const trouble = observeTrouble(state, row.events ?? []);
  const ms = row.ms ?? 3000;
  return judge({ state, end: row.end, limits: LIMITS, stateMs: ms, trouble: trouble && { trouble, standsMs: ms } });
}

describe("the verdict of", () => {
  for (const row of ROWS) {
    test(row.rule ? `${row.seen}: ${row.rule}` : `${row.seen} waits`, () => {
      const verdict = judgeRow(row);
      assert.deepEqual({ rule: verdict?.rule, result: verdict?.result }, { rule: row.rule, result: row.result });
    });
  }
});

describe("the table of verdicts", () => {
  const judged = ROWS.flatMap((row) => judgeRow(row) ?? []);

  test("has an example for every rule that looks at Job and pod", () => {
    const rules = VERDICT_RULES.flatMap((rule) => ("find" in rule ? [rule.id] : []));
    assert.deepEqual(new Set(judged.map(({ rule }) => rule)), new Set<string>(rules));
  });

  test("gives no result but SUCCESS from success, and none from infrastructure", () => {
    for (const verdict of judged) {
      const style = verdict.class === "infrastructure" ? null : { success: "SUCCESS", cancelled: "ABORTED" }[verdict.class as "success"];
      if (style !== undefined) assert.equal(verdict.result, style, verdict.rule);
      else assert.match(verdict.result ?? "", /^(?!SUCCESS$).+/, verdict.rule);
      assert.equal(renderResult(verdict, "token") === "SUCCESS", verdict.class === "success");
    }
  });

  test("gives Zuul the sentence in the letters that the configuration asks for, and keeps it whole", () => {
    const said = `expected "Prüfung ${"x".repeat(150)}"`;
    const verdict = judgeRow({ seen: "a sentence", rule: "exit-code", pod: failed(1, { message: `${said}\nmore` }) });
    assert.ok(verdict);
    assert.equal(verdict.message, said);
    assert.equal(renderResult(verdict, "text"), `expected Prufung ${"x".repeat(100)}...`);
    assert.equal(renderResult(verdict, "utf-8"), `expected Prüfung ${"x".repeat(100)}...`);
    assert.equal(renderResult({ ...verdict, result: 'of an older "version"' }, "text"), "of an older version");
    assert.equal(renderResult({ ...verdict, result: "“Success”" }, "text"), "FAILURE");
  });

  test("says what a build waited for whose images or init containers did not come in time", () => {
    const waitedFor = "init container setup still runs";
    const pod = makePod(rejected("DeadlineExceeded", ""));
    const state = observeBuild(makeJob(), [pod], rolesOfTemplate(pod.spec), () => undefined);
    const verdict = judge({ state, end: "pull-timeout", limits: LIMITS, stateMs: 1000, waitedFor });
    assert.deepEqual(
      [verdict?.message, verdict?.evidence?.waitedFor],
      ["the pod's images and init containers were not ready in time - waited for init container setup still runs", waitedFor],
    );
  });

  test("keeps the whole of a refusal, in one line, beside its cause", () => {
    const said = 'pods "unit-1-abcde" is forbidden: exceeded quota: small, requested: pods=2,\nused: pods=0, limited: pods=1';
    const verdict = judgeRow({ seen: "a refusal", rule: "pod-refused", events: failedCreate(said) });
    assert.equal(verdict?.message, said.replace("\n", " "));
  });

  test("documents results as they are given", () => {
    for (const { id, result, class: kind } of VERDICT_RULES) {
      if (result !== null) assert.equal(cleanResultText(result, "ascii"), result, id);
      assert.equal(result === null, kind === "infrastructure", id);
      assert.equal(result?.startsWith("CONFIG_ERROR - ") ?? false, kind === "configuration", id);
    }
  });

  test("keeps evidence of every verdict that has a pod", () => {
    for (const row of ROWS) {
      const verdict = row.pod && judgeRow(row);
      if (verdict) assert.equal(verdict.evidence?.pod, makePod().metadata.name, row.seen);
    }
  });
});

describe("the documentation's page of verdicts", () => {
  const page = renderVerdictPage();

  test("has a row for every rule, of six cells", () => {
    for (const { id } of VERDICT_RULES) {
      const row = page.split("\n").filter((line) => line.startsWith(`| \`${id}\` |`));
      assert.equal(row.length, 1, id);
      assert.equal(row[0]?.split(/(?<!\\)\|/).length, 8, id);
    }
  });

  test("is the committed one: npm run generate", () => {
    assert.equal(readFileSync(new URL("../../../../docs/verdicts.md", import.meta.url), "utf8"), page);
  });
});
