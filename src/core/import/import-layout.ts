import { TEST_TASK_API_VERSION, TEST_TASK_KIND, type TestTaskSpecAsWritten } from "../test-task/test-task.ts";
import { type Layout, type LayoutJob, NOOP_JOB } from "../zuul/layout.ts";
import { findProblem, type ImportResult } from "./import-configuration.ts";
import { type ImportedTask, MAX_TASK_NAME, uniqueName } from "./imported-task.ts";
import type { JenkinsJobs } from "./jenkins-jobs.ts";
import { convertJenkinsJob, type JenkinsScript } from "./jenkins-script.ts";
import type { ImportNote } from "./original-configuration.ts";

interface LayoutSource {
  layout: Layout;
  image: string;
  /** What the jobs did in Jenkins; undefined: nothing is known of it. */
  jenkins: JenkinsJobs | undefined;
}

/** Jenkins ended no job that did not say so. */
const NO_TIMEOUT = "24h";
/** So many projects tell enough. */
const MAX_NAMED = 3;

/** A draft of a TestTask for each job that the layout lets Zuul send. It takes no builds (`suspend`) before somebody has been over it. */
export function importLayout({ layout, image, jenkins }: LayoutSource): ImportResult {
  const names = new Set<string>();
  const tasks: ImportedTask[] = [];
  const left: ImportNote[] = [];
  for (const job of layout.jobs) {
    if (job.name === NOOP_JOB) continue;
    const task = draftTask(job, { image, jenkins, names });
    const problem = findProblem(task);
    if (problem) left.push(problem);
    else tasks.push(task);
  }
  return { tasks, left, moved: [...layout.faults, ...(jenkins?.notes ?? [])] };
}

function draftTask(
  job: LayoutJob,
  { image, jenkins, names }: Pick<LayoutSource, "image" | "jenkins"> & { names: Set<string> },
): ImportedTask {
  const found = jenkins?.jobs.get(job.name);
  const converted = found && convertJenkinsJob(found);
  const spec: TestTaskSpecAsWritten = {
    jobs: [job.name],
    suspend: true,
    checkout: {},
    ...(converted ? { timeouts: { run: timeoutOf(converted) } } : {}),
    image,
    script: converted?.script ?? NO_SCRIPT,
  };
  const metadata = { name: uniqueName(job.name, names, MAX_TASK_NAME) };
  const messages = [
    `Zuul sends ${job.name} for ${renderUses(job)}`,
    "suspend: remove it when the rest is ready; until then builds wait, or go to whoever else serves the job",
    scriptNote(converted, image),
    ...nodeNote(job),
    ...(converted?.notes ?? []),
    ...(jenkins && !found ? ["the files of Jenkins Job Builder have no job of this name"] : []),
  ];
  const place = `job ${job.name}`;
  return {
    object: { apiVersion: TEST_TASK_API_VERSION, kind: TEST_TASK_KIND, metadata, spec },
    notes: messages.map((message) => ({ place, message })),
  };
}

/** Nobody may take a draft's success for the job's. */
const NO_SCRIPT = `#!/bin/sh
echo "this TestTask is a draft: it has no script yet" >&2
exit 1
`;

function scriptNote(converted: JenkinsScript | undefined, image: string): string {
  if (!converted) return `script and image (${image}): what the job does is for you to write`;
  if (converted.script === undefined)
    return `script: of the job's builders none is a shell script that can be read; image (${image}) must have what it needs`;
  return `image (${image}) must have what the script found on its Jenkins node`;
}

function timeoutOf({ timeoutMinutes }: JenkinsScript): string {
  return timeoutMinutes === undefined ? NO_TIMEOUT : `${timeoutMinutes}m`;
}

function nodeNote({ name, parameterFunction }: LayoutJob): string[] {
  if (parameterFunction === undefined) return [];
  return [
    `its parameter-function ${parameterFunction} may set ZUUL_NODE: then Zuul asks for build:${name}:LABEL, and nodeLabels must name each LABEL`,
  ];
}

function renderUses({ uses }: LayoutJob): string {
  const named = [...uses].slice(0, MAX_NAMED).map(([project, pipelines]) => `${project} (${[...pipelines].join(", ")})`);
  const more = uses.size - named.length;
  return [...named, ...(more > 0 ? [more === 1 ? "1 more project" : `${more} more projects`] : [])].join(", ");
}
