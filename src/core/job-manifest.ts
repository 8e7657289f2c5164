import { buildLimits, CHECKOUT_TIMEOUT } from "./build-limits.ts";
import { judgedContainer } from "./build-state.ts";
import { planCheckout } from "./checkout-plan.ts";
import type { Container, EnvVar, Job, PodSpec, PodTemplate } from "./kubernetes-objects.ts";
import {
  FUNCTION_ANNOTATION,
  INSTALLATION_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  PARAMETERS_ANNOTATION,
  parseFunctionName,
  RELAUNCH_ANNOTATION,
  REQUEST_ANNOTATION,
  TASK_LABEL,
  TIMEOUTS_ANNOTATION,
} from "./names.ts";
import { escapeExpansion, type Parameters, parameterEnvironment } from "./parameters.ts";
import type { TestTask } from "./test-task.ts";

/** Whose request a Job answers; on the Job as the `request` annotation. */
export interface RequestRecord {
  server: string;
  unique: string;
  number: string;
  logPath: string | null;
  /** The replica that answers, and since when (RFC 3339). */
  replica: string;
  since: string;
}

/** What the manifest needs of the configuration. */
export interface ManifestSettings {
  installation: string;
  /** The image that holds this program, for the in-pod commands. */
  image: string;
  checkout: { allowedUrls: readonly string[] };
}

export interface ManifestInput {
  task: TestTask;
  functionName: string;
  parameters: Parameters;
  request: RequestRecord;
  /** See `relaunchKey`. */
  relaunchKey?: string | undefined;
  settings: ManifestSettings;
}

const WORKSPACE = "/workspace";
const PARAMETERS_DIRECTORY = "/run/turbo-hipster/request";
const PARAMETERS_FILE = "parameters.json";
const ARTIFACTS_DIRECTORY = "/run/turbo-hipster/artifacts";
const TERMINATION_FILE = "/dev/termination-log";
const MAX_OMITTED_LENGTH = 4096;

/** Beyond every limit of the build: ends the pod when no operator is there to do it. */
const BACKSTOP_MS = 10 * 60_000;

const VOLUMES = {
  workspace: { name: "th-workspace", mountPath: WORKSPACE },
  tmp: { name: "th-tmp", mountPath: "/tmp" },
  artifacts: { name: "th-artifacts", mountPath: ARTIFACTS_DIRECTORY },
  request: { name: "th-request", mountPath: PARAMETERS_DIRECTORY, readOnly: true },
} as const;

/** The Job that carries out a build: the TestTask's template, laid under its short fields, under what every build gets. */
export function renderJob(input: ManifestInput): Job {
  const { task, request, settings } = input;
  const labels = { [MANAGED_BY_LABEL]: MANAGED_BY, [INSTALLATION_LABEL]: settings.installation, [TASK_LABEL]: task.metadata.name };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: request.number,
      namespace: task.metadata.namespace,
      labels,
      annotations: {
        [FUNCTION_ANNOTATION]: input.functionName,
        [REQUEST_ANNOTATION]: JSON.stringify(request),
        [TIMEOUTS_ANNOTATION]: JSON.stringify(task.spec.timeouts),
        ...(input.relaunchKey === undefined ? {} : { [RELAUNCH_ANNOTATION]: input.relaunchKey }),
      },
    },
    spec: {
      backoffLimit: 0,
      // `Ignore` would start a second pod, and a test that was cut off half-way must not run again unseen.
      podFailurePolicy: { rules: [{ action: "FailJob", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }] },
      template: renderPodTemplate(input, labels),
    },
  };
}

function renderPodTemplate(input: ManifestInput, labels: Record<string, string>): PodTemplate {
  const { task, functionName, parameters, settings } = input;
  const { spec } = task;
  const base: PodTemplate = spec.template
    ? structuredClone(spec.template as unknown as PodTemplate)
    : { spec: { containers: [{ name: "test" }] } };
  const nodeLabel = spec.nodeLabels?.find(({ name }) => name === parseFunctionName(functionName)?.nodeLabel);
  const test = judgedContainer(base.spec) ?? { name: "test" };
  const others = base.spec.containers.filter((container) => container !== test);
  const limits = buildLimits(spec.timeouts);

  const podSpec: PodSpec = {
    ...base.spec,
    restartPolicy: "Never",
    enableServiceLinks: base.spec.enableServiceLinks ?? false,
    automountServiceAccountToken: base.spec.automountServiceAccountToken ?? false,
    activeDeadlineSeconds: Math.ceil((limits.prepareMs + limits.runMs + BACKSTOP_MS) / 1000),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: "RuntimeDefault" },
      ...base.spec.securityContext,
    },
    initContainers: [...(spec.checkout.enabled ? [renderCheckout(settings)] : []), ...(base.spec.initContainers ?? []).map(restricted)],
    containers: [renderTest(test, input, nodeLabel?.image), ...others.map(restricted)],
    volumes: [...(base.spec.volumes ?? []), ...renderVolumes()],
    ...(nodeLabel?.nodeSelector ? { nodeSelector: { ...base.spec.nodeSelector, ...nodeLabel.nodeSelector } } : {}),
    ...(nodeLabel?.tolerations ? { tolerations: [...(base.spec.tolerations ?? []), ...nodeLabel.tolerations] } : {}),
  };
  if (podSpec.initContainers?.length === 0) delete podSpec.initContainers;
  return {
    metadata: {
      labels: { ...base.metadata?.labels, ...labels },
      annotations: {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
        ...base.metadata?.annotations,
        [PARAMETERS_ANNOTATION]: parameters.text,
      },
    },
    spec: podSpec,
  };
}

function renderTest(base: Container, input: ManifestInput, nodeImage: string | undefined): Container {
  const { spec } = input.task;
  const image = nodeImage ?? spec.image ?? base.image;
  const resources = spec.resources ?? base.resources;
  return withMounts(
    restricted({
      ...base,
      ...(image === undefined ? {} : { image }),
      ...(resources === undefined ? {} : { resources: resources as NonNullable<Container["resources"]> }),
      ...(spec.script === undefined ? {} : { command: ["/bin/sh", "-e", "-c", escapeExpansion(spec.script)], args: [] }),
      workingDir: base.workingDir ?? workingDirectory(input),
      env: renderEnvironment(base.env ?? [], input),
      terminationMessagePath: TERMINATION_FILE,
      terminationMessagePolicy: "File",
    }),
    [VOLUMES.workspace, VOLUMES.tmp, VOLUMES.artifacts, VOLUMES.request],
  );
}

/** Later entries win in a container, but the API server warns of doubles: what the task sets replaces a parameter of that name. */
function renderEnvironment(template: readonly EnvVar[], { task, functionName, parameters, request }: ManifestInput): EnvVar[] {
  const { variables, omitted } = parameterEnvironment(parameters);
  const own: EnvVar[] = [
    { name: "TH_JOB_NAME", value: parseFunctionName(functionName)?.jobName ?? functionName },
    { name: "TH_BUILD_ID", value: request.number },
    { name: "TH_PARAMETERS_FILE", value: `${PARAMETERS_DIRECTORY}/${PARAMETERS_FILE}` },
    { name: "TH_ARTIFACTS_DIR", value: ARTIFACTS_DIRECTORY },
    { name: "TH_RESULT_FILE", value: TERMINATION_FILE },
  ];
  if (omitted.length > 0) {
    const names = JSON.stringify(omitted.map(({ name }) => name.toWellFormed()));
    own.push({ name: "TH_OMITTED_PARAMETERS", value: escapeExpansion(names.replaceAll("\\u0000", "").slice(0, MAX_OMITTED_LENGTH)) });
  }
  const environment = new Map<string, EnvVar>();
  const layers = [[{ name: "HOME", value: WORKSPACE }], variables.map(escaped), template, (task.spec.env ?? []) as EnvVar[], own];
  for (const entry of layers.flat()) {
    environment.delete(entry.name);
    environment.set(entry.name, entry);
  }
  return [...environment.values()];
}

function escaped({ name, value }: { name: string; value: string }): EnvVar {
  return { name, value: escapeExpansion(value) };
}

function renderCheckout({ image, checkout }: ManifestSettings): Container {
  return withMounts(
    restricted({
      name: "checkout",
      image,
      args: [
        "checkout",
        "--path",
        WORKSPACE,
        "--timeout",
        CHECKOUT_TIMEOUT,
        ...checkout.allowedUrls.flatMap((url) => ["--allowed-url", url]),
      ],
      env: [
        { name: "HOME", value: WORKSPACE },
        { name: "TH_PARAMETERS_FILE", value: `${PARAMETERS_DIRECTORY}/${PARAMETERS_FILE}` },
        { name: "TH_TERMINATION_FILE", value: TERMINATION_FILE },
      ],
      terminationMessagePath: TERMINATION_FILE,
    }),
    [VOLUMES.workspace, VOLUMES.tmp, VOLUMES.request],
  );
}

function renderVolumes(): NonNullable<PodSpec["volumes"]> {
  return [
    { name: VOLUMES.workspace.name, emptyDir: {} },
    { name: VOLUMES.tmp.name, emptyDir: {} },
    { name: VOLUMES.artifacts.name, emptyDir: {} },
    {
      name: VOLUMES.request.name,
      downwardAPI: { items: [{ path: PARAMETERS_FILE, fieldRef: { fieldPath: `metadata.annotations['${PARAMETERS_ANNOTATION}']` } }] },
    },
  ];
}

/** The restricted Pod Security Standard, where the container does not say otherwise. */
function restricted(container: Container): Container {
  return {
    ...container,
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, ...container.securityContext },
  };
}

/** A path that the template mounts itself stays the template's. */
function withMounts(container: Container, mounts: readonly { name: string; mountPath: string; readOnly?: boolean }[]): Container {
  const present = container.volumeMounts ?? [];
  const added = mounts.filter(({ mountPath }) => !present.some((mount) => mount.mountPath === mountPath));
  return { ...container, volumeMounts: [...present, ...added.map((mount) => ({ ...mount }))] };
}

/** The checkout's folder, as zuul-cloner names it. A request that cannot be checked out fails in the checkout container, with a sentence. */
function workingDirectory({ task, parameters, settings }: ManifestInput): string {
  const planned = task.spec.checkout.enabled ? planCheckout(parameters, settings.checkout.allowedUrls) : undefined;
  return planned?.ok ? `${WORKSPACE}/${planned.plan.project}` : WORKSPACE;
}
