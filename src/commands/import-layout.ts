import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { importLayout } from "../core/import/import-layout.ts";
import { type JenkinsFile, type JenkinsJobs, readJenkinsJobs } from "../core/import/jenkins-jobs.ts";
import { imageSchema } from "../core/test-task/schema/scalar.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { type ImportWorld, NO_IMAGE, printImport } from "./import-report.ts";
import { readLayoutFile } from "./layout-file.ts";
import { readYamlFile } from "./yaml-file.ts";

interface LayoutFlags {
  jjb?: string;
  image: string;
}

const MAX_FILES = 2000;

/**
 * Prints a draft of a TestTask for each job of a layout.yaml, and as errors what is left to do. Resolves with the exit code: 0 each job has its
 * draft, 1 some have none, or not all of the layout can be read. Rejects with an InputError for what cannot be read at all.
 */
export async function importLayoutFile(file: string, { jjb, image }: LayoutFlags, world: ImportWorld): Promise<0 | 1> {
  if (!imageSchema.safeParse(image).success) throw new InputError(`--image ${image}: is no image, such as registry.example.com/ci/nova:1`);
  const layout = await readLayoutFile(file);
  const { jenkins, notes } = jjb === undefined ? { jenkins: undefined, notes: [] } : await readJenkinsDirectory(jjb);
  const result = importLayout({ layout, image, jenkins });
  printImport(file, result, { title: "not read:", notes: [...notes, ...result.moved] }, world);
  return result.left.length === 0 && layout.faults.length === 0 ? 0 : 1;
}

/** `turbo-hipster import layout LAYOUT.yaml`. */
export function importLayoutCommand(): Command {
  return new Command("layout")
    .description("draft a TestTask for each job that a layout.yaml of Zuul's names, without a cluster")
    .argument("<layout-file>", "Zuul's layout.yaml")
    .option("--jjb <directory>", "files of Jenkins Job Builder (.yaml, .yml), below it too: their shell builders become the scripts")
    .option("--image <name>", "image for all TestTasks", NO_IMAGE)
    .addHelpText(
      "after",
      helpNotes(
        "The drafts are printed as YAML, each with suspend: true; above it is said who uses the job and what is left to do, such as a Jenkins job's publishers.\n\nExit codes: 0 each job has a draft, 1 some have not, parts of the layout cannot be read, or unusable arguments",
      ),
    )
    .action(async (file: string, flags: LayoutFlags, { parent }: Command) => {
      for (const option of ["image", "root"]) {
        if (parent?.getOptionValueSource(option) !== "cli") continue;
        const remedy = option === "image" ? "write it behind layout" : "leave it out";
        throw new InputError(`--${option} before layout: is an option of import alone; ${remedy}`);
      }
      process.exitCode = await importLayoutFile(file, flags, {
        print: (text) => process.stdout.write(text),
        printError: (line) => console.error(line),
      });
    });
}

/** A file that cannot be read is told and left out: a job it defines then has no script. */
async function readJenkinsDirectory(directory: string): Promise<{ jenkins: JenkinsJobs; notes: { place: string; message: string }[] }> {
  const files: JenkinsFile[] = [];
  const notes: { place: string; message: string }[] = [];
  for (const file of listFiles(directory)) {
    try {
      files.push({ file, document: await readYamlFile(join(directory, file)) });
    } catch (thrown) {
      if (!(thrown instanceof InputError)) throw thrown;
      notes.push({ place: directory, message: thrown.message });
    }
  }
  return { jenkins: readJenkinsJobs(files), notes };
}

function listFiles(directory: string): string[] {
  const names: string[] = [];
  try {
    for (const name of yamlFilesBelow(directory)) {
      names.push(name);
      if (names.length > MAX_FILES) throw new InputError(`--jjb ${directory}: has more than ${MAX_FILES} files; name a directory below it`);
    }
  } catch (thrown) {
    if (thrown instanceof InputError) throw thrown;
    throw new InputError(`--jjb ${directory}: ${coerceError(thrown).message}`, { cause: thrown });
  }
  if (names.length === 0) throw new InputError(`--jjb ${directory}: has no files .yaml or .yml`);
  return names.sort((left, right) => (left < right ? -1 : 1));
}

/** Links to files are read, those to directories are not followed: they may lead in circles. */
function* yamlFilesBelow(root: string): Generator<string> {
  const directories = [""];
  for (let below = directories.pop(); below !== undefined; below = directories.pop()) {
    for (const entry of readdirSync(join(root, below), { withFileTypes: true, encoding: "utf8" })) {
      const name = join(below, entry.name);
      if (entry.isDirectory()) directories.push(name);
      else if (/\.ya?ml$/.test(name) && (entry.isFile() || entry.isSymbolicLink())) yield name;
    }
  }
}
