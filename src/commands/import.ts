import { Command } from "commander";
import { stringify } from "yaml";
import { type ImportResult, importConfiguration } from "../core/import/import-configuration.ts";
import type { ImportNote } from "../core/import/original-configuration.ts";
import { imageSchema } from "../core/test-task/schema/scalar.ts";
import { InputError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { readDatasets, readOriginalSettings } from "./original-files.ts";
import { printable } from "./printable.ts";

/** Names nothing that could be pulled by mistake (RFC 2606). */
const NO_IMAGE = "registry.example/replace-me:1";

interface ImportFlags {
  root: string;
  image: string;
}

/** The process's own unless a test says otherwise. */
interface ImportWorld {
  print(text: string): void;
  printError(line: string): void;
}

/**
 * Prints the TestTasks that a configuration of the original Turbo Hipster becomes, and as errors what is left to do. Returns the exit code: 0
 * each job has its TestTask, 1 some have none. Throws InputError for what cannot be read.
 */
export function importFile(file: string, { root, image }: ImportFlags, world: ImportWorld): 0 | 1 {
  if (!imageSchema.safeParse(image).success) throw new InputError(`--image ${image}: is no image, such as registry.example.com/ci/nova:1`);
  const { settings, notes } = readOriginalSettings(file, root);
  const result = importConfiguration({ settings, image, datasetsIn: (directory) => readDatasets(directory, root) });
  world.print(renderTasks(result));
  for (const line of renderReport(file, result, notes)) world.printError(printable(line));
  return result.left.length === 0 ? 0 : 1;
}

export function importCommand(): Command {
  return new Command("import")
    .description("turn the config.yaml of the original Turbo Hipster into TestTasks, without a cluster")
    .argument("<config>", "its configuration; conf_d and the datasets' config.json are read too")
    .option("--root <directory>", "the files of the original's host are below this directory, as in a copy of it", "/")
    .option("--image <name>", "image that stands for the original's host, for all TestTasks", NO_IMAGE)
    .addHelpText(
      "after",
      helpNotes(
        "The TestTasks are printed as YAML; what has no counterpart, and what is left to do, is told beside it.\n\nExit codes: 0 each job has become a TestTask, 1 some have not, or unusable arguments (a file that cannot be read, for one)",
      ),
    )
    .action((file: string, flags: ImportFlags) => {
      process.exitCode = importFile(file, flags, {
        print: (text) => process.stdout.write(text),
        printError: (line) => console.error(line),
      });
    });
}

function renderTasks({ tasks }: ImportResult): string {
  const documents = tasks.map(({ object, notes }) => {
    const comments = notes.map(({ message }) => `# ${printable(message)}\n`).join("");
    // As YAML 1.1, which kubectl reads: `yes` is a text only within quotes.
    return comments + stringify(object, { version: "1.1", schema: "yaml-1.1", lineWidth: 0, aliasDuplicateObjects: false });
  });
  return documents.join("---\n");
}

function renderReport(file: string, { tasks, left, moved }: ImportResult, notes: readonly ImportNote[]): string[] {
  const line = ({ place, message }: ImportNote) => `  ${place}: ${message}`;
  const part = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    `${file}: ${tasks.length === 1 ? "1 TestTask" : `${tasks.length} TestTasks`} (what each still needs is said above it), ${left.length} without a counterpart`,
    ...part("without a counterpart:", left.map(line)),
    ...part("settings:", [...notes, ...moved].map(line)),
  ];
}
