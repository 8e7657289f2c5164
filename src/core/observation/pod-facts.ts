import type { ContainerRoles } from "../kubernetes/container-roles.ts";
import type { Container, ContainerStatus, Pod, PodSpec, TerminatedState } from "../kubernetes/objects.ts";

/** What verdict and decision need of a pod besides its state. */
export interface PodFacts {
  name: string;
  uid: string | undefined;
  node: string | undefined;
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
  /** The test's container has run, perhaps without its end being known. */
  hasTestBegun: boolean;
  /** It has the checkout's init container, ours. */
  hasCheckout: boolean;
  /** False for a pod whose node never began with any container of it. */
  hasContainerStatuses: boolean;
  /** Limits of memory by container, init containers included: its own, or the pod's. */
  memoryLimits: Readonly<Record<string, string | number>>;
  /** Native sidecars that have ended before the test did; the kubelet starts them again. */
  services: readonly ServiceEnd[];
  /** The service that everything after it waits for. Without meaning once the pod has ended: then none is started. */
  stuckService: string | undefined;
  /** Names of further containers (not init) that still run. */
  othersRunning: boolean;
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
  const test = status?.containerStatuses?.find(({ name }) => name === roles.test)?.state;
  const target = status?.conditions?.find(({ type, status: value }) => type === "DisruptionTarget" && value === "True");
  const limits = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ name, resources }) => {
    const memory = resources?.limits?.memory ?? spec.resources?.limits?.memory;
    return memory === undefined ? [] : [[name, memory] as const];
  });
  return {
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    node: spec.nodeName,
    isStarted: status?.startTime !== undefined,
    isTerminal: phase === "Succeeded" || phase === "Failed",
    phase,
    reason: status?.reason || undefined,
    message: status?.message || undefined,
    disruption: target ? { reason: target.reason ?? "", message: target.message ?? target.reason ?? "no reason given" } : undefined,
    isDeleted: pod.metadata.deletionTimestamp !== undefined,
    killed,
    isEnding: spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds <= ENDING_DEADLINE_SECONDS,
    hasTestBegun: test?.running !== undefined || test?.terminated !== undefined,
    hasCheckout: roles.checkout,
    hasContainerStatuses: [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].length > 0,
    memoryLimits: Object.fromEntries(limits),
    services: findServiceEnds(pod, roles),
    stuckService: findStuckService(pod, roles),
    othersRunning: (status?.containerStatuses ?? []).some(({ name, state }) => name !== roles.test && state?.running !== undefined),
  };
}

/** Its own word outdoes the pod's `Never` (Kubernetes 1.35, `ContainerRestartRules`): its end is then not its last. */
export function mayRunAgain({ restartPolicy = "Never", restartPolicyRules = [] }: Partial<Container> = {}): boolean {
  return restartPolicy !== "Never" || restartPolicyRules.length > 0;
}

function findServiceEnds(pod: Pod, roles: ContainerRoles): ServiceEnd[] {
  const test = pod.status?.containerStatuses?.find(({ name }) => name === roles.test)?.state?.terminated;
  return (pod.status?.initContainerStatuses ?? []).flatMap((service) => {
    const terminated = roles.services.includes(service.name) ? endBefore(service, test) : undefined;
    return terminated ? [{ name: service.name, terminated }] : [];
  });
}

/** Sidecars begin one after another, each once the one before has started: the last one that has begun is the one to wait for. */
function findStuckService(pod: Pod, roles: ContainerRoles): string | undefined {
  const begun = (pod.status?.initContainerStatuses ?? []).filter(
    ({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated,
  );
  const last = begun.at(-1);
  return last && roles.services.includes(last.name) && last.started !== true ? last.name : undefined;
}

/**
 * Its end while the test ran, or before: what ends a sidecar afterwards is the kubelet. One that had to be started again ended before; else
 * the times tell, both of one node and in whole seconds.
 */
function endBefore({ state, lastState }: ContainerStatus, test: TerminatedState | undefined): TerminatedState | undefined {
  const own = state?.terminated;
  if (own?.finishedAt && test?.finishedAt && Date.parse(own.finishedAt) < Date.parse(test.finishedAt)) return own;
  const last = lastState?.terminated;
  const isBefore = !test?.finishedAt || !last?.finishedAt || Date.parse(last.finishedAt) <= Date.parse(test.finishedAt);
  return last && isBefore ? last : undefined;
}
