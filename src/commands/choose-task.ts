import { readFileSync, readSync } from "node:fs";
import type { TestTask } from "../core/test-task/test-task.ts";
import { InputError } from "../runtime/errors.ts";
import { readTestTaskDocuments } from "./test-task-documents.ts";

/** The TestTask of a file, or of standard input for `-`, that is called `name`, or the only one. Throws an InputError where there is none, or it is invalid. */
export function chooseTask(file: string, name: string | undefined): TestTask {
  const place = file === "-" ? "<stdin>" : file;
  const documents = readTestTaskDocuments(readBytes(file).toString("utf8"));
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

/** All of a file, or of standard input for `-`. Throws an InputError that says why it can't be read. */
export function readBytes(path: string): Buffer {
  try {
    return path === "-" ? readStandardInput() : readFileSync(path);
  } catch (error) {
    throw new InputError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
}

/** To its end. Whoever loads node:process makes a pipe one that does not wait for what is still to be written (EAGAIN): it is waited for here. */
function readStandardInput(): Buffer {
  const chunks: Buffer[] = [];
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    try {
      const length = readSync(0, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 20);
    }
  }
}
