import { testTaskKey } from "../../core/test-task/test-task.ts";
import { parseFunctionName, renderFunctionName } from "../../core/zuul/function-name.ts";
import { type Layout, NOOP_JOB } from "../../core/zuul/layout.ts";
import type { FunctionLine } from "../../gearman/client/gearman-admin.ts";
import type { Tone } from "../terminal-colour.ts";
import type { TestTasksSeen } from "./server-report.ts";

/** A job that Zuul would not get run. */
interface UnservedJob {
  readonly job: string;
  /** Node labels for which it is registered, so that builds which ask for one of them are run. */
  readonly nodeLabels: readonly string[];
  /** What may have a build ask for one; null: nothing does. */
  readonly parameterFunction: string | null;
}

/** What `status` tells of a layout beside its server. */
export interface LayoutReport {
  readonly file: string;
  /** How many jobs it lets Zuul send. */
  readonly jobs: number;
  /** Jobs whose plain function the server does not know: Zuul says NOT_REGISTERED, unless a build asks for a node label that is. */
  readonly notRegistered: readonly UnservedJob[];
  /** Registered once, and no worker is there now: their builds wait. */
  readonly withoutWorker: readonly string[];
  /** By function of the layout's Python, the jobs whose node label nobody knows here. */
  readonly parameterFunctions: Readonly<Record<string, readonly string[]>>;
  /** TestTasks with jobs that the layout does not name; `all`: it names none of them. null when the TestTasks are unknown. */
  readonly unused: readonly { readonly testTask: string; readonly jobs: readonly string[]; readonly all: boolean }[] | null;
  /** What of the layout could not be read. */
  readonly faults: Layout["faults"];
}

export function makeLayoutReport(file: string, layout: Layout, lines: readonly FunctionLine[], seen: TestTasksSeen): LayoutReport {
  const workersOf = new Map(lines.map(({ name, workers }) => [name, workers]));
  const labelsOf = groupLabels(lines);
  const jobs = layout.jobs.filter(({ name }) => name !== NOOP_JOB);
  const byFunction = new Map<string, string[]>();
  for (const { name, parameterFunction } of jobs) {
    if (parameterFunction !== undefined) append(byFunction, parameterFunction, name);
  }
  return {
    file,
    jobs: jobs.length,
    notRegistered: jobs.flatMap(({ name, parameterFunction = null }) =>
      workersOf.has(renderFunctionName(name)) ? [] : [{ job: name, nodeLabels: labelsOf.get(name) ?? [], parameterFunction }],
    ),
    withoutWorker: jobs.map(({ name }) => name).filter((name) => workersOf.get(renderFunctionName(name)) === 0),
    parameterFunctions: Object.fromEntries(byFunction),
    unused: seen.isKnown ? findUnused(new Set(jobs.map(({ name }) => name)), seen) : null,
    faults: layout.faults,
  };
}

/** A job of which surely some build gets NOT_REGISTERED. */
export function hasUnservedJob({ notRegistered }: LayoutReport): boolean {
  return notRegistered.some((job) => !isPerhapsServed(job));
}

/** Its parameter-function may always ask for a node label that is registered. */
function isPerhapsServed({ nodeLabels, parameterFunction }: UnservedJob): boolean {
  return nodeLabels.length > 0 && parameterFunction !== null;
}

export function layoutLines(report: LayoutReport): { tone: Tone; line: string }[] {
  const { file, jobs, notRegistered, withoutWorker, parameterFunctions, unused, faults } = report;
  const lines: { tone: Tone; line: string }[] = [{ tone: "aside", line: `${file}: ${jobs === 1 ? "1 job" : `${jobs} jobs`}` }];
  const tell = (tone: Tone, line: string) => lines.push({ tone, line });
  for (const job of notRegistered) tell(isPerhapsServed(job) ? "doubtful" : "bad", renderUnserved(job));
  for (const job of withoutWorker) tell("bad", `no worker: ${renderFunctionName(job)}, so that its builds wait`);
  for (const [name, of] of Object.entries(parameterFunctions)) {
    const which = of.length === 1 ? (of[0] ?? "") : `${of.length} jobs`;
    tell(
      "aside",
      `which node labels ${which} may ask for (build:JOB:LABEL) is for the parameter-function ${name} to say, and not known here`,
    );
  }
  for (const { testTask, jobs: names, all } of unused ?? []) {
    tell("doubtful", all ? `not in the layout: TestTask ${testTask}` : `not in the layout: ${names.join(", ")} of TestTask ${testTask}`);
  }
  for (const { place, message } of faults) tell("bad", `not read: ${place}: ${message}`);
  return lines;
}

function renderUnserved({ job, nodeLabels, parameterFunction }: UnservedJob): string {
  const plain = `nobody has registered ${renderFunctionName(job)}`;
  if (nodeLabels.length === 0) return `${plain}: Zuul says NOT_REGISTERED`;
  const labels = `but for the node labels ${nodeLabels.join(", ")}`;
  const asks = parameterFunction === null ? "which Zuul asks for only with a parameter-function" : `which ${parameterFunction} may ask for`;
  return `${plain}, ${labels}, ${asks}: else Zuul says NOT_REGISTERED`;
}

function groupLabels(lines: readonly FunctionLine[]): Map<string, string[]> {
  const labels = new Map<string, string[]>();
  for (const { name } of lines) {
    const { jobName, nodeLabel } = parseFunctionName(name) ?? {};
    if (jobName !== undefined && nodeLabel !== undefined) append(labels, jobName, nodeLabel);
  }
  return labels;
}

function findUnused(named: ReadonlySet<string>, { tasks, invalid }: TestTasksSeen & { isKnown: true }): LayoutReport["unused"] {
  const all = [
    ...tasks.map((task) => ({ testTask: testTaskKey(task), jobs: task.spec.jobs })),
    ...invalid.map((task) => ({
      testTask: testTaskKey(task),
      jobs: task.functions.flatMap((name) => parseFunctionName(name)?.jobName ?? []),
    })),
  ];
  return all.flatMap(({ testTask, jobs }) => {
    const names = [...new Set(jobs)];
    const unused = names.filter((name) => !named.has(name));
    return unused.length === 0 ? [] : [{ testTask, jobs: unused, all: unused.length === names.length }];
  });
}

function append(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
