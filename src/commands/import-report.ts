import { stringify } from "yaml";
import type { ImportResult } from "../core/import/import-configuration.ts";
import type { ImportNote } from "../core/import/original-configuration.ts";
import { printable } from "./printable.ts";

/** Names nothing that could be pulled by mistake (RFC 2606). */
export const NO_IMAGE = "registry.example/replace-me:1";

/** The process's own unless a test says otherwise. */
export interface ImportWorld {
  print(text: string): void;
  printError(line: string): void;
}

/** Prints the TestTasks of an import as YAML, what each still needs above it, and as errors the rest, of which `others` is one part. */
export function printImport(
  file: string,
  result: ImportResult,
  others: { title: string; notes: readonly ImportNote[] },
  world: ImportWorld,
) {
  world.print(renderTasks(result));
  for (const line of renderReport(file, result, others)) world.printError(printable(line));
}

function renderTasks({ tasks }: ImportResult): string {
  const documents = tasks.map(({ object, notes }) => {
    const comments = notes.map(({ message }) => `# ${printable(message)}\n`).join("");
    // As YAML 1.1, which kubectl reads: `yes` is a text only within quotes.
    return comments + stringify(object, { version: "1.1", schema: "yaml-1.1", lineWidth: 0, aliasDuplicateObjects: false });
  });
  return documents.join("---\n");
}

function renderReport(file: string, { tasks, left }: ImportResult, others: { title: string; notes: readonly ImportNote[] }): string[] {
  const line = ({ place, message }: ImportNote) => `  ${place}: ${message}`;
  const part = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    `${file}: ${tasks.length === 1 ? "1 TestTask" : `${tasks.length} TestTasks`} (what each still needs is said above it), ${left.length} without a counterpart`,
    ...part("without a counterpart:", left.map(line)),
    ...part(others.title, others.notes.map(line)),
  ];
}
