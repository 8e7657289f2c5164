import { renderFunctionName } from "../zuul/function-name.ts";
import { type TestTask, testTaskKey } from "./test-task.ts";

/** What answers a Gearman function. */
interface ServedFunction {
  /** `namespace/name` of the TestTask. */
  task: string;
  job: string;
  nodeLabel?: string;
}

export interface TaskFunctions {
  /** Functions that are the task's own, in the order of its `jobs` and `nodeLabels`. */
  functions: string[];
  /** Functions that it names but an older TestTask (key `heldBy`) holds. */
  conflicts: { function: string; heldBy: string }[];
}

export interface ServedFunctions {
  byFunction: Map<string, ServedFunction>;
  byTask: Map<string, TaskFunctions>;
}

/**
 * Who serves which function. Of two TestTasks that name the same one the older (by creationTimestamp, then by `namespace/name`) holds
 * it, whatever the order of `tasks`; the other keeps its remaining functions. A task without a creationTimestamp counts as the newest.
 */
export function decideServedFunctions(tasks: readonly TestTask[]): ServedFunctions {
  const byFunction = new Map<string, ServedFunction>();
  const byTask = new Map<string, TaskFunctions>();
  for (const task of [...tasks].sort(compareAge)) {
    const key = testTaskKey(task);
    const own: TaskFunctions = { functions: [], conflicts: [] };
    for (const { name, served } of namedFunctions(task)) {
      const holder = byFunction.get(name);
      if (holder) own.conflicts.push({ function: name, heldBy: holder.task });
      else {
        byFunction.set(name, { task: key, ...served });
        own.functions.push(name);
      }
    }
    byTask.set(key, own);
  }
  return { byFunction, byTask };
}

/** All functions that a task names: `build:<job>` and `build:<job>:<node label>`. Never two alike: job names have no colon. */
export function namedFunctions({ spec }: TestTask): { name: string; served: Omit<ServedFunction, "task"> }[] {
  return spec.jobs.flatMap((job) => [
    { name: renderFunctionName(job), served: { job } },
    ...(spec.nodeLabels ?? []).map((label) => ({ name: renderFunctionName(job, label.name), served: { job, nodeLabel: label.name } })),
  ]);
}

function compareAge(left: TestTask, right: TestTask): number {
  const leftAt = createdAtMs(left);
  const rightAt = createdAtMs(right);
  if (leftAt !== rightAt) return leftAt < rightAt ? -1 : 1;
  return testTaskKey(left) < testTaskKey(right) ? -1 : 1;
}

function createdAtMs({ metadata }: TestTask): number {
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(createdAtMs) ? Number.POSITIVE_INFINITY : createdAtMs;
}
