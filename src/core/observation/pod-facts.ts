import { COLLECTOR_CONTAINER, type ContainerRoles } from "../kubernetes/container-roles.ts";
import type { Container, ContainerStatus, Pod, PodSpec, TerminatedState } from "../kubernetes/objects.ts";

/** What verdict and decision need of a pod besides its state. */
export interface PodFacts {
  name: string;
  uid: string | undefined;
  node: string | undefined;
  /** Times of the API server's side (RFC 3339): when it was made, when a node was chosen; */
  createdAt: string | undefined;
  scheduledAt: string | undefined;
  /** and of the node: when its kubelet took it. */
  takenAt: string | undefined;
  /** True from when the kubelet has accepted it; only then does `activeDeadlineSeconds` count. */
  isStarted: boolean;
  isTerminal: boolean;
  phase: string;
  /** The pod's own reason, e.g. `Evicted`, `DeadlineExceeded`; none for a pod whose containers ended by themselves. */
  reason: string | undefined;
  message: string | undefined;
  /** Its DisruptionTarget condition: somebody needs its place. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/ */
  disruption: { reason: string; message: string } | undefined;
  /** Deleted, perhaps not gone yet: whatever its containers say after that is not the test's doing. */
  isDeleted: boolean;
  /** What the kubelet said when it ended a container itself; its own end tells why only when it is terminal. */
  killed: string | undefined;
  /** True when its end was requested already by lowering its deadline. */
  isEnding: boolean;
  /** When its kubelet ends it for its own deadline, by the node's clock; undefined without one, and once its end was requested. */
  deadlineAtMs: number | undefined;
  /** What its containers get between TERM and KILL. */
  graceMs: number;
  /** How long after the test's end its kubelet took note of it; undefined where the pod does not tell. */
  unseenMs: number | undefined;
  /** The test's container has run, perhaps without its end being known. */
  hasTestBegun: boolean;
  /** It has the checkout's init container, ours. */
  hasCheckout: boolean;
  /** False for a pod whose node never began with any container of it. */
  hasContainerStatuses: boolean;
  /** It has lost its sandbox, and with that what its node had made of it; its kubelet makes no other one for a pod that runs once. */
  hasLostSandbox: boolean;
  /** It was started again though the pod of a build runs once. */
  hasTestRunAgain: boolean;
  /** Why the first end of the test was not seen though it has run again. */
  restarted: string | undefined;
  /** Limits of memory by container, init containers included; the pod's own for those that have none. */
  memoryLimits: Readonly<Record<string, string | number>>;
  /** Native sidecars that have ended before the test did; the kubelet starts them again. */
  services: readonly ServiceEnd[];
  /** The service that everything after it waits for. Without meaning once the pod has ended: then none is started. */
  stuckService: string | undefined;
  /** Its collector, ours, runs: it may send artifacts yet. */
  isCollecting: boolean;
  /** Containers of it (not init) run, or may begin to: the kubelet does not end it by itself. */
  isUnended: boolean;
}

interface ServiceEnd {
  name: string;
  terminated: TerminatedState;
}

/** The deadline that stands for "end now" (the smallest that the API takes); pods are created with hours. */
export const ENDING_DEADLINE_SECONDS = 1;

export function observePod(pod: Pod, spec: PodSpec, roles: ContainerRoles, killed: string | undefined): PodFacts {
  const { status } = pod;
  const phase = status?.phase ?? "Pending";
  const test = status?.containerStatuses?.find(({ name }) => name === roles.test);
  const target = status?.conditions?.find(({ type, status: value }) => type === "DisruptionTarget" && value === "True");
  const { activeDeadlineSeconds: deadline } = spec;
  const isEnding = deadline !== undefined && deadline <= ENDING_DEADLINE_SECONDS;
  const limits = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ name, resources }) => {
    const memory = resources?.limits?.memory ?? spec.resources?.limits?.memory;
    return memory === undefined ? [] : [[name, memory] as const];
  });
  return {
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    node: spec.nodeName,
    createdAt: pod.metadata.creationTimestamp,
    scheduledAt: status?.conditions?.find(({ type, status: value }) => type === "PodScheduled" && value === "True")?.lastTransitionTime,
    takenAt: status?.startTime,
    isStarted: status?.startTime !== undefined,
    isTerminal: phase === "Succeeded" || phase === "Failed",
    phase,
    reason: status?.reason || undefined,
    message: status?.message || undefined,
    disruption: target ? { reason: target.reason ?? "", message: target.message ?? target.reason ?? "no reason given" } : undefined,
    isDeleted: pod.metadata.deletionTimestamp !== undefined,
    killed,
    isEnding,
    deadlineAtMs: deadline === undefined || isEnding || !status?.startTime ? undefined : Date.parse(status.startTime) + deadline * 1000,
    graceMs: (spec.terminationGracePeriodSeconds ?? 30) * 1000,
    unseenMs: unseenMs(pod, test),
    hasTestBegun: test?.state?.running !== undefined || (test && firstEnd(test)) !== undefined,
    hasCheckout: roles.checkout,
    hasContainerStatuses: statusesOf(pod).length > 0,
    hasLostSandbox: hasLostSandbox(pod),
    hasTestRunAgain: test?.lastState?.terminated !== undefined,
    restarted: whyRestarted(pod, test),
    memoryLimits: Object.fromEntries(limits),
    services: findServiceEnds(pod, roles),
    stuckService: findStuckService(pod, roles),
    isCollecting: isCollecting(pod, roles),
    isUnended: phase !== "Succeeded" && phase !== "Failed" && spec.containers.some((container) => !hasEndedForGood(container, pod)),
  };
}

/**
 * From the end of the test, which the runtime notes, to the change of `ContainersReady`, which the kubelet notes when it sees the end: both by
 * the node's clock. Where something else was not ready before, that tells nothing (pkg/kubelet/status/status_manager.go,
 * `updateLastTransitionTime`).
 */
function unseenMs({ status }: Pod, test: ContainerStatus | undefined): number | undefined {
  const finishedAt = Date.parse(test?.state?.terminated?.finishedAt ?? "");
  const ready = status?.conditions?.find(({ type }) => type === "ContainersReady");
  // A container that could not be started has no times of its own; one that ran before was seen to end.
  if (test?.lastState?.terminated || !(finishedAt >= Date.parse(status?.startTime ?? "")) || ready?.status !== "False") return undefined;
  const ms = Date.parse(ready.lastTransitionTime ?? "") - finishedAt;
  return ms >= 0 ? ms : undefined;
}

/**
 * Of such a pod, if `Never` is its `restartPolicy`, kubelets up to 1.36 and maybe later ones begin nothing any more and end nothing: it stays
 * `Pending` (pkg/kubelet/kuberuntime/kuberuntime_manager.go, `computePodActions`, which asks what the condition tells, too;
 * https://github.com/kubernetes/kubernetes/issues/118321).
 */
function hasLostSandbox(pod: Pod): boolean {
  const isWithout = pod.status?.conditions?.some(({ type, status }) => type === "PodReadyToStartContainers" && status === "False");
  return isWithout === true && statusesOf(pod).some(({ containerID = "" }) => containerID !== "");
}

/** Of its init containers and containers, in the order of their beginning. */
export function statusesOf({ status }: Pod): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

/** Its own word outdoes the pod's `Never` (Kubernetes 1.35, `ContainerRestartRules`): its end is then not its last. */
export function mayRunAgain({ restartPolicy = "Never", restartPolicyRules = [] }: Partial<Container> = {}): boolean {
  return restartPolicy !== "Never" || restartPolicyRules.length > 0;
}

function hasEndedForGood(container: Container, { status }: Pod): boolean {
  const state = status?.containerStatuses?.find(({ name }) => name === container.name)?.state;
  return state?.terminated !== undefined && !mayRunAgain(container);
}

/** How the container ended, the first time where it was started again: the pod of a build runs once, and what comes after is no part of it. */
export function firstEnd({ state, lastState }: ContainerStatus): TerminatedState | undefined {
  return lastState?.terminated ?? state?.terminated;
}

/** `AllContainersRestarting`: the kubelet ends all containers to start them again (Kubernetes 1.35), whoever of them made it do so. */
function whyRestarted({ status }: Pod, test: ContainerStatus | undefined): string | undefined {
  const isRestarting = status?.conditions?.some(({ type, status: value }) => type === "AllContainersRestarting" && value === "True");
  if (isRestarting || test?.lastState?.terminated?.reason === "RestartingAllContainers")
    return "all containers of its pod were started again";
  const isUnseen = test?.lastState?.terminated !== undefined && (test.restartCount ?? 0) > 1;
  return isUnseen ? `container ${test.name} was started again, and how it ended at first was not seen` : undefined;
}

function findServiceEnds(pod: Pod, roles: ContainerRoles): ServiceEnd[] {
  const status = pod.status?.containerStatuses?.find(({ name }) => name === roles.test);
  const end = status && firstEnd(status);
  const test = { startedAt: end?.startedAt ?? status?.state?.running?.startedAt, finishedAt: end?.finishedAt };
  return (pod.status?.initContainerStatuses ?? []).flatMap((service) => {
    const terminated = roles.services.includes(service.name) ? endBefore(service, test) : undefined;
    return terminated ? [{ name: service.name, terminated }] : [];
  });
}

function isCollecting({ status }: Pod, roles: ContainerRoles): boolean {
  return roles.collector && status?.initContainerStatuses?.find(({ name }) => name === COLLECTOR_CONTAINER)?.state?.running !== undefined;
}

/** Sidecars begin one after another, each once the one before has started: the last one that has begun is the one to wait for. */
function findStuckService(pod: Pod, roles: ContainerRoles): string | undefined {
  const begun = (pod.status?.initContainerStatuses ?? []).filter(
    ({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated,
  );
  const last = begun.at(-1);
  return last && roles.services.includes(last.name) && last.started !== true ? last.name : undefined;
}

/** When the test's container began and ended, as far as it has. */
interface TestTimes {
  startedAt: string | null | undefined;
  finishedAt: string | null | undefined;
}

/**
 * Its end while the test ran, or before a test that has not begun: what ends a sidecar afterwards is the kubelet, and what ended it before is
 * made good when the test begins. One that had to be started again ended before the test did; else the times tell, all of one node and in
 * whole seconds.
 */
function endBefore({ state, lastState }: ContainerStatus, { startedAt, finishedAt }: TestTimes): TerminatedState | undefined {
  const own = state?.terminated;
  if (own?.finishedAt && finishedAt && Date.parse(own.finishedAt) < Date.parse(finishedAt)) return own;
  const last = lastState?.terminated;
  if (!last?.finishedAt) return last;
  const ended = Date.parse(last.finishedAt);
  const isEarlier = startedAt ? ended < Date.parse(startedAt) : false;
  const isLater = finishedAt ? ended > Date.parse(finishedAt) : false;
  return isEarlier || isLater ? undefined : last;
}
