import { closeSync, openSync, readSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join, normalize } from "node:path";
import { Command } from "commander";
import { artifactsRecordSchema, type JunitRecord } from "../core/artifacts/artifacts-record.ts";
import type { CheckResult } from "../core/checks/check-result.ts";
import { judgeChecks } from "../core/checks/checks-verdict.ts";
import { LineTimes } from "../core/checks/line-times.ts";
import { LogChecks } from "../core/checks/log-checks.ts";
import type { ReadArtifact, ReadValues } from "../core/checks/values-check.ts";
import { ARTIFACTS_FILE } from "../core/logs/log-files.ts";
import type { BuildReport } from "../core/report/build-report.ts";
import type { Check } from "../core/test-task/schema/check.ts";
import { coerceError, InputError, TurboHipsterError } from "../runtime/errors.ts";
import { chooseTask } from "./choose-task.ts";
import { helpNotes } from "./help-notes.ts";
import { printable } from "./printable.ts";
import { type Paint, PLAIN, paintFor, type Tone } from "./terminal-colour.ts";
import { TimedLog } from "./timed-log.ts";

/** As large as the operator reads one. */
const MAX_ARTIFACT_BYTES = 16 * 2 ** 20;
const READ_BYTES = 256 * 1024;

interface Flags {
  log: string;
  artifacts?: string;
  task?: string;
  store?: string;
  config?: string;
  branch?: string;
  dataset?: string;
  json: boolean;
}

interface CheckWorld {
  stdin: AsyncIterable<Buffer>;
  /** Default: no colours. */
  paint?: Paint;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster check TASK-FILE --log FILE`: what a task's checks find in a log at hand. */
export function checkCommand(): Command {
  return new Command("check")
    .description("run a TestTask's checks on a log at hand, without a cluster")
    .argument("<task-file>", "file with the TestTask; - is standard input")
    .requiredOption("--log <file>", "the log; - is standard input. With the timestamps of kubectl logs --timestamps, or without")
    .option("--artifacts <directory>", "where the artifacts and junit files lie that checks of values read")
    .option("--store <directory>", "the log store with the builds that a baseline is made of, where it is a directory")
    .option("--config <file>", "the log store is that of this configuration of the operator")
    .option("--branch <name>", "which builds a baseline without a branch is made of (default: those of any)")
    .option("--dataset <name>", "only builds on this dataset (default: on any)")
    .option("--task <name>", "which TestTask of the file (default: the only one)")
    .option("--json", "print one JSON object instead of lines", false)
    .addHelpText("after", helpNotes(HELP))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action(async (file: string, flags: Flags) => {
      process.exitCode = await performCheck(file, flags, {
        stdin: process.stdin,
        paint: paintFor(process.stdout),
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
  const { print, printError, paint = PLAIN } = world;
  const paintLine = (tone: Tone | undefined, line: string) => (tone === undefined ? line : paint(tone, line));
  try {
    if (file === "-" && flags.log === "-") throw new InputError("the TestTask and its log can't both come from standard input");
    const task = await readTask(file, flags.task);
    const { checked, isTimed } = await goThrough(task, flags, world);
    const { result, class: verdictClass, message } = judgeChecks(PASSED, checked);
    const results = checked.map(({ result: each }) => each);
    if (flags.json) print(JSON.stringify({ result, class: verdictClass, message, checks: results }));
    else for (const { tone, line } of renderResults(results, result ?? `no result: ${message}`)) print(paintLine(tone, printable(line)));
    const untimed = results.some(({ kind, outcome }) => kind === "steps" && outcome === "unknown");
    if (untimed && !isTimed) printError(`check: ${flags.log} has no timestamps, so that nobody knows how long steps took; ${HOW_TIMED}`);
    return verdictClass === "success" ? 0 : verdictClass === "failure" ? 1 : 2;
  } catch (thrown) {
    const error = coerceError(thrown);
    if (!(error instanceof TurboHipsterError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    printError(`check: ${error.message}`);
    return 2;
  }
}

const HOW_TIMED = "write it with kubectl logs --timestamps";

/** What a test with exit code 0 has before its checks. */
const PASSED = { result: "SUCCESS", class: "success", rule: "exit-0", message: "" } as const;

interface CheckedTask {
  readonly name: string;
  readonly checks: readonly Check[];
  /** Which of its artifacts are junit files. */
  readonly junit: readonly string[];
}

async function readTask(file: string, name: string | undefined): Promise<CheckedTask> {
  const { metadata, spec } = await chooseTask(file, name);
  if (spec.checks === undefined || spec.checks.length === 0) throw new InputError(`${file}: TestTask ${metadata.name} has no checks`);
  return { name: metadata.name, checks: spec.checks, junit: spec.artifacts?.junit ?? [] };
}

async function goThrough(task: CheckedTask, flags: Flags, { stdin }: CheckWorld) {
  const { log, artifacts } = flags;
  const times = new LineTimes();
  const run = new LogChecks(task.checks, { times, kept: await readKept(task, flags) });
  const timed = new TimedLog(times);
  const stream = log === "-" ? stdin : readPieces(log);
  for await (const chunk of stream) for (const part of timed.write(chunk)) run.write(part);
  for (const part of timed.end()) run.write(part);
  return { checked: run.end(await readValues(task, artifacts)), isTimed: timed.isTimed === true };
}

/** What baselines are made of; undefined where nothing says where builds are kept. */
async function readKept({ name: task, checks }: CheckedTask, flags: Flags) {
  const { dataset, branch } = flags;
  if (flags.store === undefined && flags.config === undefined) return undefined;
  // Slow to load, and most logs are looked at without.
  const [{ openLogStore }, { KeptBuilds }, { StoredBuilds }] = await Promise.all([
    import("./open-log-store.ts"),
    import("../logs/checking/kept-builds.ts"),
    import("../logs/stores/stored-builds.ts"),
  ]);
  const opened = await openLogStore(flags);
  try {
    const isWanted = ({ verdict, item, dataset: used }: BuildReport, of: string | undefined) =>
      verdict?.class === "success" && (of === undefined || item.branch === of) && (dataset === undefined || used?.name === dataset);
    const builds = new KeptBuilds(opened, new StoredBuilds(opened));
    // Who interrupts the command ends it.
    const { signal } = new AbortController();
    return await builds.amountsFor(checks, { task, namespace: undefined, branch }, isWanted, signal);
  } finally {
    opened.close();
  }
}

/** Each piece is in the memory of the one before. Nothing else is to be done meanwhile, so that no thread need be asked. */
function* readPieces(path: string): Generator<Buffer> {
  const file = openSync(path, "r");
  try {
    const memory = Buffer.alloc(READ_BYTES);
    for (;;) {
      const bytesRead = readSync(file, memory);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
    }
  } finally {
    closeSync(file);
  }
}

async function readValues({ checks, junit }: CheckedTask, directory: string | undefined): Promise<ReadValues> {
  const read = new Map<string, ReadArtifact>();
  for (const { values } of checks) {
    if (values?.artifact !== undefined) read.set(values.artifact, await readArtifact(values.artifact, directory));
  }
  const needsJunit = checks.some(({ values }) => values?.junit !== undefined);
  return { artifacts: read, junit: needsJunit ? await readJunit(junit, directory) : undefined };
}

const HOW_FOUND = "say with --artifacts where the artifacts lie";

async function readArtifact(name: string, directory: string | undefined): Promise<ReadArtifact> {
  if (directory === undefined) return { kind: "unread", why: HOW_FOUND };
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

/** What the operator has counted, where the directory is a stored build's; else what the files say. */
async function readJunit(patterns: readonly string[], directory: string | undefined): Promise<ReadValues["junit"]> {
  if (directory === undefined) return { kind: "unread", why: HOW_FOUND };
  const stored = await readStoredJunit(directory);
  if (stored) return stored;
  const { countJunitFiles } = await import("./junit-files.ts");
  return countJunitFiles(directory, patterns);
}

async function readStoredJunit(directory: string): Promise<JunitRecord | undefined> {
  const text = await readFile(join(directory, "..", ARTIFACTS_FILE), "utf8").catch(() => undefined);
  try {
    return text === undefined ? undefined : artifactsRecordSchema.safeParse(JSON.parse(text)).data?.junit;
  } catch {
    // A file of that name which is none of ours.
    return undefined;
  }
}

const MARKS: Record<CheckResult["outcome"], string> = { passed: "ok", failed: "FAILED", fault: "WRONG", unknown: "UNKNOWN" };

const TONES: Record<CheckResult["outcome"], Tone> = { passed: "good", failed: "bad", fault: "bad", unknown: "doubtful" };

function renderResults(results: readonly CheckResult[], result: string): { tone?: Tone; line: string }[] {
  const lines = results.flatMap(({ name, outcome, message, findings, more }): { tone?: Tone; line: string }[] => [
    { tone: TONES[outcome], line: `${MARKS[outcome]} ${name}: ${message}` },
    ...findings.map(({ line, text, isBad }) => ({
      ...(isBad ? { tone: "bad" as const } : {}),
      line: `  ${isBad ? "!" : " "} ${line === undefined ? "" : `${line}: `}${text}`,
    })),
    ...(more === 0 ? [] : [{ line: `    and ${more} more` }]),
  ]);
  return [...lines, { tone: result === "SUCCESS" ? "good" : "bad", line: `Result: ${result}` }];
}
