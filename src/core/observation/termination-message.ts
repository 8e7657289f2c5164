import { END_MARK } from "../job/script.ts";
import type { ContainerRoles } from "../kubernetes/container-roles.ts";
import type { PodSpec, TerminatedState } from "../kubernetes/objects.ts";
import { isStartFailure } from "../kubernetes/start-failure.ts";

/** Of a container's file (`MaxContainerTerminationMessageLength`), and of all containers of a pod (`MaxPodTerminationMessageLogLength`). */
const MAX_BYTES = 4096;
const MAX_POD_BYTES = 12_288;

/**
 * The same end without a message that is a scrap. Of a longer file the kubelet reads the end (`getTerminationMessage`), and of that it keeps
 * the beginning where a pod has many containers (`normalizeStatus`): a message as long as it can be may begin anywhere.
 * https://github.com/kubernetes/kubernetes/tree/master/pkg/kubelet: kuberuntime/kuberuntime_container.go, status/status_manager.go
 */
export function withoutScrap(terminated: TerminatedState, { containers, initContainers = [] }: PodSpec): TerminatedState {
  const { message, ...end } = terminated;
  const limit = Math.min(MAX_BYTES, Math.floor(MAX_POD_BYTES / (containers.length + initContainers.length)));
  const isScrap = message !== undefined && new TextEncoder().encode(message).length >= limit;
  // The runtime's own words are no file's.
  return isScrap && !isStartFailure(terminated) ? end : terminated;
}

/** How the test's container ended, and what the runner of its script says of that. */
export interface TestEnd {
  terminated: TerminatedState;
  /** What it ended with, undefined where it does not say so; undefined for a test without a runner that would. */
  runner: { exitCode: number | undefined } | undefined;
}

const MARK = new RegExp(`^${END_MARK}(\\d+)\n`);

/**
 * Parts the runner's mark from what the script says. Behind a mark a message is no scrap: the runner writes much less than the kubelet reads.
 * A test may write the mark itself: then an exit code that its runtime makes up is its own, and no other.
 */
export function readTestEnd(terminated: TerminatedState, spec: PodSpec, { marked }: Pick<ContainerRoles, "marked">): TestEnd {
  const { message = "" } = terminated;
  const [mark, exitCode] = (marked ? MARK.exec(message) : undefined) ?? [];
  if (mark !== undefined) {
    return { terminated: { ...terminated, message: message.slice(mark.length) }, runner: { exitCode: Number(exitCode) } };
  }
  return { terminated: withoutScrap(terminated, spec), runner: marked ? { exitCode: undefined } : undefined };
}
