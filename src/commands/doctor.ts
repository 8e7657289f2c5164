import { Command } from "commander";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { InputError } from "../runtime/errors.ts";
import type { Finding } from "./doctor/finding.ts";
import { helpNotes } from "./help-notes.ts";
import { runInterruptible } from "./interruptible.ts";
import { collect, parseTimeout } from "./option-parsers.ts";
import { type Paint, paintFor } from "./terminal-colour.ts";

/** Where the chart has it in the operator's pod. */
const CONFIG = "/etc/turbo-hipster/config.yaml";
const CANARY_MS = 10 * 60_000;

export interface DoctorFlags {
  config: string;
  kubeconfig?: string;
  context?: string;
  canary?: string;
  project: string;
  zuulUrl?: string;
  param?: readonly string[];
  timeout?: number;
  json?: boolean;
}

/** The world that the command works in; the process's own unless a test says otherwise. */
interface DoctorCommandWorld {
  clock: Clock;
  /** Aborts at the first interrupt: end, and stop the canary. */
  signal: AbortSignal;
  /** Aborts at the second: leave the canary at once. */
  leave: AbortSignal;
  paint: Paint;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster doctor`: whether builds could go all the way, from Zuul to a stored log, and what to do where not. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("look at all that a build needs, as Zuul would come by it, and tell the remedy for what is not well")
    .option("--config <file>", "the operator's configuration", CONFIG)
    .option("--kubeconfig <file>", "kubeconfig to use (default: $KUBECONFIG, in a pod its ServiceAccount, else ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig (default: its current one)")
    .option("--canary <task>", "run one build of this TestTask, NAME or NAMESPACE/NAME, at the first Gearman server")
    .option("--zuul-url <url>", "Zuul's zuul_url: looked at from here, and the canary's ZUUL_URL")
    .option("--project <name>", "a project below it, and the canary's ZUUL_PROJECT", "example/project")
    .option("--param <name=value>", "one more parameter of the canary's (repeatable)", collect)
    .option("--timeout <duration>", "stop the canary when it has no result after this long (default: 10m)", parseTimeout)
    .option("--json", "print one JSON object instead of a table", false)
    .addHelpText("after", helpNotes(HELP))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action(async (flags: DoctorFlags) => {
      await runInterruptible((signal, leave) =>
        performDoctor(flags, {
          ...{ clock: systemClock, signal, leave, paint: paintFor(process.stdout) },
          print: (line) => console.log(line),
          printError: (line) => console.error(line),
        }),
      );
      // A look that was left behind, at a disk that hangs, would keep the process.
      process.stdout.write("", () => process.exit());
    });
}

const HELP = `
Run it where the operator runs, with its rights and its ways through the network:
  kubectl exec deployment/turbo-hipster -- turbo-hipster doctor

It changes nothing, but for the build of --canary, and a small file in the log store, below doctor/, that it removes again unless the
store takes too long. Each look has a limit of time, 30 s at most. Ctrl-C stops the canary, as Zuul does; Ctrl-C again leaves it.

--json: {findings: [{what, state, says, remedy}], counts, exitCode}; state is ok, warning, failed or unseen (not looked at, says
tells why).

Exit codes: 0 nothing has failed, perhaps with warnings, 1 something has failed, also a kubeconfig that can't be
used, 2 unusable arguments or configuration`;

/** Does the command's work and returns its exit code. */
export async function performDoctor(flags: DoctorFlags, world: DoctorCommandWorld): Promise<0 | 1 | 2> {
  try {
    const { findingsExitCode, renderFindings, renderFindingsJson } = await import("./doctor/finding.ts");
    const findings = await examine(flags, world);
    for (const line of flags.json ? [renderFindingsJson(findings)] : renderFindings(findings, world.paint)) world.print(line);
    return findingsExitCode(findings);
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    world.printError(`turbo-hipster doctor: ${thrown.message}`);
    return 2;
  }
}

async function examine(flags: DoctorFlags, world: DoctorCommandWorld): Promise<Finding[]> {
  // Slow to load, and of no use to the help.
  const [{ loadConfig }, { loadKubeClient }, { examineInstallation }] = await Promise.all([
    import("../config.ts"),
    import("../kube/client/kube-client.ts"),
    import("./doctor/examine-installation.ts"),
  ]);
  const config = loadConfig(flags.config);
  const { kubeconfig, context } = flags;
  const client = await loadKubeClient({ kubeconfig, context, clock: world.clock, deadlineMs: CALL_MS }).catch(keepInputError);
  try {
    return await examineInstallation(
      { ...flags, config, configFile: flags.config, client, timeoutMs: flags.timeout ?? CANARY_MS },
      { ...world, onProgress: flags.json ? () => {} : world.printError },
    );
  } finally {
    if (!(client instanceof InputError)) await client.close();
  }
}

/** A kubeconfig of no use is a finding like others. */
function keepInputError(thrown: unknown): InputError {
  if (thrown instanceof InputError) return thrown;
  throw thrown;
}

/** Of one call to the API server; a look has many. */
const CALL_MS = 10_000;
