import { describeInvalidTask, type InvalidTask } from "../../core/test-task/invalid-task.ts";
import { decideServedFunctions, type ServedFunctions } from "../../core/test-task/served-functions.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import { parseFunctionName } from "../../core/zuul/function-name.ts";
import type { FunctionLine, WorkerLine } from "../../gearman/client/gearman-admin.ts";
import { type Paint, PLAIN, type Tone } from "../terminal-colour.ts";

/** The TestTasks of a cluster, or why nothing is known of them. */
export type TestTasksSeen =
  | { readonly isKnown: true; readonly tasks: readonly TestTask[]; readonly invalid: readonly InvalidTask[] }
  | { readonly isKnown: false; readonly why: string };

interface FunctionReport extends FunctionLine {
  /** Client ids of the connections that have registered it; null where the server does not say. */
  readonly clients: readonly string[] | null;
  /** Connections that may take its requests; null where the server does not say who they are. */
  readonly takers: number | null;
  /** `namespace/name` of the TestTask that serves it, or names it and is invalid; null: none does, or nobody knows. */
  readonly testTask: string | null;
}

/** What `status` tells of one server. */
interface ServerReport {
  readonly server: string;
  /** By name. */
  readonly functions: readonly FunctionReport[];
  /** false when nothing is known of the TestTasks, and then why. */
  readonly testTasksKnown: boolean;
  readonly testTasksUnknownBecause: string | null;
  /** Functions that no worker has registered. Zuul still sends their builds, and they wait. */
  readonly unserved: readonly string[];
  /** Functions that are registered only, so that Zuul knows them, and of which nobody takes builds at present: suspended ones, for example. */
  readonly untaken: readonly string[];
  /** `build:` functions that workers have registered and no TestTask names; null when the TestTasks are unknown. */
  readonly withoutTestTask: readonly string[] | null;
  /** Functions of TestTasks that this server does not know: Zuul says NOT_REGISTERED. */
  readonly unregistered: readonly { readonly function: string; readonly testTask: string }[] | null;
}

/** The operator's connection that registers every function and takes no requests, see `Registrar`. */
const REGISTRAR = /^turbo-hipster\/.*\/registrar$/;

export function makeServerReport(
  server: string,
  lines: readonly FunctionLine[],
  workers: readonly WorkerLine[] | undefined,
  seen: TestTasksSeen,
): ServerReport {
  const clientsOf = workers === undefined ? undefined : groupClients(workers);
  const served = seen.isKnown ? decideServedFunctions(seen.tasks, seen.invalid) : undefined;
  const functions = lines
    .map((line): FunctionReport => {
      const clients = clientsOf === undefined ? null : (clientsOf.get(line.name) ?? []);
      const takers = clients === null ? null : clients.filter((id) => !REGISTRAR.test(id)).length;
      return { ...line, clients, takers, testTask: taskOf(line.name, served) };
    })
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const known = new Set(lines.map(({ name }) => name));
  return {
    server,
    functions,
    testTasksKnown: seen.isKnown,
    testTasksUnknownBecause: seen.isKnown ? null : seen.why,
    unserved: namesOf(functions, ({ workers }) => workers === 0),
    untaken: namesOf(functions, ({ workers, takers }) => workers > 0 && takers === 0),
    withoutTestTask: seen.isKnown ? namesOf(functions, isWithoutTestTask) : null,
    unregistered:
      served === undefined
        ? null
        : [...served.byFunction].flatMap(([name, { task }]) => (known.has(name) ? [] : [{ function: name, testTask: task }])),
  };
}

function taskOf(name: string, served: ServedFunctions | undefined): string | null {
  const refused = served?.refused.get(name);
  return served?.byFunction.get(name)?.task ?? (refused ? testTaskKey(refused) : null);
}

/** Requests wait that nobody will take as things are. */
export function isAmiss({ functions }: ServerReport): boolean {
  return functions.some(({ waiting, workers }) => waiting > 0 && workers === 0);
}

interface Beside {
  seen?: TestTasksSeen;
  paint?: Paint;
}

/** For people; the names come from whoever reaches the server, so that no control character of theirs gets through. */
export function renderServerReport(report: ServerReport, { seen, paint = PLAIN }: Beside = {}): string[] {
  const { tasks, invalid } = seen?.isKnown ? seen : { tasks: [], invalid: [] };
  const marks = new Map([
    ...tasks.flatMap((task) => (task.spec.suspend ? [[testTaskKey(task), " (suspended)"] as const] : [])),
    ...invalid.map((task) => [testTaskKey(task), " (invalid)"] as const),
  ]);
  const { functions } = report;
  const count = (key: "waiting" | "running") => functions.reduce((sum, line) => sum + line[key], 0);
  const table = [`${report.server}: ${functions.length} functions, ${count("waiting")} requests waiting, ${count("running")} running`];
  if (functions.length > 0) table.push("", ...renderTable([HEADINGS, ...functions.map((line) => renderRow(line, report, marks))]), "");
  const clean = (line: string) => line.replaceAll(/\p{C}/gu, "?").trimEnd();
  return [...table.map(clean), ...toldLines(report, invalid).map(({ tone, line }) => paint(tone, clean(line)))];
}

function toldLines(report: ServerReport, invalid: readonly InvalidTask[]): { tone: Tone; line: string }[] {
  const lines: { tone: Tone; line: string }[] = [];
  const tell = (tone: Tone, line: string) => lines.push({ tone, line });
  for (const line of report.functions) {
    const tone = line.waiting > 0 ? "bad" : "doubtful";
    if (report.unserved.includes(line.name)) tell(tone, `no worker: ${line.name}${renderWaiting(line)}`);
    if (report.untaken.includes(line.name)) tell("doubtful", `registered, but nobody takes it: ${line.name}${renderWaiting(line)}`);
  }
  for (const name of report.withoutTestTask ?? []) tell("aside", `served without a TestTask: ${name}`);
  for (const { function: name, testTask } of report.unregistered ?? []) tell("bad", `not registered here: ${name} of TestTask ${testTask}`);
  for (const task of invalid) tell("bad", describeInvalidTask(task, testTaskKey(task)));
  if (!report.testTasksKnown) tell("doubtful", `TestTasks are unknown: ${report.testTasksUnknownBecause}`);
  return lines;
}

const HEADINGS = ["FUNCTION", "WAITING", "RUNNING", "WORKERS", "TESTTASK"];

function renderRow(line: FunctionReport, { testTasksKnown }: ServerReport, marks: ReadonlyMap<string, string>): string[] {
  const none = testTasksKnown && parseFunctionName(line.name) !== undefined ? "none" : "";
  const task = line.testTask === null ? none : `${line.testTask}${marks.get(line.testTask) ?? ""}`;
  return [line.name, `${line.waiting}`, `${line.running}`, `${line.workers}`, task];
}

/** Numbers to the right, text to the left. */
function renderTable(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => column > 0 && column < HEADINGS.length - 1;
  return rows.map((row) =>
    row.map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join("  "),
  );
}

function renderWaiting({ waiting }: FunctionReport): string {
  if (waiting === 0) return "";
  return waiting === 1 ? ", and 1 request waits" : `, and ${waiting} requests wait`;
}

function isWithoutTestTask({ name, workers, testTask }: FunctionReport): boolean {
  return workers > 0 && testTask === null && parseFunctionName(name) !== undefined;
}

function namesOf(functions: readonly FunctionReport[], isIt: (line: FunctionReport) => boolean): string[] {
  return functions.filter(isIt).map(({ name }) => name);
}

function groupClients(workers: readonly WorkerLine[]): Map<string, string[]> {
  const clients = new Map<string, string[]>();
  for (const { clientId, functions } of workers) {
    for (const name of new Set(functions)) clients.set(name, [...(clients.get(name) ?? []), clientId]);
  }
  return clients;
}
