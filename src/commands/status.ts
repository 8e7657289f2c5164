import { Command } from "commander";
import type { KubeObject } from "../core/kubernetes/objects.ts";
import { sortStoredTasks } from "../core/test-task/invalid-task.ts";
import { ANSWER_TIMEOUT_MS, fetchFunctions, fetchWorkers } from "../gearman/client/gearman-admin.ts";
import { GearmanError } from "../gearman/wire/gearman-error.ts";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { runInterruptible } from "./interruptible.ts";
import { collect, parseTimeout } from "./option-parsers.ts";
import { printable } from "./printable.ts";
import { hasUnservedJob, layoutLines, makeLayoutReport } from "./status/layout-report.ts";
import { isAmiss, makeServerReport, renderServerReport, type TestTasksSeen } from "./status/server-report.ts";
import { type Paint, PLAIN, paintFor } from "./terminal-colour.ts";

export interface StatusFlags {
  server: string;
  timeout?: number;
  json?: boolean;
  kubeconfig?: string;
  context?: string;
  namespace?: string[];
  layout?: string;
}

/** The world that the command works in; the process's own unless a test says otherwise. */
interface StatusWorld {
  clock: Clock;
  signal: AbortSignal;
  /** Default: no colours. */
  paint?: Paint;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster status`: what a Gearman server has to do, and who does it. */
export function statusCommand(): Command {
  return new Command("status")
    .description("tell what a Gearman server has to do and who serves it: functions, requests, workers, TestTasks")
    .option("--server <host:port>", "the Gearman server", "127.0.0.1:4730")
    .option(
      "--timeout <duration>",
      "how long the server may take to answer, e.g. 10s (default: 30s; a large payload stalls geard)",
      parseTimeout,
    )
    .option(
      "--kubeconfig <file>",
      "kubeconfig of the TestTasks' cluster (default: $KUBECONFIG, in a pod its ServiceAccount, else ~/.kube/config)",
    )
    .option("--context <name>", "context of the kubeconfig (default: its current one)")
    .option("--namespace <name>", "namespace of the TestTasks (repeatable; default: all)", collect)
    .option("--layout <file>", "Zuul's layout.yaml: tell which of its jobs nobody serves, and which TestTasks it does not use")
    .option("--json", "print one JSON object instead of text", false)
    .addHelpText("after", helpNotes(HELP))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((flags: StatusFlags) =>
      runInterruptible((signal) =>
        performStatus(flags, {
          clock: systemClock,
          signal,
          paint: paintFor(process.stdout),
          print: (line) => console.log(line),
          printError: (line) => console.error(line),
        }),
      ),
    );
}

const HELP = `
WORKERS counts the connections that have registered a function; turbo-hipster has one for each server that only registers,
and one that takes builds. A function stays in the list, without workers, until the server restarts, and Zuul goes on
sending its builds.

--json: {server, functions: [{name, waiting, running, workers, clients, takers, testTask}], testTasksKnown,
testTasksUnknownBecause, unserved, untaken, withoutTestTask, unregistered}. clients and takers (those of them that take
requests) are null where the server does not say: an older geard does not while a connection, as Zuul's, has no client id.
Without a cluster testTask, withoutTestTask and unregistered are null. An invalid TestTask serves nothing, but what it names
stays registered, and its builds are answered with CONFIG_ERROR.

--layout adds {layout: {file, jobs, notRegistered: [{job, nodeLabels, parameterFunction}], withoutWorker, parameterFunctions,
unused: [{testTask, jobs, all}], faults}}; without it layout is null. A parameter-function of the layout may ask for a node label
(ZUUL_NODE), which is not known here; noop is never sent.

Without --namespace the TestTasks of all namespaces are read, which an operator's own account may not unless it serves all:
in its pod, name the namespaces that it serves.

Exit codes: 0 answered, 1 requests wait for a function that no worker serves, or Zuul would say NOT_REGISTERED of a job of the layout, 2 no
answer, or unusable arguments`;

/** Does the command's work and returns its exit code. */
export async function performStatus(flags: StatusFlags, world: StatusWorld): Promise<0 | 1 | 2> {
  const { paint = PLAIN } = world;
  const admin = { server: flags.server, clock: world.clock, signal: world.signal, timeoutMs: flags.timeout ?? ANSWER_TIMEOUT_MS };
  try {
    const layout = flags.layout === undefined ? undefined : await readLayout(flags.layout);
    const lines = await fetchFunctions(admin);
    const workers = await fetchWorkers(admin);
    const seen = await readTestTasks(flags, world.signal);
    const report = makeServerReport(flags.server, lines, workers, seen);
    const ofLayout = layout && makeLayoutReport(layout.file, layout.layout, lines, seen);
    if (flags.json) world.print(JSON.stringify({ ...report, layout: ofLayout ?? null }));
    else for (const line of renderServerReport(report, { seen, paint })) world.print(line);
    if (ofLayout && !flags.json) for (const { tone, line } of layoutLines(ofLayout)) world.print(paint(tone, printable(line)));
    return isAmiss(report) || (ofLayout !== undefined && hasUnservedJob(ofLayout)) ? 1 : 0;
  } catch (error) {
    if (error instanceof GearmanError) world.printError(`turbo-hipster status: ${error.message}. ${remedyOf(error)}`);
    else if (error instanceof InputError) world.printError(`turbo-hipster status: ${error.message}`);
    else throw error;
    return 2;
  }
}

function remedyOf({ code }: GearmanError): string {
  if (code === "TH_GEARMAN_CONNECT") return "Is it a Gearman server's address and port (--server HOST:PORT), and may this host reach it?";
  if (code === "TH_GEARMAN_SILENT") return "It may be busy with a large payload: try again, or give it longer with --timeout";
  return "Is this the port of a Gearman server (--server HOST:PORT)?";
}

async function readLayout(file: string) {
  // Reading YAML takes time to load, and most do without.
  const { readLayoutFile } = await import("./layout-file.ts");
  return { file, layout: await readLayoutFile(file) };
}

/** Whether there is a cluster at all is known only here: what was asked for by name must be usable, all else is optional. */
async function readTestTasks(flags: StatusFlags, signal: AbortSignal): Promise<TestTasksSeen> {
  // Slow to load, and the server has answered by now.
  const [{ loadKubeClient }, { listAll }, { TEST_TASKS }] = await Promise.all([
    import("../kube/client/kube-client.ts"),
    import("../kube/watch/list-all.ts"),
    import("../kube/client/resource.ts"),
  ]);
  const isAskedFor = flags.kubeconfig !== undefined || flags.context !== undefined || flags.namespace !== undefined;
  let client: Awaited<ReturnType<typeof loadKubeClient>> | undefined;
  try {
    client = await loadKubeClient({ kubeconfig: flags.kubeconfig, context: flags.context });
    const objects: KubeObject[] = [];
    for (const namespace of flags.namespace ?? [undefined]) {
      const { items } = await listAll<KubeObject>(client, TEST_TASKS, namespace, { signal });
      objects.push(...items.filter(({ metadata }) => metadata.deletionTimestamp === undefined));
    }
    return { isKnown: true, ...sortStoredTasks(objects) };
  } catch (thrown) {
    signal.throwIfAborted();
    const { message } = coerceError(thrown);
    if (isAskedFor) throw new InputError(`cannot read the TestTasks: ${message}`, { cause: thrown });
    return { isKnown: false, why: message };
  } finally {
    await client?.close();
  }
}
