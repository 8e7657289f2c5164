import { readFile, writeFile } from "node:fs/promises";
import { Command } from "commander";
import { CHECKOUT_EXIT_CODES, type CheckoutProblem, planCheckout } from "../core/checkout/plan.ts";
import { parseDurationMs } from "../core/kubernetes/duration.ts";
import { plainLine } from "../core/zuul/clean-result-text.ts";
import { type Parameters, parseParameters } from "../core/zuul/parameters.ts";
import { runCheckout } from "../in-pod/checkout/checkout.ts";
import { makeGitEnvironment } from "../in-pod/checkout/git-environment.ts";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { coerceError } from "../runtime/errors.ts";
import { collect, parseTimeout } from "./option-parsers.ts";
import { printable } from "./printable.ts";

interface CheckoutFlags {
  path: string;
  allowedUrl: string[];
  branch?: string;
  leaveSubmodules?: boolean;
  timeout: number;
}

/** The world that the command works in; the process's own unless a test says otherwise. */
interface CheckoutWorld {
  environment: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  /** Aborts when the container is to stop. */
  signal: AbortSignal;
  print(line: string): void;
  printError(line: string): void;
}

/**
 * `turbo-hipster checkout`, the init container of a build: checks out the project of the request in `$TH_PARAMETERS_FILE` below `--path`.
 * Exit codes: `CHECKOUT_EXIT_CODES`. What went wrong goes as one line to stderr and to `$TH_TERMINATION_FILE`.
 */
export function checkoutCommand(): Command {
  return new Command("checkout")
    .description("check out the project of a build (runs in the build's pod)")
    .option("--path <directory>", "the workspace; the project lands below it, at its own name", "/workspace")
    .option("--allowed-url <prefix>", "fetch only from URLs below this one (repeatable; none given: from any)", collect, [])
    .option("--branch <name>", "the branch of a build that names no ref, as a timer's (default: ZUUL_BRANCH, or Gerrit's default branch)")
    .option("--leave-submodules", "go on with submodules that stay empty, which are an error otherwise")
    .option("--timeout <duration>", "for everything, retries included", parseTimeout, parseDurationMs("10m"))
    .addHelpText(
      "after",
      `
Environment:
  TH_PARAMETERS_FILE   file with Zuul's parameters, one JSON object
  TH_TERMINATION_FILE  file that gets one line on failure, for the reviewers

Exit codes: 0 done, ${CHECKOUT_EXIT_CODES.network} network at fault, ${CHECKOUT_EXIT_CODES.ref} ref at fault, ${CHECKOUT_EXIT_CODES.configuration} configuration at fault`,
    )
    .action(async (flags: CheckoutFlags) => {
      const stop = new AbortController();
      const onSignal = () => stop.abort();
      process.once("SIGTERM", onSignal).once("SIGINT", onSignal);
      try {
        process.exitCode = await performCheckout(flags, {
          environment: process.env,
          clock: systemClock,
          signal: stop.signal,
          print: (line) => console.log(line),
          printError: (line) => console.error(line),
        });
      } finally {
        process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
      }
    });
}

/** Does the command's work and returns its exit code. */
export async function performCheckout(flags: CheckoutFlags, world: CheckoutWorld): Promise<number> {
  const startedMs = world.clock.monotonicMs();
  const parameters = await readParameters(world.environment.TH_PARAMETERS_FILE);
  if ("fault" in parameters) return reportProblem(parameters, world);
  const planned = planCheckout(parameters, { allowedUrls: flags.allowedUrl, branch: flags.branch });
  if (!planned.ok) return reportProblem(planned.problem, world);
  const outcome = await runCheckout(planned.plan, {
    workspace: flags.path,
    timeoutMs: flags.timeout,
    leavesSubmodules: flags.leaveSubmodules ?? false,
    environment: makeGitEnvironment({
      home: flags.path,
      isRedirectFollowed: flags.allowedUrl.length === 0,
      inherited: world.environment,
    }),
    signal: world.signal,
    clock: world.clock,
    print: (line) => world.print(printable(line)),
  });
  switch (outcome.kind) {
    case "failed":
      return reportProblem(outcome.problem, world);
    case "stopped":
      world.printError("stopped");
      return CHECKOUT_EXIT_CODES.stopped;
    case "done":
      world.print(
        `checked out ${outcome.commit} in ${outcome.directory} (${((world.clock.monotonicMs() - startedMs) / 1000).toFixed(1)} s)`,
      );
      return CHECKOUT_EXIT_CODES.ok;
  }
}

async function readParameters(path: string | undefined): Promise<Parameters | CheckoutProblem> {
  if (!path) return { fault: "configuration", message: "TH_PARAMETERS_FILE is not set - it names the file with Zuul's parameters" };
  try {
    const parsed = parseParameters(await readFile(path));
    return parsed.ok ? parsed.parameters : { fault: "configuration", message: parsed.problem };
  } catch (thrown) {
    return { fault: "configuration", message: `cannot read TH_PARAMETERS_FILE - ${coerceError(thrown).message}` };
  }
}

async function reportProblem(problem: CheckoutProblem, { environment, printError }: CheckoutWorld): Promise<number> {
  const message = plainLine(problem.message);
  printError(message);
  const path = environment.TH_TERMINATION_FILE;
  if (path) {
    await writeFile(path, `${message}\n`).catch((thrown) => printError(`cannot write TH_TERMINATION_FILE: ${coerceError(thrown).message}`));
  }
  return CHECKOUT_EXIT_CODES[problem.fault];
}
