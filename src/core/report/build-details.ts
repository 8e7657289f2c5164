import { readRoles } from "../job/record.ts";
import { INSTALLATION_LABEL, MANAGED_BY_LABEL, PARAMETERS_ANNOTATION, SCRIPT_ANNOTATION, TASK_LABEL } from "../kubernetes/labels.ts";
import type { Container, EnvVar, Job, PodTemplate } from "../kubernetes/objects.ts";
import { isSecretName, redactParameters, redactText } from "../logs/redaction.ts";
import { type Parameters, parameterEnvironment, parseParameters, textParameter } from "../zuul/parameters.ts";
import { renderPythonJson } from "../zuul/python-json.ts";
import { asciiJson, shellWord } from "./shell-words.ts";

/** What a build's whole Job tells, beside what `BuildReport` says; the same for as long as it is there. */
export interface BuildDetails {
  /** As the request had them; `undefined` stands for a value that looks like a secret and is not shown. */
  parameters: readonly { name: string; value: string | undefined }[];
  containers: readonly { name: string; image: string; isTest: boolean }[];
  again: RunAgain;
}

/** Lines for a terminal that run the test once more, outside of Zuul. */
export interface RunAgain {
  kubectl: string;
  docker: string | undefined;
  /** What whoever runs it must set first: variables that come from Secrets and ConfigMaps, or were not shown. */
  needs: readonly string[];
}

export function detailBuild(job: Job): BuildDetails {
  const template = job.spec?.template ?? { spec: { containers: [] } };
  const roles = readRoles(job);
  const containers = [...(template.spec.initContainers ?? []), ...template.spec.containers];
  const parameters = parametersOf(template);
  return {
    parameters: parameters === undefined ? [] : shownParameters(parameters),
    containers: containers.map(({ name, image = "" }) => ({ name, image, isTest: name === roles.test })),
    again: runAgain(job, template, roles.test, parameters),
  };
}

function parametersOf({ metadata }: PodTemplate): Parameters | undefined {
  const text = metadata?.annotations?.[PARAMETERS_ANNOTATION];
  if (text === undefined) return undefined;
  const parsed = parseParameters(new TextEncoder().encode(text));
  return parsed.ok ? parsed.parameters : undefined;
}

function shownParameters({ values }: Parameters): BuildDetails["parameters"] {
  return [...redactParameters(values)].map(([name, value]) => {
    return { name, value: isSecretName(name) ? undefined : typeof value === "string" ? value : renderPythonJson(value) };
  });
}

function runAgain(job: Job, template: PodTemplate, test: string, parameters: Parameters | undefined): RunAgain {
  const container = template.spec.containers.find(({ name }) => name === test);
  const env = container?.env ?? [];
  const names = new Set(parameters === undefined ? [] : parameterEnvironment(parameters).variables.map(({ name }) => name));
  const hidden = env.filter(({ name, value }) => value !== undefined && isSecretName(name)).map(({ name }) => name);
  const looks = (name: string) => `${name}: ${names.has(name) ? "a parameter" : "a variable of the task"} that looks like a secret`;
  const needs = [...env.flatMap(sourceOf), ...hidden.map(looks)];
  const kubectl = renderKubectl(job, template, parameters);
  const docker =
    container?.image && parameters ? renderDocker({ image: container.image, env, template, job, parameters, test }) : undefined;
  return { kubectl, docker, needs };
}

function sourceOf({ name, valueFrom }: EnvVar): string[] {
  const source = valueFrom as { secretKeyRef?: Reference; configMapKeyRef?: Reference } | undefined;
  if (source?.secretKeyRef) return [`${name}: Secret ${source.secretKeyRef.name}, key ${source.secretKeyRef.key}`];
  if (source?.configMapKeyRef) return [`${name}: ConfigMap ${source.configMapKeyRef.name}, key ${source.configMapKeyRef.key}`];
  return [];
}

interface Reference {
  name: string;
  key: string;
}

/** Nobody's build: without the labels by which an operator knows its own. */
function renderKubectl(job: Job, template: PodTemplate, parameters: Parameters | undefined): string {
  const { labels: _, annotations = {} } = template.metadata ?? {};
  const { [PARAMETERS_ANNOTATION]: __, ...others } = annotations;
  const shown = parameters === undefined ? {} : { [PARAMETERS_ANNOTATION]: redactedText(parameters) };
  const { containers, initContainers } = template.spec;
  const spec = {
    ...template.spec,
    ...(initContainers === undefined ? {} : { initContainers: initContainers.map(withoutSecrets) }),
    containers: containers.map(withoutSecrets),
  };
  const ours: readonly string[] = [MANAGED_BY_LABEL, INSTALLATION_LABEL, TASK_LABEL];
  const ownLabels = Object.fromEntries(Object.entries(job.metadata.labels ?? {}).filter(([name]) => !ours.includes(name)));
  const again = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { generateName: `${job.metadata.labels?.[TASK_LABEL] ?? "build"}-again-`, labels: ownLabels },
    spec: { backoffLimit: 0, ttlSecondsAfterFinished: 3600, template: { metadata: { annotations: { ...others, ...shown } }, spec } },
  };
  const namespace = shellWord(job.metadata.namespace ?? "default");
  // A line of JSON never is a word alone, so that nothing in it can end the here-document.
  return `kubectl --namespace ${namespace} create -f - <<'END_OF_JOB'\n${asciiJson(again)}\nEND_OF_JOB`;
}

function redactedText({ values }: Parameters): string {
  return renderPythonJson(redactParameters(values));
}

/** Who may look at a page may not look at a TestTask: what its author has written into a variable is as secret as what the request has. */
function withoutSecrets<T extends { env?: EnvVar[] }>(container: T): T {
  const env = container.env?.map((variable) => {
    if (variable.value === undefined) return variable;
    return { ...variable, value: isSecretName(variable.name) ? "***" : redactText(variable.value) };
  });
  return env === undefined ? container : { ...container, env };
}

interface DockerParts {
  image: string;
  env: readonly EnvVar[];
  template: PodTemplate;
  job: Job;
  parameters: Parameters;
  test: string;
}

/** Made by the pod: they mean nothing elsewhere. */
const POD_VARIABLE = /^(?:TH_|HOME$|WORKSPACE$|USER$|LOGNAME$)/;

function renderDocker({ image, env, template, parameters, test }: DockerParts): string | undefined {
  // It would be an option.
  if (image.startsWith("-")) return undefined;
  const container = template.spec.containers.find(({ name }) => name === test);
  const variables = env
    .filter(({ name }) => !POD_VARIABLE.test(name))
    .map(({ name, value }) => {
      // Taken from the environment of whoever runs it.
      if (value === undefined || isSecretName(name)) return `--env=${shellWord(name)}`;
      return shellWord(`--env=${name}=${redactText(value.replaceAll("$$", "$"))}`);
    });
  const script = template.metadata?.annotations?.[SCRIPT_ANNOTATION];
  const directory = container?.workingDir ?? "/workspace";
  const { entry, rest } = script === undefined ? commandOf(container) : commandOfScript(script);
  const words = [
    ...["docker", "run", "--rm", "--interactive", "--tty", "--init"],
    `--volume="$PWD/source:"${shellWord(directory)}`,
    ...(script === undefined ? [] : [`--volume="$PWD/${SCRIPT}:/${SCRIPT}:ro"`]),
    shellWord(`--workdir=${directory}`),
    ...variables,
    ...entry.map((word) => shellWord(`--entrypoint=${word}`)),
    shellWord(image),
    ...rest.map(shellWord),
  ];
  const write = script === undefined ? [] : [`printf %s ${shellWord(script)} > ${SCRIPT} && chmod +x ${SCRIPT}`];
  return [...renderGit(parameters), ...write, words.join(" \\\n  ")].join("\n");
}

const SCRIPT = "build-script";

/** The kernel obeys its first line `#!`, else it is `sh -e`, as in the pod. */
function commandOfScript(script: string): { entry: string[]; rest: string[] } {
  return script.startsWith("#!") ? { entry: [`/${SCRIPT}`], rest: [] } : { entry: ["sh"], rest: ["-e", `/${SCRIPT}`] };
}

function commandOf({ command = [], args = [] }: Pick<Container, "command" | "args"> = {}): { entry: string[]; rest: string[] } {
  const [first, ...others] = command.map(unescaped);
  return { entry: first === undefined ? [] : [first], rest: [...others, ...args.map(unescaped)] };
}

function unescaped(text: string): string {
  return text.replaceAll("$$", "$");
}

/** The ref that was tested, as Zuul's merger made it. */
function renderGit(parameters: Parameters): string[] {
  const [url, project, ref, branch] = ["ZUUL_URL", "ZUUL_PROJECT", "ZUUL_REF", "ZUUL_BRANCH"].map((name) =>
    textParameter(parameters, name),
  );
  if (!url || !project || !(ref || branch) || !/^(?:https?|git|ssh):\/\//.test(url)) return [];
  const from = shellWord(redactText(`${url.replace(/\/+$/, "")}/${project}`));
  return [
    "git init --quiet source",
    `git -C source fetch --quiet -- ${from} ${shellWord(ref ?? branch ?? "")}`,
    "git -C source checkout --quiet FETCH_HEAD",
  ];
}
