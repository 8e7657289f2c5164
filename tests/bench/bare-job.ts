/** What a build's test and a bare Job have alike: its container. */
export function testContainer(image: string, command: readonly string[] = ["true"]): object {
  return { name: "test", image, imagePullPolicy: "IfNotPresent", command };
}

/** As little as a Job can be, to measure a build beside; `pod` is what its pod has besides its container. */
export function renderBareJob(name: string, container: object, pod: object = {}): object {
  const spec = { restartPolicy: "Never", automountServiceAccountToken: false, enableServiceLinks: false, containers: [container], ...pod };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { backoffLimit: 0, template: { spec } } };
}
