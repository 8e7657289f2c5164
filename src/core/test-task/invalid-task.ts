import type { KubeObject } from "../kubernetes/objects.ts";
import { renderFunctionName } from "../zuul/function-name.ts";
import type { Problem } from "./problem.ts";
import { isJobsFunctionPart, isLabelsFunctionPart } from "./schema/function-part.ts";
import { MAX_FUNCTIONS } from "./schema/spec.ts";
import { parseTestTask, type TestTask } from "./test-task.ts";

/** A stored TestTask that breaks rules of this version, which came after it. What can be read of it all the same. */
export interface InvalidTask {
  metadata: Pick<KubeObject["metadata"], "name" | "uid" | "creationTimestamp"> & { namespace: string };
  /** All that it names: once registered, they stay so. */
  functions: readonly string[];
  isSuspended: boolean;
  /** Each names its field and the remedy. */
  problems: readonly string[];
}

/** What is stored under one name. Invalid is what an older version's rules let pass. */
export type StoredTask = { isValid: true; task: TestTask } | { isValid: false; task: InvalidTask };

export function readStoredTask(object: KubeObject): StoredTask {
  const parsed = parseTestTask(object);
  return parsed.ok ? { isValid: true, task: parsed.task } : { isValid: false, task: readInvalidTask(object, parsed.problems) };
}

/** Reads what can be read of a TestTask that `parseTestTask` has found `problems` in. */
export function readInvalidTask(object: KubeObject, problems: readonly Problem[]): InvalidTask {
  const { namespace = "default", name, uid, creationTimestamp } = object.metadata;
  const spec: unknown = (object as { spec?: unknown }).spec;
  return {
    metadata: { name, namespace, ...(uid === undefined ? {} : { uid }), ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
    functions: functionsOf(name, spec),
    isSuspended: fieldOf(spec, "suspend") === true,
    problems: problems.map(({ path, message }) => `${path} ${message}`.trim()),
  };
}

/** Those that this version reads, and those that it does not, each in their order. */
export function sortStoredTasks(objects: Iterable<KubeObject>): { tasks: TestTask[]; invalid: InvalidTask[] } {
  const tasks: TestTask[] = [];
  const invalid: InvalidTask[] = [];
  for (const object of objects) {
    const stored = readStoredTask(object);
    if (stored.isValid) tasks.push(stored.task);
    else invalid.push(stored.task);
  }
  return { tasks, invalid };
}

/** One clause for reviewers and logs, the first problem whole. */
export function describeInvalidTask({ metadata, problems }: InvalidTask, name = metadata.name): string {
  const [first = "it breaks a rule of this version", ...others] = problems;
  const more = others.length === 0 ? "" : ` (and ${others.length} more ${others.length === 1 ? "problem" : "problems"})`;
  return `TestTask ${name} is invalid: ${first}${more}`;
}

/** A name that breaks a rule may have been registered by a version without that rule, so whatever Gearman can carry counts. */
function functionsOf(name: string, spec: unknown): string[] {
  const jobs = fieldOf(spec, "jobs") ?? [name];
  const labels = listOf(fieldOf(spec, "nodeLabels")).map((label) => fieldOf(label, "name"));
  const functions = new Set<string>();
  for (const job of listOf(jobs).filter(isJobsFunctionPart)) {
    functions.add(renderFunctionName(job));
    for (const label of labels.filter(isLabelsFunctionPart)) {
      if (functions.size >= MAX_FUNCTIONS) break;
      functions.add(renderFunctionName(job, label));
    }
    if (functions.size >= MAX_FUNCTIONS) break;
  }
  return [...functions];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
}
