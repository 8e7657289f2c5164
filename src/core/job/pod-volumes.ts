import { PARAMETERS_ANNOTATION, SCRIPT_ANNOTATION } from "../kubernetes/labels.ts";
import type { Container, PodSpec, VolumeMount } from "../kubernetes/objects.ts";
import { WORKSPACE_VOLUME } from "../test-task/schema/reserved-names.ts";
import type { TestTaskSpec } from "../test-task/test-task.ts";

const REQUEST_DIRECTORY = "/run/turbo-hipster/request";
const PARAMETERS_NAME = "parameters.json";
const SCRIPT_NAME = "script";
const RESULT_DIRECTORY = "/run/turbo-hipster/result";

export const PARAMETERS_FILE = `${REQUEST_DIRECTORY}/${PARAMETERS_NAME}`;
export const SCRIPT_FILE = `${REQUEST_DIRECTORY}/${SCRIPT_NAME}`;
/** Of a script; what else is the test writes its own termination message, of which the kubelet reads the last 4 KiB. */
export const RESULT_FILE = `${RESULT_DIRECTORY}/result.txt`;
export const ARTIFACTS_DIRECTORY = "/run/turbo-hipster/artifacts";
/** A FIFO of the collector's: there is something to read when the test was told to end and its own grace is over. */
export const GRACE_OVER_FILE = "/run/turbo-hipster/grace/over";
export const TERMINATION_FILE = "/dev/termination-log";

export const MOUNTS = {
  tmp: { name: "th-tmp", mountPath: "/tmp" },
  artifacts: { name: "th-artifacts", mountPath: ARTIFACTS_DIRECTORY },
  result: { name: "th-result", mountPath: RESULT_DIRECTORY },
  grace: { name: "th-grace", mountPath: "/run/turbo-hipster/grace" },
  request: { name: "th-request", mountPath: REQUEST_DIRECTORY, readOnly: true },
} as const;

export function workspaceMount({ checkout }: TestTaskSpec): VolumeMount {
  return { name: WORKSPACE_VOLUME, mountPath: checkout.path };
}

export function renderVolumes({ script, artifacts }: TestTaskSpec): NonNullable<PodSpec["volumes"]> {
  const file = (path: string, annotation: string) => ({ path, fieldRef: { fieldPath: `metadata.annotations['${annotation}']` } });
  const scriptFile = { ...file(SCRIPT_NAME, SCRIPT_ANNOTATION), mode: 0o555 };
  return [
    { name: WORKSPACE_VOLUME, emptyDir: {} },
    { name: MOUNTS.tmp.name, emptyDir: {} },
    { name: MOUNTS.artifacts.name, emptyDir: {} },
    ...(script === undefined ? [] : [{ name: MOUNTS.result.name, emptyDir: {} }]),
    ...(script === undefined || artifacts === undefined ? [] : [{ name: MOUNTS.grace.name, emptyDir: {} }]),
    {
      name: MOUNTS.request.name,
      downwardAPI: { items: [file(PARAMETERS_NAME, PARAMETERS_ANNOTATION), ...(script === undefined ? [] : [scriptFile])] },
    },
  ];
}

/** A path that the template mounts itself stays the template's. */
export function withMounts(container: Container, mounts: readonly VolumeMount[]): Container {
  const present = container.volumeMounts ?? [];
  const added = mounts.filter(({ mountPath }) => !present.some((mount) => mount.mountPath === mountPath));
  return { ...container, volumeMounts: [...present, ...added.map((mount) => ({ ...mount }))] };
}
