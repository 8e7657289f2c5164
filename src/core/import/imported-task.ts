import { TEST_TASK_API_VERSION, TEST_TASK_KIND, type TestTaskSpecAsWritten } from "../test-task/test-task.ts";
import { parseFunctionName } from "../zuul/function-name.ts";
import { databaseChecks, findDifferences } from "./database-checks.ts";
import { DATASET_PATH, MIGRATIONS_SCRIPT, renderShellScript } from "./imported-script.ts";
import type { ImportNote, OriginalJob } from "./original-configuration.ts";
import type { OriginalDataset } from "./original-dataset.ts";

/** A TestTask made of a job, as it is to be written. `notes`: what has to be done before it can run, and what is lost. */
export interface ImportedTask {
  object: { apiVersion: string; kind: string; metadata: { name: string }; spec: TestTaskSpecAsWritten };
  notes: ImportNote[];
}

/** What all tasks have in common. */
export interface ImportTerms {
  /** What stands for the host that the original ran on. */
  image: string;
  gitUrl: string | undefined;
  /** Names that are given away already; a new one is added. */
  names: Set<string>;
  /** The datasets below a `datasets_dir`; a text says why there are none. */
  datasetsIn(directory: string): readonly OriginalDataset[] | string;
}

/** The original ran a script as long as it took. */
const TIMEOUTS = { run: "24h" };

/** The TestTask of a job, or only why there is none, and what to do instead. */
export function importJob(job: OriginalJob, terms: ImportTerms): ImportedTask | ImportNote {
  const served = parseFunctionName(job.functionName);
  if (served === undefined) return note(job, "is no function of Zuul's (build:JOB); whatever asks for it has to speak as Zuul does");
  if (served.nodeLabel !== undefined) {
    const message = `is for a node label; write a TestTask with jobs: [${served.jobName}] and nodeLabels: [{name: ${served.nodeLabel}}]`;
    return note(job, message);
  }
  switch (job.plugin) {
    case "shell_script":
      return importShellScript(job, served.jobName, terms);
    case "real_db_upgrade":
      return importDatabaseUpgrade(job, served.jobName, terms);
    case "jjb_runner":
      return note(
        job,
        "jjb_runner ran the shell builders of a job of Jenkins Job Builder, which nothing here reads; put what they do into a script in the repository, and write a TestTask whose script runs it",
      );
    default:
      return note(job, `the plugin ${job.plugin} is none of the original's own; write a TestTask for it: docs/testtask.md`);
  }
}

function importShellScript(job: OriginalJob, jobName: string, terms: ImportTerms): ImportedTask | ImportNote {
  const { shell_script: command } = job.settings;
  if (typeof command !== "string" || command.trim() === "") return note(job, "has no shell_script, so that there is nothing to run");
  const notes = [note(job, `the image ${terms.image} must have what the script runs on the original's host: ${command.trim()}`)];
  return { object: makeObject(jobName, terms, { script: renderShellScript(command) }), notes: [...notes, ...lostSettings(job)] };
}

function importDatabaseUpgrade(job: OriginalJob, jobName: string, terms: ImportTerms): ImportedTask | ImportNote {
  const { datasets_dir: directory } = job.settings;
  if (typeof directory !== "string" || directory === "") return note(job, "real_db_upgrade without datasets_dir, so that there is no data");
  const found = terms.datasetsIn(directory);
  if (typeof found === "string") return note(job, `${directory}: ${found}`);
  const names = new Set<string>();
  // Its script loads what it reads there into a database of its own.
  const datasets = found.map(({ name: directoryName, config }) => {
    const claimName = uniqueName(directoryName, names, MAX_DATASET_NAME);
    // People know it by the directory's name, which may have what a claim's may not.
    const name =
      /^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$/.test(directoryName) && directoryName.length <= MAX_DATASET_NAME ? directoryName : claimName;
    return { name, projects: [config.project], path: DATASET_PATH, persistentVolumeClaim: { claimName, readOnly: true } };
  });
  const scripts = [...new Set(found.map(({ config }) => `${config.project.split("/").at(-1)}_${config.type}_migrations.sh`))];
  const notes = [
    note(job, `the claim of each dataset (${[...names].join(", ")}) must hold the files of its directory below ${directory}`),
    note(
      job,
      `the image ${terms.image} must have python3 and ${scripts.join(", ")} without sudo, ip netns and service; the MySQL server of the original's host becomes a service beside the test: deploy/examples/db-migrations shows both`,
    ),
    note(job, "'Final schema version' is compared with the newest migration by no check; end the script with an error where they differ"),
    ...differences(job, found),
    ...lostSettings(job),
  ];
  return { object: makeObject(jobName, terms, { script: MIGRATIONS_SCRIPT, datasets, checks: databaseChecks(found) }), notes };
}

function differences(job: OriginalJob, datasets: readonly OriginalDataset[]): ImportNote[] {
  const differing = findDifferences(datasets);
  const several = datasets.length > 1 ? [note(job, "of several datasets the original ran the first one alone; here each is run")] : [];
  if (differing.length === 0) return several;
  return [...several, note(job, `the datasets differ in ${differing.join(", ")}; of each limit the largest holds for all`)];
}

function lostSettings(job: OriginalJob): ImportNote[] {
  const isDirty = job.settings["shutdown-th"] === true;
  return isDirty ? [note(job, "shutdown-th is not needed: no build finds anything of the one before, each has a pod of its own")] : [];
}

function makeObject(jobName: string, { image, gitUrl, names }: ImportTerms, spec: TestTaskSpecAsWritten): ImportedTask["object"] {
  return {
    apiVersion: TEST_TASK_API_VERSION,
    kind: TEST_TASK_KIND,
    metadata: { name: uniqueName(jobName, names, MAX_TASK_NAME) },
    spec: { jobs: [jobName], checkout: gitUrl === undefined ? {} : { gitUrl }, timeouts: TIMEOUTS, image, ...spec },
  };
}

/** Of a TestTask. */
export const MAX_TASK_NAME = 40;
const MAX_DATASET_NAME = 50;

/** A name as Kubernetes takes it, that none of `taken` has; it is added to them. */
export function uniqueName(text: string, taken: Set<string>, maxLength: number): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const fit = (suffix: string) => `${plain.slice(0, maxLength - suffix.length).replace(/^-|-$/g, "") || "job"}${suffix}`;
  let name = fit("");
  for (let number = 2; taken.has(name); number++) name = fit(`-${number}`);
  taken.add(name);
  return name;
}

function note({ place, functionName }: OriginalJob, message: string): ImportNote {
  return { place: `${place} (${functionName})`, message };
}
