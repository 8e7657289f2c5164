import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { coerceError, InputError } from "../../src/runtime/errors.ts";

interface ExampleTasks {
  files: string[];
  /** All of them as one text, for kubectl. */
  yaml: string;
}

/** What the examples write for this program's image. */
const EXAMPLE_IMAGE = /image: turbo-hipster:dev$/gm;

/** Reads the TestTasks of a directory (files named values* are the chart's), with `image` for this program's. Throws InputError. */
export function readExampleTasks(directory: string, image: string): ExampleTasks {
  let files: string[];
  try {
    files = readdirSync(directory).filter((file) => file.endsWith(".yaml") && !file.startsWith("values"));
  } catch (error) {
    throw new InputError(`cannot read the examples: ${coerceError(error).message}`, { cause: error });
  }
  if (files.length === 0) throw new InputError(`no TestTasks (*.yaml) in ${directory}`);
  const texts = files.map((file) => readFileSync(join(directory, file), "utf8").replace(EXAMPLE_IMAGE, `image: ${image}`));
  return { files, yaml: texts.join("\n---\n") };
}
