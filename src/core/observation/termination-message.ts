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
