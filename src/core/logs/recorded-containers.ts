import { CHECKOUT_CONTAINER, COLLECTOR_CONTAINER, type ContainerRoles, isRendered } from "../kubernetes/container-roles.ts";
import { JOB_UID_LABEL } from "../kubernetes/labels.ts";
import type { ContainerStatus, Job, Pod } from "../kubernetes/objects.ts";

/** A container whose log is kept. */
export interface RecordedContainer {
  name: string;
  /** It has run, so that there may be a log. */
  hasStarted: boolean;
  /** Nothing more comes: not even from another start of it. */
  hasEnded: boolean;
}

/** The test, and the log of each that its build was rendered with: what the cluster has added to the pod is the cluster's. */
export function recordedContainers({ spec, status }: Pod, roles: ContainerRoles): RecordedContainer[] {
  const all = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].filter(({ name }) => isRendered(roles, name));
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const isOver = status?.phase === "Succeeded" || status?.phase === "Failed";
  return inOrder(
    all.map(({ name, restartPolicy }) => {
      const own = statuses.find((each) => each.name === name);
      return {
        name,
        hasStarted: hasStarted(own),
        hasEnded: isOver || (restartPolicy !== "Always" && own?.state?.terminated !== undefined),
      };
    }),
    roles.test,
  );
}

/** The test's first, then in the order of a build. */
export function inOrder<T extends { name: string }>(containers: readonly T[], test: string): T[] {
  const rank = ({ name }: T) => [test, CHECKOUT_CONTAINER].indexOf(name) + (name === COLLECTOR_CONTAINER ? 10 : 0);
  const placed = containers.map((container) => ({ container, rank: rank(container) < 0 ? 5 : rank(container) }));
  return placed.sort((a, b) => a.rank - b.rank).map(({ container }) => container);
}

/** Whether what a pod prints from now on is nobody's business any more: all but its sidecars have ended. */
export function haveWorkersEnded(pod: Pod, roles: ContainerRoles): boolean {
  const sidecars = new Set([...roles.services, ...(roles.collector ? [COLLECTOR_CONTAINER] : [])]);
  return recordedContainers(pod, roles).every(({ name, hasStarted: started, hasEnded }) => sidecars.has(name) || hasEnded || !started);
}

/** Of the pods of this very Job the newest; one whose kubelet has not taken it has no log. */
export function recordedPod(job: Job, pods: readonly Pod[]): Pod | undefined {
  return pods
    .filter(({ metadata }) => (metadata.labels?.[JOB_UID_LABEL] ?? job.metadata.uid) === job.metadata.uid)
    .filter(({ status }) => status?.startTime !== undefined)
    .sort((a, b) => (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? ""))
    .at(-1);
}

function hasStarted(status: ContainerStatus | undefined): boolean {
  const { state, lastState } = status ?? {};
  return [state?.running, state?.terminated, lastState?.terminated].some((each) => each !== undefined);
}
