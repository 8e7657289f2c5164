import { renderFunctionName } from "../zuul/function-name.ts";
import type { InvalidTask } from "./invalid-task.ts";
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
  /** Functions that nobody serves, by the invalid task that names them: whoever asks for one is told what is wrong with it. */
  refused: Map<string, InvalidTask>;
}

/**
 * Who serves which function. Of two TestTasks that name the same one the older (by creationTimestamp, then by `namespace/name`) holds
 * it, whatever the order of `tasks`; the other keeps its remaining functions. A task without a creationTimestamp counts as the newest.
 * An invalid one holds nothing that a valid one names, however old it is.
 */
export function decideServedFunctions(tasks: readonly TestTask[], invalid: readonly InvalidTask[] = []): ServedFunctions {
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
  const refused = new Map<string, InvalidTask>();
  for (const task of [...invalid].sort(compareAge)) {
    for (const name of task.functions) if (!byFunction.has(name) && !refused.has(name)) refused.set(name, task);
  }
  return { byFunction, byTask, refused };
}

/** All functions that a task names: `build:<job>` and `build:<job>:<node label>`. Never two alike: job names have no colon. */
export function namedFunctions({ spec }: TestTask): { name: string; served: Omit<ServedFunction, "task"> }[] {
  return spec.jobs.flatMap((job) => [
    { name: renderFunctionName(job), served: { job } },
    ...(spec.nodeLabels ?? []).map((label) => ({ name: renderFunctionName(job, label.name), served: { job, nodeLabel: label.name } })),
  ]);
}

type Aged = { metadata: { namespace: string; name: string; creationTimestamp?: string } };

function compareAge(left: Aged, right: Aged): number {
  const leftAt = createdAtMs(left);
  const rightAt = createdAtMs(right);
  if (leftAt !== rightAt) return leftAt < rightAt ? -1 : 1;
  return testTaskKey(left) < testTaskKey(right) ? -1 : 1;
}

function createdAtMs({ metadata }: Aged): number {
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(createdAtMs) ? Number.POSITIVE_INFINITY : createdAtMs;
}
