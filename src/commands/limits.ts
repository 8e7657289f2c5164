import { Command } from "commander";
import { stringify } from "yaml";
import type { CheckResult } from "../core/checks/check-result.ts";
import { type ProposedLimit, proposeLimits, renderLimit } from "../core/checks/proposed-limits.ts";
import type { BuildReport } from "../core/report/build-report.ts";
import { KeptBuilds } from "../logs/checking/kept-builds.ts";
import type { LogStore } from "../logs/stores/log-store.ts";
import { StoredBuilds } from "../logs/stores/stored-builds.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { chooseTask } from "./choose-task.ts";
import { helpNotes } from "./help-notes.ts";
import { runInterruptible } from "./interruptible.ts";
import { openLogStore } from "./open-log-store.ts";
import { wholePercent } from "./option-parsers.ts";
import { printable } from "./printable.ts";

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

/** `turbo-hipster limits TASK-FILE`: limits of steps and numbers by what they came to in the builds that are kept. */
export function limitsCommand(): Command {
  return new Command("limits")
    .description("propose limits for a TestTask's steps, counters and values by the builds that are kept")
    .argument("<task-file>", "file with the TestTask; - is standard input")
    .option("--store <directory>", "the log store, where it is a directory")
    .option("--config <file>", "the log store is that of this configuration of the operator")
    .option("--task <name>", "which TestTask of the file (default: the only one)")
    .option("--namespace <name>", "only builds of this namespace (default: all)")
    .option("--margin <percent>", "how much more than the 99th percentile", wholePercent, 50)
    .addHelpText("after", helpNotes(HELP))
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
    const { metadata, spec } = await chooseTask(file, flags.task);
    const isLimited = spec.checks?.some(({ steps, counters, values }) => steps ?? counters ?? values);
    if (!isLimited) throw new InputError(`${file}: TestTask ${metadata.name} has no checks of steps, counters or values`);
    const store = await openLogStore(flags);
    try {
      const builds = await readBuilds(store, { task: metadata.name, namespace: flags.namespace }, signal);
      const { limits, checks: proposed } = proposeLimits(spec.checks ?? [], builds, flags.margin);
      if (limits.length === 0) {
        printError(`limits: no build of ${metadata.name} that has succeeded is kept with what its checks measured`);
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

/** What checks found in those of this task that have succeeded, the newest ones. */
async function readBuilds(
  store: LogStore,
  of: { task: string; namespace: string | undefined },
  signal: AbortSignal,
): Promise<CheckResult[][]> {
  const isWanted = ({ task, verdict }: BuildReport) => task === of.task && verdict?.class === "success";
  return Array.fromAsync(new KeptBuilds(store, new StoredBuilds(store)).checksOf(of, isWanted, signal));
}

function renderDiff(limits: readonly ProposedLimit[]): string[] {
  const names = [...new Set(limits.map(({ check }) => check))];
  return names.flatMap((name) => [
    `${name}:`,
    ...limits.filter(({ check }) => check === name).flatMap((limit) => renderLimit(limit).map((line) => `  ${line}`)),
  ]);
}
