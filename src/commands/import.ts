import { Command } from "commander";
import { importConfiguration } from "../core/import/import-configuration.ts";
import { imageSchema } from "../core/test-task/schema/scalar.ts";
import { InputError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { importLayoutCommand } from "./import-layout.ts";
import { type ImportWorld, NO_IMAGE, printImport } from "./import-report.ts";
import { readDatasets, readOriginalSettings } from "./original-files.ts";

interface ImportFlags {
  root: string;
  image: string;
}

/**
 * Prints the TestTasks that a configuration of the original Turbo Hipster becomes, and as errors what is left to do. Returns the exit code: 0
 * each job has its TestTask, 1 some have none. Throws InputError for what cannot be read.
 */
export function importFile(file: string, { root, image }: ImportFlags, world: ImportWorld): 0 | 1 {
  if (!imageSchema.safeParse(image).success) throw new InputError(`--image ${image}: is no image, such as registry.example.com/ci/nova:1`);
  const { settings, notes } = readOriginalSettings(file, root);
  const result = importConfiguration({ settings, image, datasetsIn: (directory) => readDatasets(directory, root) });
  printImport(file, result, { title: "settings:", notes: [...notes, ...result.moved] }, world);
  return result.left.length === 0 ? 0 : 1;
}

export function importCommand(): Command {
  const command = new Command("import")
    .description("turn the config.yaml of the original Turbo Hipster, or a layout.yaml, into TestTasks, without a cluster")
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
  // What stands behind `layout` is its own.
  return command.enablePositionalOptions().addCommand(importLayoutCommand());
}
