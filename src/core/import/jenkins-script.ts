import { formatText } from "../zuul/format-text.ts";
import { asList, asMapping, type Mapping } from "../zuul/mapping.ts";
import type { JenkinsJob } from "./jenkins-jobs.ts";

/** What becomes of a Jenkins job. `notes`: what has no counterpart, each a clause with its reason. */
export interface JenkinsScript {
  /** Of its shell builders; undefined where it has none. */
  readonly script: string | undefined;
  /** Minutes after which Jenkins would have ended it; undefined: never. */
  readonly timeoutMinutes: number | undefined;
  readonly notes: readonly string[];
}

/** A shell builder's script as Jenkins ran it, or one line on what is missing in its place. */
type Step = { readonly text: string } | { readonly missing: string };

/** How Jenkins runs a shell builder that names no interpreter. */
const JENKINS_SHELL = "#!/bin/sh -xe";

/** The script that does what the shell builders of a job did, one after another until one fails, and what is left of the job. */
export function convertJenkinsJob({ body, values }: JenkinsJob): JenkinsScript {
  const builders = asList(body.builders);
  const steps = builders.map((builder) => readStep(builder, values));
  const missing = steps.flatMap((step) => ("missing" in step ? [step.missing] : []));
  const timeoutMinutes = asList(body.wrappers)
    .map((wrapper) => readTimeout(wrapper, values))
    .find((minutes) => minutes !== undefined);
  return {
    script: steps.some((step) => "text" in step) ? renderSteps(steps) : undefined,
    timeoutMinutes,
    notes: [...missing.map((what) => `the builder ${what}`), ...lostParts(body, values, timeoutMinutes !== undefined)],
  };
}

function readStep(builder: unknown, values: JenkinsJob["values"]): Step {
  const [[kind, settings] = [String(builder), undefined]] = Object.entries(asMapping(builder) ?? {});
  if (kind !== "shell")
    return { missing: `${oneLine(kind)} is no shell builder: put what it does, or what a macro of that name stands for, in its place` };
  const command = asMapping(settings)?.command ?? settings;
  if (typeof command !== "string") return { missing: `shell has no text, but ${oneLine(shown(settings))}` };
  if (values === undefined) return { text: command };
  const text = formatText(command, values);
  return text.ok ? text : { missing: `shell is not filled in: it ${oneLine(text.fault)}` };
}

/** In full only what is flat: anchors may put a list into itself. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  const isFlat = Object.values(asMapping(value) ?? {}).every((inner) => typeof inner !== "object" || inner === null);
  return isFlat ? (JSON.stringify(value) ?? "nothing") : "a mapping";
}

function renderSteps(steps: readonly Step[]): string {
  const [only, ...more] = steps;
  if (only && "text" in only && more.length === 0) return withInterpreter(only.text);
  const parts = steps.map((step, index) => ("text" in step ? renderStep(step.text, index + 1) : renderMissing(step.missing, index + 1)));
  return `#!/bin/sh -e\n# Each shell builder is a script of its own, as in Jenkins.\nbuilders=$(mktemp -d)\n\n${parts.join("\n")}`;
}

/** Nobody may take the success of the others for the job's. */
function renderMissing(what: string, number: number): string {
  return `# The builder ${what}\necho "this TestTask is a draft: its step ${number} is missing" >&2; exit 1\n`;
}

function renderStep(text: string, number: number): string {
  const script = withInterpreter(text);
  const lines = new Set(script.split("\n"));
  let end = `END_OF_BUILDER_${number}`;
  while (lines.has(end)) end += "_";
  const file = `"$builders/${number}"`;
  return `cat > ${file} <<'${end}'\n${script}${end}\nchmod +x ${file}\n${file}\n`;
}

function withInterpreter(text: string): string {
  const script = text.endsWith("\n") ? text : `${text}\n`;
  return script.startsWith("#!") ? script : `${JENKINS_SHELL}\n${script}`;
}

/** What a job says about itself alone, and what is looked at elsewhere. */
const TOLD_ELSEWHERE = ["name", "builders", "description", "display-name", "project-type", "concurrent", "logrotate", "id"];

/** What takes the place of the parts of a job. */
const PLACES: Readonly<Record<string, string>> = {
  triggers: "Zuul alone triggers builds",
  publishers: "logs are stored by the operator; files are kept by artifacts, and what the log must show is in checks",
  wrappers: "the pod is the build's own, and the log has times; a limit is timeouts.run",
  parameters: "Zuul's parameters are in the environment; others go into env",
  properties: "there is no Jenkins to set them in",
  scm: "checkout checks out what Zuul has prepared",
  node: "the pod has resources, nodeSelector and tolerations instead; a label that Zuul asks for goes into nodeLabels",
  defaults: "its values are not read",
  axes: "each combination needs a job of its own",
  "execution-strategy": "each combination needs a job of its own",
  auth_token: "nobody starts builds but Zuul",
  "auth-token": "nobody starts builds but Zuul",
};

function lostParts(body: Mapping, values: JenkinsJob["values"], isTimeoutTaken: boolean): string[] {
  const parts = Object.entries(body).flatMap(([key, value]) => {
    if (TOLD_ELSEWHERE.includes(key) || !Object.hasOwn(PLACES, key)) return [];
    const names = asList(value).map((entry) => (typeof entry === "string" ? entry : (Object.keys(asMapping(entry) ?? {})[0] ?? "?")));
    const kept = key === "wrappers" && isTimeoutTaken ? names.filter((name) => name !== "timeout") : names;
    if (Array.isArray(value) && kept.length === 0) return [];
    const which = typeof value === "string" ? ` (${fill(value, values)})` : kept.length > 0 ? ` (${kept.join(", ")})` : "";
    return [`${key}${oneLine(which)}: ${PLACES[key]}`];
  });
  const { "project-type": type, disabled } = body;
  if (type !== undefined && type !== "freestyle") parts.unshift(`project-type ${oneLine(String(type))}: only what freestyle has is read`);
  if (disabled === true) parts.unshift("disabled: Jenkins did not run it");
  return parts;
}

function fill(text: string, values: JenkinsJob["values"]): string {
  const filled = values && formatText(text, values);
  return filled?.ok ? filled.text : text;
}

/** Other types than the usual one end what has been silent, or has taken longer than others. */
function readTimeout(wrapper: unknown, values: JenkinsJob["values"]): number | undefined {
  const { type = "absolute", timeout } = asMapping(asMapping(wrapper)?.timeout) ?? {};
  if (typeof type !== "string" || fill(type, values) !== "absolute") return undefined;
  const minutes = typeof timeout === "string" ? Number(fill(timeout, values)) : timeout;
  return typeof minutes === "number" && Number.isInteger(minutes) && minutes >= 1 && minutes <= MAX_MINUTES ? minutes : undefined;
}

/** A week. */
const MAX_MINUTES = 7 * 24 * 60;

/** It becomes a comment. */
function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{C}]+/gu, " ").slice(0, 200);
}
