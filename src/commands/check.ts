import { open, readFile, stat } from "node:fs/promises";
import { join, normalize } from "node:path";
import { Command } from "commander";
import type { JunitRecord } from "../core/artifacts/artifacts-record.ts";
import type { CheckResult } from "../core/checks/check-result.ts";
import { judgeChecks } from "../core/checks/checks-verdict.ts";
import { LineTimes } from "../core/checks/line-times.ts";
import { LogChecks } from "../core/checks/log-checks.ts";
import type { ReadArtifact, ReadValues } from "../core/checks/values-check.ts";
import type { Check } from "../core/test-task/schema/check.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { chooseTask } from "./choose-task.ts";
import { printable } from "./printable.ts";
import { TimedLog } from "./timed-log.ts";

/** As large as the operator reads one. */
const MAX_ARTIFACT_BYTES = 16 * 2 ** 20;
const READ_BYTES = 256 * 1024;

interface Flags {
  log: string;
  artifacts?: string;
  task?: string;
  json: boolean;
}

interface CheckWorld {
  stdin: AsyncIterable<Buffer>;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster check TASK-FILE --log FILE`: what a task's checks find in a log at hand. */
export function checkCommand(): Command {
  return new Command("check")
    .description("run a TestTask's checks on a log at hand, without a cluster")
    .argument("<task-file>", "file with the TestTask")
    .requiredOption("--log <file>", "the log; - is standard input. With the timestamps of kubectl logs --timestamps, or without")
    .option("--artifacts <directory>", "where the artifacts lie that checks of values read")
    .option("--task <name>", "which TestTask of the file (default: the only one)")
    .option("--json", "print one JSON object instead of lines", false)
    .addHelpText("after", HELP)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action(async (file: string, flags: Flags) => {
      process.exitCode = await performCheck(file, flags, {
        stdin: process.stdin,
        print: (line) => console.log(line),
        printError: (line) => console.error(line),
      });
    });
}

const HELP = `
Says of each check what it found, line by line: ! what makes it fail. Steps with limits need the times of lines, so a log with
timestamps: kubectl logs --timestamps POD > build.log

Exit codes: 0 all checks passed, 1 one failed, 2 none can be made of it (unusable arguments, a wrong pattern, a log without the times that
a check needs)`;

/** Does the command's work and returns its exit code. */
export async function performCheck(file: string, flags: Flags, world: CheckWorld): Promise<0 | 1 | 2> {
  const { print, printError } = world;
  try {
    const checks = readChecks(file, flags.task);
    const { checked, isTimed } = await goThrough(checks, flags, world);
    const { result, class: verdictClass, message } = judgeChecks(PASSED, checked);
    const results = checked.map(({ result: each }) => each);
    if (flags.json) print(JSON.stringify({ result, class: verdictClass, message, checks: results }));
    else for (const line of renderResults(results, result ?? `no result: ${message}`)) print(printable(line));
    const untimed = results.some(({ kind, outcome }) => kind === "steps" && outcome === "unknown");
    if (untimed && !isTimed) printError(`check: ${flags.log} has no timestamps, so that nobody knows how long steps took; ${HOW_TIMED}`);
    return verdictClass === "success" ? 0 : verdictClass === "failure" ? 1 : 2;
  } catch (thrown) {
    const error = coerceError(thrown);
    if (!(error instanceof InputError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    printError(`check: ${error.message}`);
    return 2;
  }
}

const HOW_TIMED = "write it with kubectl logs --timestamps";

/** What a test with exit code 0 has before its checks. */
const PASSED = { result: "SUCCESS", class: "success", rule: "exit-0", message: "" } as const;

function readChecks(file: string, name: string | undefined): Check[] {
  const { metadata, spec } = chooseTask(file, name);
  if (spec.checks === undefined || spec.checks.length === 0) throw new InputError(`${file}: TestTask ${metadata.name} has no checks`);
  return spec.checks;
}

async function goThrough(checks: Check[], { log, artifacts }: Flags, { stdin }: CheckWorld) {
  const times = new LineTimes();
  const run = new LogChecks(checks, { times });
  const timed = new TimedLog(times);
  const stream = log === "-" ? stdin : readFileAgain(log);
  for await (const chunk of stream) for (const part of timed.write(chunk)) run.write(part);
  for (const part of timed.end()) run.write(part);
  return { checked: run.end(await readValues(checks, artifacts)), isTimed: timed.isTimed === true };
}

/** Each piece is in the memory of the one before. */
async function* readFileAgain(path: string): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    const memory = Buffer.alloc(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(memory, 0, memory.length, null);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function readValues(checks: readonly Check[], directory: string | undefined): Promise<ReadValues> {
  const read = new Map<string, ReadArtifact>();
  for (const { values } of checks) {
    if (values?.artifact !== undefined) read.set(values.artifact, await readArtifact(values.artifact, directory));
  }
  return { artifacts: read, junit: await readJunit(directory) };
}

async function readArtifact(name: string, directory: string | undefined): Promise<ReadArtifact> {
  if (directory === undefined) return { kind: "unread", why: "say with --artifacts where the artifacts lie" };
  const path = normalize(join("/", name));
  try {
    const { size } = await stat(join(directory, path));
    if (size > MAX_ARTIFACT_BYTES) return { kind: "unread", why: `it is larger than ${MAX_ARTIFACT_BYTES / 2 ** 20} MiB` };
    return { kind: "text", text: await readFile(join(directory, path), "utf8") };
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return { kind: "missing" };
    throw thrown;
  }
}

/** What the operator has written of a stored build's artifacts, where the directory is one of those. */
async function readJunit(directory: string | undefined): Promise<JunitRecord | undefined> {
  if (directory === undefined) return undefined;
  const { artifactsRecordSchema } = await import("../core/artifacts/artifacts-record.ts");
  const text = await readFile(join(directory, "..", "artifacts.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : artifactsRecordSchema.safeParse(JSON.parse(text)).data?.junit;
}

const MARKS: Record<CheckResult["outcome"], string> = { passed: "ok", failed: "FAILED", fault: "WRONG", unknown: "UNKNOWN" };

function renderResults(results: readonly CheckResult[], result: string): string[] {
  const lines = results.flatMap(({ name, outcome, message, findings, more }) => [
    `${MARKS[outcome]} ${name}: ${message}`,
    ...findings.map(({ line, text, isBad }) => `  ${isBad ? "!" : " "} ${line === undefined ? "" : `${line}: `}${text}`),
    ...(more === 0 ? [] : [`    and ${more} more`]),
  ]);
  return [...lines, `Result: ${result}`];
}
