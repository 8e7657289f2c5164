import { parseTestTask } from "../test-task/test-task.ts";
import { type ImportedTask, importJob } from "./imported-task.ts";
import { type ImportNote, type OriginalSettings, parseSettings, readOriginalJobs } from "./original-configuration.ts";
import type { OriginalDataset } from "./original-dataset.ts";

interface ImportSource {
  settings: OriginalSettings;
  image: string;
  /** The datasets below a `datasets_dir`; a text says why there are none. */
  datasetsIn(directory: string): readonly OriginalDataset[] | string;
}

export interface ImportResult {
  tasks: ImportedTask[];
  /** Jobs of which no TestTask was made. */
  left: ImportNote[];
  /** Settings that are not the TestTasks' affair, or nobody's any more. */
  moved: ImportNote[];
}

/** Turns a configuration of the original Turbo Hipster, overlays and all, into valid TestTasks. */
export function importConfiguration({ settings, image, datasetsIn }: ImportSource): ImportResult {
  const { jobs, notes } = readOriginalJobs(settings);
  const zuul = parseSettings(settings.zuul_server) ?? {};
  const gitUrl = [zuul.git_origin, zuul.git_url].find((url) => typeof url === "string");
  const terms = { image, gitUrl: gitUrl?.replace(/\/+$/, ""), names: new Set<string>(), datasetsIn };
  const tasks: ImportedTask[] = [];
  const left = [...notes];
  for (const job of jobs) {
    const imported = importJob(job, terms);
    const problem = "object" in imported ? findProblem(imported) : imported;
    if (problem) left.push(problem);
    else tasks.push(imported as ImportedTask);
  }
  return { tasks, left, moved: movedSettings(settings, zuul) };
}

/** What the original let pass and a TestTask does not. */
export function findProblem({ object, notes }: ImportedTask): ImportNote | undefined {
  const parsed = parseTestTask(object);
  const problem = parsed.ok ? undefined : parsed.problems[0];
  return problem && { place: notes[0]?.place ?? object.metadata.name, message: `the TestTask's ${problem.path} ${problem.message}` };
}

/** Where settings of the original's process went. */
const MOVED: Readonly<Record<string, string>> = {
  publish_logs: "belongs to the operator: logs in its configuration (store: files or s3), docs/logs.md",
  debug_log: "is not needed: the operator logs to its standard output",
  jobs_working_dir: "is not needed: each build has the workspace of its own pod",
  git_working_dir: "is not needed: each build has a checkout of its own; checkout.cache keeps what was fetched",
  pip_download_cache: "is not needed by the operator; what a test should find of pip's goes into its image",
  logs: "is not read: what a service prints is kept beside the test's log, in a file of its own",
};

/** Settings that have been read for the tasks. */
const READ = ["zuul_server", "jobs", "plugins", "conf_d"];

function movedSettings(settings: OriginalSettings, zuul: OriginalSettings): ImportNote[] {
  const { gearman_host: host, gearman_port: port = 4730 } = zuul;
  const server =
    typeof host === "string"
      ? [
          {
            place: "zuul_server.gearman_host",
            message: `belongs to the operator: gearman.servers: ["${host}:${port}"] in its configuration`,
          },
        ]
      : [];
  const others = Object.keys(settings)
    .filter((key) => !READ.includes(key))
    .map((key) => ({ place: key, message: Object.hasOwn(MOVED, key) ? (MOVED[key] as string) : "the original knows no such setting" }));
  return [...server, ...others];
}
