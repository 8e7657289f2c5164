import { rolesOfTemplate } from "../../../src/core/kubernetes/container-roles.ts";
import type { Condition, ContainerStatus, Job, KubeEvent, Pod } from "../../../src/core/kubernetes/objects.ts";
import { type BuildState, observeBuild } from "../../../src/core/observation/build-state.ts";

/** A Job as the API server shows it. */
export function makeJob(changes: { metadata?: Partial<Job["metadata"]>; spec?: Partial<Job["spec"]>; status?: Job["status"] } = {}): Job {
  return {
    metadata: { name: "unit-0123456789abcdef", namespace: "ci", uid: "job-uid", ...changes.metadata },
    spec: { template: { spec: { containers: [] } }, ...changes.spec },
    ...(changes.status ? { status: changes.status } : {}),
  };
}

/** A pod of that Job with one container `test`, running on a node unless told otherwise. */
export function makePod(changes: { metadata?: Partial<Pod["metadata"]>; spec?: Partial<Pod["spec"]>; status?: Pod["status"] } = {}): Pod {
  return {
    metadata: { name: "unit-0123456789abcdef-abcde", namespace: "ci", creationTimestamp: "2026-01-01T00:00:00Z", ...changes.metadata },
    spec: { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 5400, ...changes.spec },
    status: { phase: "Running", startTime: "2026-01-01T00:00:00Z", containerStatuses: [running("test")], ...changes.status },
  };
}

export function running(name: string, startedAt = "2026-01-01T00:00:01Z"): ContainerStatus {
  return { name, state: { running: { startedAt } } };
}

export function waiting(name: string, reason: string, message = ""): ContainerStatus {
  return { name, state: { waiting: { reason, message } } };
}

export function terminated(
  name: string,
  exitCode: number,
  more: Partial<NonNullable<NonNullable<ContainerStatus["state"]>["terminated"]>> = {},
): ContainerStatus {
  return {
    name,
    state: {
      terminated: {
        exitCode,
        reason: exitCode === 0 ? "Completed" : "Error",
        startedAt: "2026-01-01T00:00:01Z",
        finishedAt: "2026-01-01T00:00:11Z",
        ...more,
      },
    },
  };
}

/** A native sidecar that runs, or as `changes` say. */
export function service(name: string, changes: Partial<ContainerStatus> = {}): ContainerStatus {
  return { ...running(name), started: true, restartCount: changes.lastState ? 1 : 0, ...changes };
}

export function disrupted(reason: string, message = reason): Condition {
  return { type: "DisruptionTarget", status: "True", reason, message };
}

export function makeEvent(reason: string, message: string, lastTimestamp = "2026-01-01T00:00:10Z"): KubeEvent {
  return {
    metadata: { name: `unit.${reason}`, namespace: "ci" },
    reason,
    message,
    type: "Warning",
    lastTimestamp,
  };
}

/** Changes for a pod that waits for a node. */
export const UNSCHEDULED = {
  spec: { containers: [{ name: "test" }], nodeName: undefined as never },
  status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] },
} satisfies Parameters<typeof makePod>[0];

/** The build of a pod that holds its Job's template and no more. */
export function observe(job: Job | undefined, pods: readonly Pod[], kill?: string): BuildState {
  return observeBuild(job, pods, rolesOfTemplate(pods.at(-1)?.spec), () => kill);
}
