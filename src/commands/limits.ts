import { Command } from "commander";
import { stringify } from "yaml";
import { loadConfig } from "../config.ts";
import type { CheckResult } from "../core/checks/check-result.ts";
import { type ProposedLimit, proposeLimits, renderLimit } from "../core/checks/proposed-limits.ts";
import { BUILD_FILE, parseBuildFile } from "../core/logs/build-file.ts";
import type { LogStore } from "../logs/stores/log-store.ts";
import { makeLogStore } from "../logs/stores/make-log-store.ts";
import { StoredBuilds } from "../logs/stores/stored-builds.ts";
import { readStoredText } from "../logs/stores/stored-text.ts";
import { systemClock } from "../runtime/clock.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { makeLogger } from "../runtime/logger.ts";
import { chooseTask } from "./choose-task.ts";
import { runInterruptible } from "./interruptible.ts";
import { wholePercent } from "./option-parsers.ts";
import { printable } from "./printable.ts";

/** As many as a page of builds would ever be asked for. */
const MAX_BUILDS = 2000;
const MAX_BUILD_BYTES = 8 * 2 ** 20;

interface Flags {
  store?: string;
  config?: string;
  task?: string;
  namespace?: string;
  margin: number;
}

interface LimitsWorld {
  signal: AbortSignal;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster limits TASK-FILE`: limits of steps by how long they took in the builds that are kept. */
export function limitsCommand(): Command {
  return new Command("limits")
    .description("propose limits for a TestTask's steps by how long they took in the builds that are kept")
    .argument("<task-file>", "file with the TestTask")
    .option("--store <directory>", "the log store, where it is a directory")
    .option("--config <file>", "the log store is that of this configuration of the operator")
    .option("--task <name>", "which TestTask of the file (default: the only one)")
    .option("--namespace <name>", "only builds of this namespace (default: all)")
    .option("--margin <percent>", "how much more than the 99th percentile", wholePercent, 50)
    .addHelpText("after", HELP)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((file: string, flags: Flags) =>
      runInterruptible((signal) =>
        performLimits(file, flags, { signal, print: (line) => console.log(line), printError: (line) => console.error(line) }),
      ),
    );
}

const HELP = `
Prints what would change, as a diff in comments, and the task's checks with the new limits, as YAML. Only builds that have succeeded
count; a limit comes with the number of samples that it is made of.

Exit codes: 0 told, 1 no such build is kept, 2 unusable arguments, or a store that can not be read`;

/** Does the command's work and returns its exit code. */
export async function performLimits(file: string, flags: Flags, { signal, print, printError }: LimitsWorld): Promise<0 | 1 | 2> {
  try {
    const { metadata, spec } = chooseTask(file, flags.task);
    const checks = spec.checks?.filter(({ steps }) => steps) ?? [];
    if (checks.length === 0) throw new InputError(`${file}: TestTask ${metadata.name} has no checks of steps`);
    const store = await openStore(flags);
    try {
      const builds = await readBuilds(store, { task: metadata.name, namespace: flags.namespace }, signal);
      const { limits, checks: proposed } = proposeLimits(spec.checks ?? [], builds, flags.margin);
      if (limits.length === 0) {
        printError(`limits: no build of ${metadata.name} that has succeeded is kept with times of its steps`);
        return 1;
      }
      print(`# ${builds.length} builds of ${metadata.name}; limits are ${flags.margin}% above the 99th percentile`);
      for (const line of renderDiff(limits)) print(printable(`# ${line}`));
      print(stringify({ checks: proposed }, { lineWidth: 0 }).trimEnd());
      return 0;
    } finally {
      store.close();
    }
  } catch (thrown) {
    printError(`limits: ${coerceError(thrown).message}`);
    return 2;
  }
}

async function openStore({ store, config }: Flags): Promise<LogStore> {
  if ((store === undefined) === (config === undefined)) throw new InputError("say where builds are kept, with --store or --config");
  const logger = makeLogger("warn", process.stderr);
  if (store !== undefined) {
    const { FilesStore } = await import("../logs/stores/files/files-store.ts");
    return new FilesStore({ directory: store, publicUrl: undefined, clock: systemClock, logger });
  }
  const made = await makeLogStore(loadConfig(config ?? "").logs, { clock: systemClock, logger });
  if (!made) throw new InputError(`${config}: logs.store is none: no builds are kept`);
  return made;
}

/** What checks found in those of this task that have succeeded, the newest ones. */
async function readBuilds(
  store: LogStore,
  { task, namespace }: { task: string; namespace: string | undefined },
  signal: AbortSignal,
): Promise<CheckResult[][]> {
  const builds = new StoredBuilds(store);
  const found: CheckResult[][] = [];
  for (const stored of await builds.newest(MAX_BUILDS, undefined, signal)) {
    const report = await builds.readReport(stored, signal);
    const isWanted = report?.task === task && (namespace === undefined || report.namespace === namespace);
    if (!isWanted || report.verdict?.class !== "success") continue;
    const directory = await builds.find(report.number, signal);
    const text = directory === undefined ? undefined : await readStoredText(store, `${directory}/${BUILD_FILE}`, MAX_BUILD_BYTES, signal);
    const checks = text === undefined ? undefined : parseBuildFile(text)?.checks;
    if (checks) found.push(checks);
  }
  return found;
}

function renderDiff(limits: readonly ProposedLimit[]): string[] {
  const names = [...new Set(limits.map(({ check }) => check))];
  return names.flatMap((name) => [
    `${name}:`,
    ...limits.filter(({ check }) => check === name).flatMap((limit) => renderLimit(limit).map((line) => `  ${line}`)),
  ]);
}
