import { readFileSync } from "node:fs";
import type { TestTask } from "../core/test-task/test-task.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { readStream } from "./read-stream.ts";
import { readTestTaskDocuments } from "./test-task-documents.ts";

/**
 * The TestTask of a file, or of standard input for `-`, that is called `name`, or the only one. Rejects with an InputError
 * where there is none, or it is invalid.
 */
export async function chooseTask(file: string, name: string | undefined): Promise<TestTask> {
  const place = file === "-" ? "<stdin>" : file;
  const documents = readTestTaskDocuments((await readBytes(file)).toString("utf8"));
  const isWanted = (written: string | undefined) => name === undefined || written === undefined || written.replace(/^.*\//, "") === name;
  const invalid = documents.filter((document) => document.state === "invalid").filter((document) => isWanted(document.name));
  const tasks = documents.flatMap((document) => (document.state === "valid" ? [document.task] : []));
  // A document that cannot be read at all may be the one that is wanted; beside one that can it is none of this command's business.
  if (invalid.length > 0 && !(name !== undefined && tasks.some((task) => task.metadata.name === name))) {
    const problems = invalid.flatMap((document) => document.problems);
    const lines = problems.map(({ line, path, message }) => `  ${place}:${line}: ${path === "" ? "" : `${path}: `}${message}`);
    throw new InputError(`${place} holds an invalid TestTask:\n${lines.join("\n")}`);
  }
  const names = tasks.map((task) => task.metadata.name);
  const [task, ...more] = name === undefined ? tasks : tasks.filter((candidate) => candidate.metadata.name === name);
  if (!task)
    throw new InputError(
      name === undefined ? `${place} holds no TestTask` : `${place} holds no TestTask ${name}, but ${names.join(", ") || "none"}`,
    );
  if (more.length > 0) throw new InputError(`${place} holds several TestTasks; name one with --task: ${names.join(", ")}`);
  return task;
}

/** All of a file, or of standard input for `-`. Rejects with an InputError that says why it can't be read. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return path === "-" ? await readStream(process.stdin) : readFileSync(path);
  } catch (error) {
    const { code, message } = coerceError(error) as NodeJS.ErrnoException;
    throw new InputError(`cannot read ${path} (${code ?? message})`, { cause: error });
  }
}
