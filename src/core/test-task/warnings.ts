import { judgedContainer, TEST_CONTAINER } from "../kubernetes/container-roles.ts";
import type { PodSpec } from "../kubernetes/objects.ts";
import { namedSecrets } from "../logs/named-secrets.ts";
import { makeProblem, type Problem } from "./problem.ts";
import { WORKSPACE_VOLUME } from "./schema/reserved-names.ts";
import { scriptWarnings } from "./script-warnings.ts";
import type { TestTask, TestTaskSpec } from "./test-task.ts";

/** Something in a valid TestTask that may well not be meant. `scriptLine`: where in the script, counted from 1. */
export interface TaskWarning extends Problem {
  scriptLine?: number;
}

type Mount = { name: string; mountPath: string };
type Containers = readonly { name: string; image?: string; command?: unknown; args?: unknown; volumeMounts?: readonly Mount[] }[];

/** What `validate` tells beside problems: what is surely there, and probably a mistake. */
export function testTaskWarnings({ spec }: TestTask): TaskWarning[] {
  const containers: Containers = spec.template?.spec.containers ?? [];
  return [
    ...jobWarnings(spec),
    ...secretWarnings(spec),
    ...ownCommandWarnings(spec, containers),
    ...judgedWarnings(containers),
    ...mountWarnings(spec, containers),
    ...ofScript(spec, containers),
  ];
}

/** Zuul answers it by itself (`zuul/launcher/gearman.py`, `launch`). */
function jobWarnings({ jobs }: TestTaskSpec): TaskWarning[] {
  const index = jobs.indexOf("noop");
  return index < 0 ? [] : [makeProblem(["spec", "jobs", index], "Zuul answers noop by itself and never sends it; remove it")];
}

/** What a test gets of Secrets, a change that nobody has looked at can print, or send away. */
function secretWarnings({ pipelines, env = [], envFrom = [], services = [], template }: TestTaskSpec): TaskWarning[] {
  if (pipelines !== undefined) return [];
  const pods = [{ containers: [{ env, envFrom }, ...services] }, ...(template ? [template.spec] : [])];
  const [first, ...others] = namedSecrets(pods as PodSpec[]).map(({ name }) => name);
  if (first === undefined) return [];
  const which = others.length === 0 ? `Secret ${first}` : `Secrets ${[first, ...others].join(", ")}`;
  const message = `is not set, so builds of every pipeline get ${which}: in a check pipeline anybody's change does; name those that may`;
  return [makeProblem(["spec", "pipelines"], message)];
}

function ownCommandWarnings({ script }: TestTaskSpec, containers: Containers): TaskWarning[] {
  if (script !== undefined) return [];
  const message = "has neither script nor command: the image's own command is the test";
  const judged = judgedContainer({ containers });
  if (!judged) return [makeProblem(["spec", "image"], message)];
  const isOwn = judged.command === undefined && judged.args === undefined;
  return isOwn ? [makeProblem(["spec", "template", "spec", "containers", containers.indexOf(judged)], message)] : [];
}

function judgedWarnings(containers: Containers): TaskWarning[] {
  if (containers.length < 2 || containers.some(({ name }) => name === TEST_CONTAINER)) return [];
  const message = `is the test because it is the first of several and none is named ${TEST_CONTAINER}; name it ${TEST_CONTAINER}`;
  return [makeProblem(["spec", "template", "spec", "containers", 0], message)];
}

/** A test that looks for its cases in an empty directory finds none, and may call that a success. */
function mountWarnings({ checkout }: TestTaskSpec, containers: Containers): TaskWarning[] {
  const judged = judgedContainer({ containers });
  const index = judged?.volumeMounts?.findIndex(({ name, mountPath }) => mountPath === checkout.path && name !== WORKSPACE_VOLUME) ?? -1;
  if (!judged || !checkout.enabled || index < 0) return [];
  const path = ["spec", "template", "spec", "containers", containers.indexOf(judged), "volumeMounts", index];
  const message = `hides what is checked out there from the test; mount it elsewhere, or say another checkout.path than ${checkout.path}`;
  return [makeProblem(path, message)];
}

function ofScript(spec: TestTaskSpec, containers: Containers): TaskWarning[] {
  if (spec.script === undefined) return [];
  const image = spec.image ?? judgedContainer({ containers })?.image;
  return scriptWarnings(spec.script, image).map(({ line, message }) => ({ ...makeProblem(["spec", "script"], message), scriptLine: line }));
}
