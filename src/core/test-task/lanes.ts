import type { ServedFunctions } from "./served-functions.ts";
import type { TestTask } from "./test-task.ts";

export interface LaneFacts {
  /** By `namespace/name`. */
  tasks: ReadonlyMap<string, TestTask>;
  served: ServedFunctions;
  /** Functions that are registered, whether or not a task serves them. */
  registered: Iterable<string>;
  /** Builds of a namespace whose Jobs are not known yet wait: some may be running already. */
  namespaces: { isKnown(namespace: string): boolean; readonly areAllKnown: boolean };
  /** Of a task that is taken slowly, one build at a time: for how long not even one. undefined: it is taken as always. */
  degradedOf(taskKey: string): { holdMs: number } | undefined;
  /** Of a task whose builds wait for nodes, and that therefore has a lane of its own: whether it takes any. undefined: it may share. */
  heldBackOf(taskKey: string): { isPaused: boolean } | undefined;
}

/** Functions whose builds are taken together. */
export interface DecidedLane {
  /** `namespace/name` of the task that it is for alone; else `shared` or `retired`. */
  name: string;
  functions: readonly string[];
  /** Where its builds are counted: in the installation's pool, in that of the retired functions, or in the task's own. */
  pool: "installation" | "retired" | { capacity: number; isPaused: boolean };
}

/**
 * Tasks without a limit share a lane; each of the others has its own, and so has one that is taken slowly. A suspended task has none: its
 * functions stay registered and nobody takes their builds. Functions that lost their TestTask, or whose task is invalid, are answered with
 * a sentence, once all namespaces are known to have no other for them.
 */
export function decideLanes({ tasks, served, registered, namespaces, degradedOf, heldBackOf }: LaneFacts): DecidedLane[] {
  const shared: string[] = [];
  const own: DecidedLane[] = [];
  for (const [key, { metadata, spec }] of tasks) {
    const functions = served.byTask.get(key)?.functions ?? [];
    if (spec.suspend || functions.length === 0 || !namespaces.isKnown(metadata.namespace)) continue;
    const degraded = degradedOf(key);
    const heldBack = heldBackOf(key);
    const capacity = degraded ? 1 : (spec.maxConcurrent ?? (heldBack ? Number.POSITIVE_INFINITY : undefined));
    const isPaused = (degraded?.holdMs ?? 0) > 0 || (heldBack?.isPaused ?? false);
    if (capacity === undefined) shared.push(...functions);
    else own.push({ name: key, functions, pool: { capacity, isPaused } });
  }
  const unserved = new Set([...served.refused.keys(), ...registered]);
  const retired = [...unserved].filter((name) => !served.byFunction.has(name) && !served.refused.get(name)?.isSuspended);
  const lanes: DecidedLane[] = [
    { name: "shared", functions: shared, pool: "installation" },
    ...own,
    { name: "retired", functions: namespaces.areAllKnown ? retired : [], pool: "retired" },
  ];
  return lanes.filter(({ functions }) => functions.length > 0);
}
