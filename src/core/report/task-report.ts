import type { KubeObject } from "../kubernetes/objects.ts";
import type { TestTaskCondition, TestTaskStatus } from "../test-task/schema/status.ts";
import { testTaskStatusSchema } from "../test-task/schema/status.ts";
import { parseTestTask } from "../test-task/test-task.ts";
import type { VerdictClass } from "../verdict/rules/verdict-rule.ts";
import type { BuildReport } from "./build-report.ts";

/** What is told of a TestTask. */
export interface TaskReport {
  namespace: string;
  name: string;
  /** What is wrong with it, where it is no valid task. */
  problems: readonly string[];
  jobs: readonly string[];
  image?: string | undefined;
  isSuspended: boolean;
  maxConcurrent?: number | undefined;
  pipelines?: readonly string[] | undefined;
  timeouts?: { pull: string; run: string; schedule?: string | undefined } | undefined;
  conditions: readonly TestTaskCondition[];
  active: number;
  /** The builds of it that ended last and are still known, newest first; at most `MAX_LAST`. */
  last: readonly PastBuild[];
  /** By branch, where at least one of the last builds there failed. */
  failures: readonly BranchFailures[];
}

export interface PastBuild {
  number: string;
  class: VerdictClass;
  /** null: Zuul runs it again. */
  result: string | null;
  branch?: string | undefined;
  endedAt?: string | undefined;
}

/** Of the last builds on a branch, at most `MAX_LAST`, that passed or failed. */
export interface BranchFailures {
  branch: string;
  failed: number;
  of: number;
  /** How many of those that failed tested what has also passed: the same patchset of the same change. */
  flaky: number;
}

export const MAX_LAST = 40;

/** By namespace and name. `builds` are in the order of `BuildReports.all`. */
export function reportTasks(objects: Iterable<KubeObject>, builds: readonly BuildReport[]): TaskReport[] {
  const byTask = Map.groupBy(builds, ({ namespace, task }) => `${namespace}/${task}`);
  return [...objects]
    .map((object) => {
      const { namespace = "default", name } = object.metadata;
      const own = byTask.get(`${namespace}/${name}`) ?? [];
      const ended = own.filter(({ verdict }) => verdict !== undefined);
      return reportTask(object, ended, own.length - ended.length);
    })
    .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

/** `ended` are builds of this task that have a verdict, newest first. */
export function reportTask(object: KubeObject, ended: readonly BuildReport[], active: number): TaskReport {
  const { name, namespace = "default" } = object.metadata;
  const status: Partial<TestTaskStatus> = testTaskStatusSchema.safeParse((object as { status?: unknown }).status).data ?? {};
  const last = ended.slice(0, MAX_LAST).flatMap(pastBuild);
  const common = { namespace, name, conditions: status.conditions ?? [], active, last, failures: failuresOf(ended) };
  const parsed = parseTestTask(object);
  if (!parsed.ok) return { ...common, problems: parsed.problems.map(({ message }) => message), jobs: [], isSuspended: false };
  const { spec } = parsed.task;
  return {
    ...common,
    problems: [],
    jobs: spec.jobs,
    image: spec.image,
    isSuspended: spec.suspend,
    maxConcurrent: spec.maxConcurrent,
    pipelines: spec.pipelines,
    timeouts: spec.timeouts,
  };
}

function pastBuild({ number, verdict, item, endedAt }: BuildReport): PastBuild[] {
  return verdict ? [{ number, class: verdict.class, result: verdict.result, branch: item.branch, endedAt }] : [];
}

/** What is neither a pass nor the change's failure says nothing of the test. */
function failuresOf(ended: readonly BuildReport[]): BranchFailures[] {
  const told = ended.filter(({ verdict }) => verdict?.class === "success" || verdict?.class === "failure");
  const byBranch = Map.groupBy(
    told.filter(({ item }) => item.branch !== undefined),
    ({ item }) => item.branch ?? "",
  );
  return [...byBranch].flatMap(([branch, builds]) => {
    const last = builds.slice(0, MAX_LAST);
    const failed = last.filter(({ verdict }) => verdict?.class === "failure");
    if (failed.length === 0 || last.length < 2) return [];
    const passed = new Set(last.filter(({ verdict }) => verdict?.class === "success").flatMap(patchsetOf));
    const flaky = failed.filter((build) => patchsetOf(build).some((patchset) => passed.has(patchset))).length;
    return [{ branch, failed: failed.length, of: last.length, flaky }];
  });
}

function patchsetOf({ item: { project, change, patchset } }: BuildReport): string[] {
  return change === undefined || patchset === undefined ? [] : [JSON.stringify([project, change, patchset])];
}
