import type { Container, VolumeMount } from "../kubernetes/objects.ts";
import type { TestTaskService } from "../test-task/schema/container.ts";
import type { TestTaskSecurityContext } from "../test-task/schema/security.ts";
import { withContainerSecurity } from "./pod-security.ts";

/**
 * A service as a native sidecar: an init container that goes on running. Those after it, and the test, wait for its startupProbe; the
 * kubelet ends it after the test, and its end is no end of the pod.
 * https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
 */
export function renderService(
  service: TestTaskService,
  securityContext: TestTaskSecurityContext | undefined,
  { workspace, dataset }: { workspace: VolumeMount; dataset: readonly VolumeMount[] },
): Container {
  const { ready, workspace: wantsWorkspace, ...fields } = service;
  const mounts = [...(wantsWorkspace ? [workspace] : []), ...dataset];
  const container: Container = {
    ...(fields as Omit<Container, "restartPolicy">),
    restartPolicy: "Always",
    ...(mounts.length > 0 ? { volumeMounts: mounts } : {}),
  };
  return withContainerSecurity(ready === undefined ? container : { ...container, startupProbe: ready }, securityContext);
}
