import type { TerminatedState } from "../kubernetes/objects.ts";

interface InventedEnd {
  reason?: string;
  exitCode?: number;
  /** Why there is no end that anybody saw, for people. */
  because: string;
  /** Who writes it, and where. */
  source: string;
}

/**
 * Ends of containers that nobody saw, as runtimes and kubelets write them: their exit codes are made up. What looks like an end of the
 * container's own is not here, see `mayBeInvented`.
 */
export const INVENTED_ENDS: readonly InventedEnd[] = [
  {
    // With exit code 255; of a container whose checkpoint could not be read, with whatever its task ends with later.
    reason: "Unknown",
    because: "the container runtime was started anew, after a reset of the node for instance, and the container was gone",
    source: "containerd 1.0 to 2.3, internal/cri/server/restart.go (loadContainer), helpers.go (unknownContainerStatus), container_stop.go",
  },
  {
    reason: "ContainerStatusUnknown",
    because: "the container was gone before its kubelet saw its end",
    source: "Kubernetes 1.36, pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses), status/status_manager.go (TerminatePod)",
  },
  {
    reason: "RestartingAllContainers",
    because: "the kubelet removed the container to start all of its pod again",
    source: "Kubernetes 1.36, pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses)",
  },
  {
    exitCode: -1,
    because: "the container runtime found no exit code",
    source: "CRI-O 1.36, server/container_status.go (ContainerStatus)",
  },
];

/** Why this is no end that anybody saw; undefined for one that somebody did. */
export function whyInvented(terminated: TerminatedState): string | undefined {
  return INVENTED_ENDS.find(({ reason = terminated.reason, exitCode = terminated.exitCode }) => {
    return reason === terminated.reason && exitCode === terminated.exitCode;
  })?.because;
}

/**
 * True for an end that may be the container's own, or nobody's: containerd writes 137 with reason `Error` when a shim died
 * (`core/runtime/v2/shim.go`, `cleanupAfterDeadShim`) and 255 with `Error` when waiting for a task failed (`internal/cri/server/events.go`),
 * CRI-O 255 with `Error` when runtime and exit file are gone (`internal/oci/runtime_oci.go`, `UpdateContainerStatus`).
 */
export function mayBeInvented({ exitCode, reason }: TerminatedState): boolean {
  return reason === "Error" && (exitCode === 137 || exitCode === 255);
}
