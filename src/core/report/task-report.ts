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
  /** Of what was tested more than once lately, where that failed at least once. */
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

export interface BranchFailures {
  branch: string;
  failed: number;
  of: number;
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
  const common = { namespace, name, conditions: status.conditions ?? [], active, last, failures: failuresOf(last) };
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

/** By branch; what is neither a pass nor the change's failure says nothing of the test. */
function failuresOf(last: readonly PastBuild[]): BranchFailures[] {
  const byBranch = new Map<string, { failed: number; of: number }>();
  for (const { branch, class: kind } of last) {
    if (branch === undefined || (kind !== "success" && kind !== "failure")) continue;
    const { failed, of } = byBranch.get(branch) ?? { failed: 0, of: 0 };
    byBranch.set(branch, { failed: failed + (kind === "failure" ? 1 : 0), of: of + 1 });
  }
  return [...byBranch].flatMap(([branch, { failed, of }]) => (failed > 0 && of > 1 ? [{ branch, failed, of }] : []));
}
