import { ownDiskLimit } from "../../kubernetes/disk-limit.ts";
import { whenDisrupted, whenOver, whenPod, whenTroubled } from "../sighting.ts";
import { POD, type VerdictRule } from "./verdict-rule.ts";

// The pod was taken away, or used more than it may.

export const outOfDisk = {
  id: "out-of-disk",
  class: "failure",
  seen: "The kubelet evicted the pod for its own limit of ephemeral storage or of an emptyDir (no `DisruptionTarget` condition).",
  result: "FAILURE - out of disk (limit 10Gi)",
  keeps: "pod, exit code, the kubelet's message",
  find: (sighting) =>
    whenPod(({ reason, disruption, message = "" }) => {
      const sentence = reason === "Evicted" && !disruption ? ownDiskLimit(message) : undefined;
      return sentence === undefined ? undefined : { sentence, evidence: { message } };
    })(sighting) ?? whenTroubled("out-of-disk")(sighting),
} as const satisfies VerdictRule;

export const preempted = {
  id: "preempted",
  class: "infrastructure",
  seen: "The pod gave way to one of higher priority (`PreemptionByScheduler`, or the kubelet's `Preempting`).",
  result: null,
  keeps: "pod, exit code, the condition's message",
  isChance: true,
  find: whenDisrupted(({ reason, disruption }) => disruption?.reason === "PreemptionByScheduler" || reason === "Preempting", "preempted"),
} as const satisfies VerdictRule;

export const drained = {
  id: "drained",
  class: "infrastructure",
  seen: "The pod was evicted through the API (`EvictionByEvictionAPI`): kubectl drain, an autoscaler, an upgrade.",
  result: null,
  keeps: "pod, exit code, the condition's message",
  isChance: true,
  find: whenDisrupted(({ disruption }) => disruption?.reason === "EvictionByEvictionAPI", "evicted through the API, as by a drain"),
} as const satisfies VerdictRule;

export const nodeLost = {
  id: "node-lost",
  class: "infrastructure",
  seen: "The node was lost, deleted or got a `NoExecute` taint (`DeletionByTaintManager`, `DeletionByPodGC`, or phase `Unknown`).",
  result: null,
  keeps: "pod, exit code, the condition's message",
  isChance: true,
  find: whenDisrupted(
    ({ disruption, phase }) => /^DeletionBy(TaintManager|PodGC)$/.test(disruption?.reason ?? "") || phase === "Unknown",
    "lost with its node",
  ),
} as const satisfies VerdictRule;

export const evicted = {
  id: "evicted",
  class: "infrastructure",
  seen: "The kubelet evicted the pod because its node was short of memory, disk or process ids.",
  result: null,
  keeps: "pod, exit code, the kubelet's message",
  find: whenDisrupted(({ reason }) => reason === "Evicted", "evicted by its node"),
} as const satisfies VerdictRule;

export const disrupted = {
  id: "disrupted",
  class: "infrastructure",
  seen: "Any other `DisruptionTarget` condition, such as `TerminationByKubelet` when a node shuts down.",
  result: null,
  keeps: "pod, exit code, the condition's message",
  isChance: true,
  find: whenDisrupted(({ disruption }) => disruption !== undefined, "taken away"),
} as const satisfies VerdictRule;

export const jobSuspended = {
  id: "job-suspended",
  class: "infrastructure",
  seen: "The Job was suspended after its test had begun (Kueue took its quota back). Suspended before that, it waits.",
  result: null,
  keeps: POD,
  deletesJob: true,
  isChance: true,
  find: (sighting) =>
    whenOver(sighting, ({ pod, job }) =>
      job.isSuspended && (pod?.isDeleted || sighting.state.kind === "lost")
        ? { sentence: "the Job was suspended while its test ran" }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const jobDeleted = {
  id: "job-deleted",
  class: "infrastructure",
  seen: "The Job was deleted, by a person or with its namespace.",
  result: null,
  keeps: POD,
  isChance: true,
  find: (sighting) =>
    whenOver(sighting, ({ pod, job }) =>
      job.isDeleted && (pod === undefined || pod.isDeleted || sighting.state.kind === "lost")
        ? { sentence: "the Job was deleted" }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const podDeleted = {
  id: "pod-deleted",
  class: "infrastructure",
  seen: "The pod was deleted before its test's end was seen, without a reason.",
  result: null,
  keeps: POD,
  isChance: true,
  find: whenPod(({ isDeleted }) => (isDeleted ? { sentence: "the pod was deleted" } : undefined)),
} as const satisfies VerdictRule;
