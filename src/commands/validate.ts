import { createReadStream } from "node:fs";
import { Command } from "commander";
import { sharedNameWarnings } from "../core/test-task/shared-names.ts";
import { coerceError } from "../runtime/errors.ts";
import { filenameOption } from "./filename-option.ts";
import { helpNotes } from "./help-notes.ts";
import { printable } from "./printable.ts";
import { readStream } from "./read-stream.ts";
import { type Paint, paintFor, type Tone } from "./terminal-colour.ts";
import { type LocatedProblem, readTestTaskDocuments, type TestTaskDocument } from "./test-task-documents.ts";

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
  paint: Paint;
}

type ValidDocument = Extract<TestTaskDocument, { state: "valid" }>;

interface FileReport {
  file: string;
  documents: TestTaskDocument[];
}

/**
 * Checks TestTask files without a cluster, by the schema that the CRD is made from. Returns the exit code: 0 everything is valid (other
 * kinds and warnings do not count), 1 something is not, or a file holds no TestTask, 2 the arguments are unusable (no file, a file that
 * cannot be read).
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
  const judged = withSharedNames(reports);
  for (const line of json ? [renderJson(judged)] : renderLines(judged, world.paint)) world.print(line);
  if (isUnreadable) return 2;
  return reports.some((report) => holdsNone(report) || report.documents.some(({ state }) => state === "invalid")) ? 1 : 0;
}

/** A file that was meant to hold some, by whoever named it: another one was, or an editor has emptied it. */
function holdsNone({ documents }: FileReport): boolean {
  return documents.every(({ state }) => state === "skipped");
}

/** Files that are named together are applied together. */
function withSharedNames(reports: readonly FileReport[]): FileReport[] {
  const valid = reports.flatMap(({ file, documents }) => documents.flatMap((document) => (isValid(document) ? [{ file, document }] : [])));
  const found = sharedNameWarnings(valid.map(({ file, document }) => ({ task: document.task, place: `${file}:${document.line}` })));
  const shared = new Map(valid.map(({ document }, index) => [document as TestTaskDocument, found[index] ?? []]));
  return reports.map(({ file, documents }) => ({
    file,
    documents: documents.map((document) => {
      const { line } = document;
      const more = (shared.get(document) ?? []).map(({ path, message }) => ({ path, message, line, column: 1 }));
      return isValid(document) ? { ...document, warnings: [...document.warnings, ...more] } : document;
    }),
  }));
}

function isValid(document: TestTaskDocument): document is ValidDocument {
  return document.state === "valid";
}

export function validateCommand(): Command {
  return new Command("validate")
    .description("check TestTask files, without a cluster")
    .argument("[file...]", "YAML or JSON files with any number of documents; - is standard input")
    .option("--json", "print one JSON object instead of lines", false)
    .addOption(filenameOption("validate"))
    .addHelpText(
      "after",
      helpNotes(
        "Warnings are about what is valid and probably not meant, such as two TestTasks with one job. NO_COLOR=1 turns colours off.\n\nExit codes: 0 all valid, perhaps with warnings, 1 problems found, or no TestTask in a file, 2 unusable arguments (no file, or one that cannot be read)",
      ),
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action(async (files: string[], flags: { json: boolean }) => {
      process.exitCode = await validateFiles(
        { files, json: flags.json },
        {
          stdin: process.stdin,
          print: (line) => console.log(line),
          printError: (line) => console.error(line),
          paint: paintFor(process.stdout),
        },
      );
    });
}

async function readText(source: AsyncIterable<Buffer | string>): Promise<string> {
  return new TextDecoder("utf-8", { fatal: true }).decode(await readStream(source));
}

function readErrorMessage(thrown: unknown): string {
  const error = coerceError(thrown) as NodeJS.ErrnoException;
  if (error.code === "ENOENT") return "no such file";
  if (error.code === "EISDIR") return "is a directory; name its files";
  if (error.code === "EACCES") return "may not be read by this user";
  if (error.code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "is not UTF-8 text";
  return error.message;
}

function renderLines(reports: readonly FileReport[], paint: Paint): string[] {
  const lines = reports.flatMap((report) => [
    ...report.documents.flatMap((document) => renderDocument(report.file, document)),
    ...(holdsNone(report) ? [{ tone: "bad", line: `${report.file}: holds no TestTask` } as const] : []),
  ]);
  const { valid, invalid, skipped } = countStates(reports);
  const warnings = countWarnings(reports);
  const counts = [
    `${valid} valid, ${invalid} invalid`,
    ...(skipped === 0 ? [] : [`${skipped} of other kinds skipped`]),
    ...(warnings === 0 ? [] : [warnings === 1 ? "1 warning" : `${warnings} warnings`]),
  ];
  return [...lines.map(({ tone, line }) => paint(tone, printable(line))), counts.join(", ")];
}

function renderDocument(file: string, document: TestTaskDocument): { tone: Tone; line: string }[] {
  const what = [document.kind, document.name].filter((word) => word !== undefined).join(" ");
  const place = `${file}:${document.line}`;
  if (document.state === "skipped") return [{ tone: "aside", line: `${place}: ${what} skipped: not a TestTask` }];
  if (document.state === "invalid") {
    return document.problems.map(({ line, column, path, message }) => ({
      tone: "bad",
      line: path === "" ? `${file}:${line}:${column}: ${message}` : `${file}:${line}: ${path}: ${message}`,
    }));
  }
  return [
    { tone: "good", line: `${place}: ${what} is valid` },
    ...document.warnings.map(({ line, path, message }) => ({
      tone: "doubtful" as const,
      line: `${file}:${line}: warning: ${path}: ${message}`,
    })),
  ];
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
