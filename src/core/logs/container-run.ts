import type { Pod } from "../kubernetes/objects.ts";

/** One run of a container; a service is started again when it ends, and each run has a log of its own. */
export interface ContainerRun {
  /** How often the container had been started again before. */
  readonly attempt: number;
  /** By the node's clock, in whole seconds; undefined where the pod does not say. */
  readonly startedAt: Date | undefined;
  readonly hasEnded: boolean;
  /** The kubelet starts it again. */
  readonly mayBeRepeated: boolean;
}

/** The newest run of this container that the pod tells of; undefined before the first. */
export function observeContainerRun(pod: Pod, container: string): ContainerRun | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const status = [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container);
  // While it waits to be started again, this was its last.
  const ended = status?.state?.terminated ?? (status?.state?.running === undefined ? status?.lastState?.terminated : undefined);
  const run = ended ?? status?.state?.running;
  if (run === undefined) return undefined;
  return {
    attempt: status?.restartCount ?? 0,
    startedAt: parseDate(run.startedAt),
    hasEnded: ended !== undefined,
    mayBeRepeated: pod.spec?.initContainers?.some(({ name, restartPolicy }) => name === container && restartPolicy === "Always") ?? false,
  };
}

function parseDate(text: string | null | undefined): Date | undefined {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}
