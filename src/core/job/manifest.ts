import { ownDirectory } from "../checkout/request.ts";
import { judgedContainer, TEST_CONTAINER } from "../kubernetes/container-roles.ts";
import {
  ARTIFACTS_ANNOTATION,
  CHECKS_ANNOTATION,
  CONTAINERS_ANNOTATION,
  DATASET_ANNOTATION,
  DATASET_LABEL,
  FUNCTION_ANNOTATION,
  INSTALLATION_LABEL,
  ITEM_ANNOTATION,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  MEMBER_ANNOTATION,
  PARAMETERS_ANNOTATION,
  RELAUNCH_ANNOTATION,
  REQUEST_ANNOTATION,
  SCRIPT_ANNOTATION,
  TASK_LABEL,
  TIMEOUTS_ANNOTATION,
} from "../kubernetes/labels.ts";
import type { Container, EnvVar, Job, PodSpec, PodTemplate } from "../kubernetes/objects.ts";
import { buildLimits } from "../observation/build-limits.ts";
import { itemOf } from "../report/build-item.ts";
import type { TestTaskDataset } from "../test-task/schema/dataset.ts";
import type { TestTask, TestTaskNodeLabel, TestTaskSpec } from "../test-task/test-task.ts";
import type { BuildFunction } from "../zuul/function-name.ts";
import { escapeExpansion, type Parameters, parameterEnvironment } from "../zuul/parameters.ts";
import { type CheckoutSettings, type Resources, renderCheckout, renderCheckoutVolumes } from "./checkout-container.ts";
import { type CollectorSettings, graceSeconds, renderCollector, renderCollectorVolume } from "./collector-container.ts";
import { renderDatasetRecord } from "./dataset-record.ts";
import { datasetMounts, renderDatasetCopy, renderDatasetVolume, withTestDataset } from "./dataset-volume.ts";
import { layEnvironment } from "./environment.ts";
import { type MemberRecord, renderTestTask } from "./member.ts";
import { memberNumber } from "./name.ts";
import { type PodUser, renderPodSecurity, withContainerSecurity } from "./pod-security.ts";
import {
  ARTIFACTS_DIRECTORY,
  GRACE_OVER_FILE,
  MOUNTS,
  PARAMETERS_FILE,
  RESULT_FILE,
  renderVolumes,
  SCRIPT_FILE,
  TERMINATION_FILE,
  withMounts,
  workspaceMount,
} from "./pod-volumes.ts";
import type { RequestRecord } from "./record.ts";
import { renderRoles } from "./rendered-roles.ts";
import { renderScript } from "./script.ts";
import { renderService } from "./service-container.ts";

/** What the manifest needs of the configuration. */
export interface ManifestSettings extends CheckoutSettings, CollectorSettings {
  /** Default: `fixed`. */
  podUser?: PodUser | undefined;
  /** false: there is no store to keep artifacts in, and a task's are left where they are. */
  keepsArtifacts?: boolean | undefined;
}

export interface ManifestInput {
  task: TestTask;
  function: BuildFunction;
  parameters: Parameters;
  request: RequestRecord;
  /** Which of the task's datasets its test runs on. */
  dataset?: TestTaskDataset | undefined;
  /** See `relaunchKey`. */
  relaunchKey?: string | undefined;
  /** Of a build over several datasets: which of its Jobs it is. */
  member?: MemberRecord | undefined;
  settings: ManifestSettings;
}

const USER_NAME = "test";
const SCRIPT_FILES = { script: SCRIPT_FILE, result: RESULT_FILE, termination: TERMINATION_FILE };
/** Beside a collector the pod's grace is longer than the test's. */
const COLLECTED_SCRIPT_FILES = { ...SCRIPT_FILES, graceOver: GRACE_OVER_FILE };
const MAX_OMITTED_LENGTH = 4096;

/** Beyond every limit of the build: ends the pod when no operator is there to do it. */
const BACKSTOP_MS = 10 * 60_000;

/** The Job that carries out a build: the TestTask's template, laid under its short fields, under what every build gets. */
export function renderJob({ task: whole, ...rest }: ManifestInput): Job {
  const task = carriedOut(whole, rest.settings);
  const input = { ...rest, task };
  const { request, settings, dataset } = input;
  const labels = {
    ...task.spec.labels,
    [MANAGED_BY_LABEL]: MANAGED_BY,
    [INSTALLATION_LABEL]: settings.installation,
    [TASK_LABEL]: task.metadata.name,
    ...(dataset === undefined ? {} : { [DATASET_LABEL]: dataset.name }),
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: input.member ? memberNumber(request.number, input.member.index) : request.number,
      namespace: task.metadata.namespace,
      labels,
      annotations: {
        ...task.spec.annotations,
        [FUNCTION_ANNOTATION]: input.function.name,
        [REQUEST_ANNOTATION]: JSON.stringify(request),
        [TIMEOUTS_ANNOTATION]: JSON.stringify(task.spec.timeouts),
        [CONTAINERS_ANNOTATION]: JSON.stringify(renderRoles(task, dataset)),
        [ITEM_ANNOTATION]: JSON.stringify(itemOf(input.parameters)),
        ...(dataset === undefined ? {} : { [DATASET_ANNOTATION]: JSON.stringify(renderDatasetRecord(dataset)) }),
        ...(task.spec.artifacts === undefined ? {} : { [ARTIFACTS_ANNOTATION]: JSON.stringify(task.spec.artifacts) }),
        ...(task.spec.checks === undefined || task.spec.checks.length === 0
          ? {}
          : { [CHECKS_ANNOTATION]: JSON.stringify(task.spec.checks) }),
        ...(input.relaunchKey === undefined ? {} : { [RELAUNCH_ANNOTATION]: input.relaunchKey }),
        ...(input.member ? { [MEMBER_ANNOTATION]: JSON.stringify(input.member), ...renderTestTask(whole) } : {}),
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

/** The task as far as this installation carries it out. */
export function carriedOut(task: TestTask, { keepsArtifacts = true }: Pick<ManifestSettings, "keepsArtifacts">): TestTask {
  if (keepsArtifacts || task.spec.artifacts === undefined) return task;
  const { artifacts: _, ...spec } = task.spec;
  return { ...task, spec };
}

function renderPodTemplate(input: ManifestInput, labels: Record<string, string>): PodTemplate {
  const {
    task,
    parameters,
    dataset,
    request: { number },
  } = input;
  const { spec } = task;
  const base: PodTemplate = spec.template ? structuredClone(spec.template as unknown as PodTemplate) : { spec: { containers: [] } };
  const nodeLabel = spec.nodeLabels?.find(({ name }) => name === input.function.nodeLabel);
  const test = judgedContainer(base.spec) ?? { name: TEST_CONTAINER };
  const others = base.spec.containers.filter((container) => container !== test);
  const limits = buildLimits(spec.timeouts);
  const collectMs = spec.artifacts === undefined ? 0 : limits.collectMs;
  const renderedTest = renderTest(test, input, base.spec, nodeLabel);

  const mountsOf = (service: string) => ({ workspace: workspaceMount(spec), dataset: datasetMounts(dataset, service) });

  const podSpec: PodSpec = {
    ...base.spec,
    restartPolicy: "Never",
    enableServiceLinks: base.spec.enableServiceLinks ?? false,
    automountServiceAccountToken: base.spec.automountServiceAccountToken ?? false,
    ...(spec.serviceAccountName === undefined ? {} : { serviceAccountName: spec.serviceAccountName }),
    ...(spec.priorityClassName === undefined ? {} : { priorityClassName: spec.priorityClassName }),
    activeDeadlineSeconds: Math.ceil((limits.pullMs + limits.checkoutMs + limits.runMs + collectMs + BACKSTOP_MS) / 1000),
    ...(spec.artifacts === undefined ? {} : { terminationGracePeriodSeconds: graceSeconds(spec, base.spec) }),
    securityContext: renderPodSecurity(base.spec.securityContext, spec.securityContext, input.settings.podUser),
    // The template's init containers may need the services, the services what was checked out before a second passes in vain.
    initContainers: [
      ...(spec.checkout.enabled ? [renderCheckout(input.settings, spec, renderedTest.resources)] : []),
      ...(dataset === undefined ? [] : renderDatasetCopy(dataset, spec.securityContext)),
      ...(spec.services ?? []).map((service) => renderService(service, spec.securityContext, mountsOf(service.name))),
      // After the services, so that it is ended before them: one that takes no notice of TERM would hold it up.
      ...(spec.artifacts === undefined ? [] : [renderCollector(input.settings, spec, { pod: base.spec, test: renderedTest, number })]),
      ...(base.spec.initContainers ?? []).map((container) => withContainerSecurity(container)),
    ],
    containers: [renderedTest, ...others.map((container) => withContainerSecurity(container))],
    volumes: [
      ...(base.spec.volumes ?? []),
      ...renderVolumes(spec),
      ...renderCheckoutVolumes(spec),
      ...(dataset === undefined ? [] : [renderDatasetVolume(dataset)]),
      ...(spec.artifacts === undefined ? [] : [renderCollectorVolume(input.settings)]),
    ],
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
        ...spec.annotations,
        [PARAMETERS_ANNOTATION]: parameters.text,
        ...(spec.script === undefined ? {} : { [SCRIPT_ANNOTATION]: spec.script }),
      },
    },
    spec: podSpec,
  };
}

function renderTest(base: Container, input: ManifestInput, pod: PodSpec, nodeLabel: TestTaskNodeLabel | undefined): Container {
  const { spec } = input.task;
  const image = nodeLabel?.image ?? spec.image ?? base.image;
  const resources = nodeLabel?.resources ?? spec.resources ?? base.resources;
  const container: Container = {
    ...base,
    ...(image === undefined ? {} : { image }),
    ...(resources === undefined ? {} : { resources: resources as Resources }),
    ...(spec.script === undefined ? {} : renderScript(spec.script, pod, spec.artifacts ? COLLECTED_SCRIPT_FILES : SCRIPT_FILES)),
    ...workingDirectory(base, input),
    env: renderEnvironment(base.env ?? [], input),
    ...(spec.envFrom === undefined ? {} : { envFrom: [...(base.envFrom ?? []), ...spec.envFrom] }),
    terminationMessagePath: TERMINATION_FILE,
    terminationMessagePolicy: "File",
  };
  const mounted = withMounts(withContainerSecurity(container, spec.securityContext), [
    workspaceMount(spec),
    MOUNTS.tmp,
    MOUNTS.artifacts,
    ...(spec.script === undefined ? [] : [MOUNTS.result]),
    ...(spec.script === undefined || spec.artifacts === undefined ? [] : [{ ...MOUNTS.grace, readOnly: true }]),
    MOUNTS.request,
  ]);
  return withTestDataset(mounted, input.dataset);
}

function renderEnvironment(template: readonly EnvVar[], input: ManifestInput): EnvVar[] {
  const {
    task,
    function: { jobName },
    parameters,
    request,
    dataset,
  } = input;
  const { variables, omitted } = parameterEnvironment(parameters);
  const own: EnvVar[] = [
    { name: "TH_JOB_NAME", value: escapeExpansion(jobName) },
    { name: "TH_BUILD_ID", value: request.number },
    { name: "TH_PARAMETERS_FILE", value: PARAMETERS_FILE },
    { name: "TH_ARTIFACTS_DIR", value: ARTIFACTS_DIRECTORY },
    { name: "TH_RESULT_FILE", value: task.spec.script === undefined ? TERMINATION_FILE : RESULT_FILE },
  ];
  if (dataset) own.push({ name: "TH_DATASET", value: dataset.name }, { name: "TH_DATASET_DIR", value: dataset.path });
  if (omitted.length > 0) {
    const names = JSON.stringify(omitted.map(({ name }) => name.toWellFormed()));
    own.push({ name: "TH_OMITTED_PARAMETERS", value: escapeExpansion(names.replaceAll("\\u0000", "").slice(0, MAX_OMITTED_LENGTH)) });
  }
  return layEnvironment([own, renderDefaults(task.spec), variables.map(escaped), template, (task.spec.env ?? []) as EnvVar[]]);
}

/**
 * HOME can be written to. The user has no entry in the image's /etc/passwd, and what asks for its name finds it here first. CI and WORKSPACE are
 * what scripts written for Jenkins look for: without the first, some skip everything and pass.
 */
function renderDefaults({ checkout }: TestTaskSpec): EnvVar[] {
  return [
    { name: "HOME", value: checkout.path },
    { name: "USER", value: USER_NAME },
    { name: "LOGNAME", value: USER_NAME },
    { name: "CI", value: "true" },
    { name: "WORKSPACE", value: checkout.path },
  ];
}

function escaped({ name, value }: { name: string; value: string }): EnvVar {
  return { name, value: escapeExpansion(value) };
}

/**
 * The checkout's folder, as zuul-cloner names it, or the workspace, where a script may write. What an image brings along runs where the image
 * says, unless it is to run on what was checked out. A request that cannot be checked out fails in the checkout container, with a sentence.
 */
function workingDirectory({ workingDir }: Container, { task: { spec }, parameters }: ManifestInput): Pick<Container, "workingDir"> {
  const { enabled, path } = spec.checkout;
  if (workingDir !== undefined) return { workingDir };
  if (!enabled) return spec.script === undefined ? {} : { workingDir: path };
  const directory = ownDirectory(parameters);
  return { workingDir: directory === undefined ? path : `${path}/${directory}` };
}
