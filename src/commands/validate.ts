import { createReadStream } from "node:fs";
import { Command } from "commander";
import { coerceError } from "../runtime/errors.ts";
import { printable } from "./printable.ts";
import { type LocatedProblem, readTestTaskDocuments, type TestTaskDocument } from "./test-task-documents.ts";

/** Far beyond any list of TestTasks; an object of the API has at most 1.5 MiB. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const STDIN_NAME = "<stdin>";

interface ValidateOptions {
  /** Paths; `-` is standard input. */
  files: readonly string[];
  json: boolean;
}

/** The world that the command works in; the process's own unless a test says otherwise. */
interface ValidateWorld {
  stdin: AsyncIterable<Buffer | string>;
  print(line: string): void;
  printError(line: string): void;
}

interface FileReport {
  file: string;
  documents: TestTaskDocument[];
}

/**
 * Checks TestTask files without a cluster, by the schema that the CRD is made from. Returns the exit code: 0 everything is valid (other
 * kinds and warnings do not count), 1 something is not, 2 the arguments are unusable (no file, a file that cannot be read).
 */
export async function validateFiles({ files, json }: ValidateOptions, world: ValidateWorld): Promise<0 | 1 | 2> {
  if (files.length === 0) {
    world.printError("name at least one file, or - for standard input");
    return 2;
  }
  const reports: FileReport[] = [];
  let isUnreadable = false;
  for (const path of files) {
    const file = path === "-" ? STDIN_NAME : path;
    try {
      reports.push({ file, documents: readTestTaskDocuments(await readText(path === "-" ? world.stdin : createReadStream(path))) });
    } catch (thrown) {
      isUnreadable = true;
      world.printError(`${printable(file)}: ${readErrorMessage(thrown)}`);
    }
  }
  if (reports.length === 0) return 2;
  for (const line of json ? [renderJson(reports)] : renderLines(reports)) world.print(line);
  if (isUnreadable) return 2;
  return reports.some(({ documents }) => documents.some(({ state }) => state === "invalid")) ? 1 : 0;
}

export function validateCommand(): Command {
  return new Command("validate")
    .description("check TestTask files, without a cluster")
    .argument("[file...]", "YAML or JSON files with any number of documents; - is standard input")
    .option("--json", "print one JSON object instead of lines", false)
    .addHelpText(
      "after",
      "\nWarnings are about what is valid and probably not meant.\nExit codes: 0 all valid, perhaps with warnings, 1 problems found, 2 unusable arguments (no file, or one that cannot be read)",
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action(async (files: string[], flags: { json: boolean }) => {
      process.exitCode = await validateFiles(
        { files, json: flags.json },
        { stdin: process.stdin, print: (line) => console.log(line), printError: (line) => console.error(line) },
      );
    });
}

async function readText(source: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk);
    byteCount += bytes.length;
    if (byteCount > MAX_FILE_BYTES) throw new Error(`is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB; divide it`);
    chunks.push(bytes);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}

function readErrorMessage(thrown: unknown): string {
  const error = coerceError(thrown) as NodeJS.ErrnoException;
  if (error.code === "ENOENT") return "no such file";
  if (error.code === "EISDIR") return "is a directory; name its files";
  if (error.code === "EACCES") return "may not be read by this user";
  if (error.code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "is not UTF-8 text";
  return error.message;
}

function renderLines(reports: readonly FileReport[]): string[] {
  const lines = reports.flatMap(({ file, documents }) => documents.flatMap((document) => renderDocument(file, document)));
  const { valid, invalid, skipped } = countStates(reports);
  const warnings = countWarnings(reports);
  const counts = [
    `${valid} valid, ${invalid} invalid`,
    ...(skipped === 0 ? [] : [`${skipped} of other kinds skipped`]),
    ...(warnings === 0 ? [] : [warnings === 1 ? "1 warning" : `${warnings} warnings`]),
  ];
  return [...lines, counts.join(", ")].map(printable);
}

function renderDocument(file: string, document: TestTaskDocument): string[] {
  const what = [document.kind, document.name].filter((word) => word !== undefined).join(" ");
  const place = `${file}:${document.line}`;
  if (document.state === "valid") {
    return [
      `${place}: ${what} is valid`,
      ...document.warnings.map(({ line, path, message }) => `${file}:${line}: warning: ${path}: ${message}`),
    ];
  }
  if (document.state === "skipped") return [`${place}: ${what} skipped: not a TestTask`];
  return document.problems.map(({ line, column, path, message }) =>
    path === "" ? `${file}:${line}:${column}: ${message}` : `${file}:${line}: ${path}: ${message}`,
  );
}

function renderJson(reports: readonly FileReport[]): string {
  const files = reports.map(({ file, documents }) => ({
    file,
    documents: documents.map((document) => ({
      line: document.line,
      kind: document.kind ?? null,
      name: document.name ?? null,
      state: document.state,
      problems: document.state === "invalid" ? document.problems : [],
      warnings: warningsOf(document),
    })),
  }));
  return JSON.stringify({ ...countStates(reports), warnings: countWarnings(reports), files });
}

function warningsOf(document: TestTaskDocument): readonly LocatedProblem[] {
  return document.state === "valid" ? document.warnings : [];
}

function countWarnings(reports: readonly FileReport[]): number {
  return reports.flatMap(({ documents }) => documents.flatMap(warningsOf)).length;
}

function countStates(reports: readonly FileReport[]): Record<TestTaskDocument["state"], number> {
  const counts = { valid: 0, invalid: 0, skipped: 0 };
  for (const { documents } of reports) for (const { state } of documents) counts[state]++;
  return counts;
}
