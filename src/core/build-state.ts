import type { Container, ContainerStatus, Job, Pod, PodSpec, TerminatedState } from "./kubernetes-objects.ts";

/** Where a build stands, read from its Job and Pod alone; every field comes from the API server's objects. */
export type BuildState =
  /** No Job is there (not yet, or no more: the caller knows which). */
  | { kind: "absent" }
  /** Somebody (Kueue, a person) has suspended the Job. */
  | { kind: "suspended" }
  /** The Job waits for its pod: not made yet, or refused. */
  | { kind: "queued" }
  /** The pod waits for a node. */
  | { kind: "unscheduled"; pod: PodFacts; reason: string }
  /** The pod has a node: images are pulled, init containers run. `since` is when the kubelet took it (RFC 3339). */
  | { kind: "preparing"; pod: PodFacts; since: string | undefined; reason: string; waiting: WaitingContainer | undefined }
  | { kind: "running"; pod: PodFacts; startedAt: string | undefined }
  /** The test's container has ended. */
  | { kind: "exited"; pod: PodFacts; terminated: TerminatedState }
  /** An init container ended the pod before the test ran. */
  | { kind: "not-started"; pod: PodFacts; container: string; terminated: TerminatedState }
  /** The pod is over, or being taken away, and its test's end was not seen. */
  | { kind: "lost"; pod: PodFacts | undefined; reason: string };

/** What verdict and decision need of a pod besides its state. */
export interface PodFacts {
  name: string;
  node: string | undefined;
  /** True from when the kubelet has accepted it; only then does `activeDeadlineSeconds` count. */
  isStarted: boolean;
  isTerminal: boolean;
  phase: string;
  /** The pod's own reason, e.g. `Evicted`, `DeadlineExceeded`. */
  reason: string | undefined;
  message: string | undefined;
  /** Disrupted or deleted: whatever its containers say after that is not the test's doing. */
  disruption: string | undefined;
  /** True when its end was requested already by lowering its deadline. */
  isEnding: boolean;
  memoryLimit: string | number | undefined;
  /** Names of further containers (not init) that still run. */
  othersRunning: boolean;
}

export interface WaitingContainer {
  container: string;
  reason: string;
  message: string;
}

/** The deadline that stands for "end now" (the smallest that the API takes); pods are created with hours. */
export const ENDING_DEADLINE_SECONDS = 1;

const TEST_CONTAINER = "test";

/** The container whose exit code is the build's: `test`, or the first. */
export function judgedContainer<T extends { containers: readonly Container[] }>(spec: T): Container | undefined {
  return spec.containers.find(({ name }) => name === TEST_CONTAINER) ?? spec.containers[0];
}

/** Pure and level-based: any two observations of the same objects give the same state, whatever came before. */
export function observeBuild(job: Job | undefined, pods: readonly Pod[]): BuildState {
  if (!job) return { kind: "absent" };
  const pod = newest(pods);
  if (!pod?.spec) return observeWithoutPod(job);
  const judged = judgedContainer(pod.spec)?.name ?? TEST_CONTAINER;
  const facts = podFacts(pod, pod.spec, judged);

  const status = pod.status?.containerStatuses?.find(({ name }) => name === judged)?.state;
  if (status?.terminated && !isUnknownEnd(status.terminated)) return { kind: "exited", pod: facts, terminated: status.terminated };
  if (facts.disruption) return { kind: "lost", pod: facts, reason: facts.disruption };
  const failedInit = pod.status?.initContainerStatuses?.find((init) => endedPod(init, pod));
  if (failedInit?.state?.terminated) {
    return { kind: "not-started", pod: facts, container: failedInit.name, terminated: failedInit.state.terminated };
  }
  if (facts.isTerminal || facts.phase === "Unknown") return { kind: "lost", pod: facts, reason: describe(facts) };
  if (job.metadata.deletionTimestamp) return { kind: "lost", pod: facts, reason: "the Job was deleted" };
  if (status?.running) return { kind: "running", pod: facts, startedAt: status.running.startedAt };
  if (!pod.spec.nodeName) {
    const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    return { kind: "unscheduled", pod: facts, reason: scheduled?.message ?? scheduled?.reason ?? "waits for a node" };
  }
  const waiting = firstWaiting(pod);
  return { kind: "preparing", pod: facts, since: pod.status?.startTime, reason: waiting?.reason ?? "starting", waiting };
}

/** True once its pod has told the end of the test, or that there will be none. A pod that nobody has seen tells nothing. */
export function hasEnded(state: BuildState): boolean {
  return state.kind === "exited" || state.kind === "not-started" || (state.kind === "lost" && state.pod !== undefined);
}

/** False while nothing of the build's pod has run: no kubelet has taken it. */
export function hasStarted(state: BuildState): boolean {
  if (state.kind === "suspended" || state.kind === "queued") return false;
  return !("pod" in state) || !state.pod || state.pod.isStarted || state.pod.isTerminal;
}

/** True once the Job controller has closed its books on it. */
export function isJobOver(job: Job): boolean {
  return endCondition(job) !== undefined;
}

function endCondition(job: Job) {
  return job.status?.conditions?.find(({ type, status }) => (type === "Failed" || type === "Complete") && status === "True");
}

function observeWithoutPod(job: Job): BuildState {
  if (job.metadata.deletionTimestamp) return { kind: "lost", pod: undefined, reason: "the Job was deleted" };
  const failed = endCondition(job);
  if (failed) return { kind: "lost", pod: undefined, reason: failed.message ?? failed.reason ?? "the Job ended and its pod is gone" };
  return { kind: job.spec?.suspend ? "suspended" : "queued" };
}

function newest(pods: readonly Pod[]): Pod | undefined {
  return [...pods].sort((a, b) => (b.metadata.creationTimestamp ?? "").localeCompare(a.metadata.creationTimestamp ?? ""))[0];
}

function podFacts(pod: Pod, spec: PodSpec, judged: string): PodFacts {
  const { status } = pod;
  const phase = status?.phase ?? "Pending";
  const disrupted = status?.conditions?.find(({ type, status: value }) => type === "DisruptionTarget" && value === "True");
  return {
    name: pod.metadata.name,
    node: spec.nodeName,
    isStarted: status?.startTime !== undefined,
    isTerminal: phase === "Succeeded" || phase === "Failed",
    phase,
    reason: status?.reason,
    message: status?.message,
    disruption: disrupted
      ? (disrupted.message ?? disrupted.reason ?? "the pod was disrupted")
      : pod.metadata.deletionTimestamp
        ? "the pod was deleted"
        : undefined,
    isEnding: spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds <= ENDING_DEADLINE_SECONDS,
    memoryLimit: spec.containers.find(({ name }) => name === judged)?.resources?.limits?.memory,
    othersRunning: (status?.containerStatuses ?? []).some(({ name, state }) => name !== judged && state?.running !== undefined),
  };
}

/** The kubelet writes this when it lost sight of a container; its exit code (137) was never seen. */
function isUnknownEnd(terminated: TerminatedState): boolean {
  return terminated.reason === "ContainerStatusUnknown";
}

function endedPod(init: ContainerStatus, pod: Pod): boolean {
  const isSidecar = pod.spec?.initContainers?.find(({ name }) => name === init.name)?.restartPolicy === "Always";
  return !isSidecar && init.state?.terminated !== undefined && init.state.terminated.exitCode !== 0;
}

function firstWaiting(pod: Pod): WaitingContainer | undefined {
  for (const { name, state } of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const reason = state?.waiting?.reason;
    if (reason && reason !== "PodInitializing") return { container: name, reason, message: state?.waiting?.message ?? "" };
  }
  return undefined;
}

function describe(facts: PodFacts): string {
  return facts.message ?? facts.reason ?? `the pod ended ${facts.phase} without its test's exit code`;
}
