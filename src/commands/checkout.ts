import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CheckoutPlan, planCheckout } from "../core/checkout/plan.ts";
import { CHECKOUT_EXIT_CODES, CheckoutError, type CheckoutProblem } from "../core/checkout/problem.ts";
import { renderCheckoutRecord, renderHead } from "../core/checkout/render-record.ts";
import { parseDurationMs } from "../core/kubernetes/duration.ts";
import { plainLine } from "../core/zuul/clean-result-text.ts";
import { type Parameters, parseParameters } from "../core/zuul/parameters.ts";
import { runCheckout } from "../in-pod/checkout/checkout.ts";
import { makeGitEnvironment } from "../in-pod/checkout/git-environment.ts";
import { type MountedCredentials, type ServerAccess, withServerAccess } from "../in-pod/checkout/server-access.ts";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { coerceError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { collect, parseTimeout } from "./option-parsers.ts";
import { printable } from "./printable.ts";

interface CheckoutFlags {
  path: string;
  allowedUrl: string[];
  gitUrl?: string;
  project?: string[];
  branch?: string;
  projectBranch?: Record<string, string>;
  leaveSubmodules?: boolean;
  depth?: number;
  filter?: "blob:none";
  cache?: string;
  credentials?: MountedCredentials[];
  private?: string;
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
 * `turbo-hipster checkout`, the init container of a build: checks out the projects of the request in `$TH_PARAMETERS_FILE` below `--path`.
 * Exit codes: `CHECKOUT_EXIT_CODES`. What went wrong goes as one line to stderr and to `$TH_TERMINATION_FILE`.
 */
export function checkoutCommand(): Command {
  return new Command("checkout")
    .description("check out the projects of a build, as zuul-cloner does (runs in the build's pod)")
    .option("--path <directory>", "the workspace; projects land below it, at their own names", "/workspace")
    .option("--allowed-url <prefix>", "fetch only from URLs below this one (repeatable; none given: from any)", collect, [])
    .option("--git-url <url>", "where projects are that Zuul has prepared nothing for: Gerrit, or a mirror of it")
    .option("--project <name>", "check out this project beside the build's own (repeatable)", collect, [])
    .option(
      "--branch <name>",
      "the branch instead of ZUUL_BRANCH; of a build that names no ref, as a timer's, else Gerrit's default branch",
    )
    .option("--project-branch <project=branch>", "the branch of one project, before --branch (repeatable)", collectProjectBranch, {})
    .option("--leave-submodules", "leave submodules empty")
    .option("--depth <commits>", "fetch only so many commits of the ref, and no other branches", parseDepth)
    .addOption(
      new Option("--filter <what>", "fetch the files of older commits when they are asked for, where the server lets it").choices([
        "blob:none",
      ]),
    )
    .option("--cache <directory>", "keep what was fetched here, for later checkouts of the same URLs")
    .option(
      "--credentials <url=directory>",
      "for URLs below this https or ssh URL use the Secret in the directory; needs --allowed-url (repeatable)",
      collectCredentials,
      [],
    )
    .option(
      "--private <directory>",
      "where copies of keys may lie meanwhile, which nobody else sees (default: in the system's temporary files)",
    )
    .option("--timeout <duration>", "for everything, retries included", parseTimeout, parseDurationMs("10m"))
    .addHelpText(
      "after",
      helpNotes(`
Environment:
  TH_PARAMETERS_FILE   file with Zuul's parameters, one JSON object
  TH_TERMINATION_FILE  file that gets one line on failure, for the reviewers,
                       and on success a line of JSON for each project

A Secret of --credentials has, for https: username and password, or token; ca.crt; proxy. For ssh: ssh-privatekey and known_hosts.

Exit codes: 0 done, 1 unusable arguments, ${CHECKOUT_EXIT_CODES.network} network at fault, ${CHECKOUT_EXIT_CODES.ref} ref at fault, ${CHECKOUT_EXIT_CODES.configuration} configuration at fault, ${CHECKOUT_EXIT_CODES.stopped} stopped`),
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
  const { credentials = [] } = flags;
  const parameters = await readParameters(world.environment.TH_PARAMETERS_FILE);
  if ("fault" in parameters) return reportProblem(parameters, world);
  const planned = planCheckout(parameters, {
    allowedUrls: flags.allowedUrl,
    hasCredentials: credentials.length > 0,
    gitUrl: flags.gitUrl,
    projects: flags.project,
    branch: flags.branch,
    projectBranches: flags.projectBranch,
  });
  if (!planned.ok) return reportProblem(planned.problem, world);
  try {
    return await withServerAccess(credentials, flags.private ?? tmpdir(), (access) => carryOut(planned.plan, flags, access, world));
  } catch (thrown) {
    if (thrown instanceof CheckoutError) return reportProblem(thrown.problem, world);
    throw thrown;
  }
}

async function carryOut(plan: CheckoutPlan, flags: CheckoutFlags, access: ServerAccess, world: CheckoutWorld): Promise<number> {
  const startedMs = world.clock.monotonicMs();
  const shared = { home: flags.path, isRedirectFollowed: flags.allowedUrl.length === 0, inherited: world.environment };
  const local = makeGitEnvironment({ ...shared, isLocal: true });
  const outcome = await runCheckout(plan, {
    workspace: flags.path,
    timeoutMs: flags.timeout,
    leavesSubmodules: flags.leaveSubmodules ?? false,
    history: { ...(flags.depth !== undefined && { depth: flags.depth }), ...(flags.filter !== undefined && { filter: flags.filter }) },
    cacheDirectory: flags.cache,
    environmentFor: (url) => (url === undefined ? local : makeGitEnvironment({ ...shared, access: access.forUrl(url) })),
    secrets: access.secrets,
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
    case "done": {
      for (const line of renderHead(outcome.projects)) world.print(printable(line));
      const seconds = ((world.clock.monotonicMs() - startedMs) / 1000).toFixed(1);
      world.print(`checked out ${outcome.projects.length === 1 ? "1 project" : `${outcome.projects.length} projects`} in ${seconds} s`);
      await writeTermination(renderCheckoutRecord(outcome.projects), world);
      return CHECKOUT_EXIT_CODES.ok;
    }
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

async function reportProblem(problem: CheckoutProblem, world: CheckoutWorld): Promise<number> {
  const message = plainLine(problem.message);
  world.printError(message);
  await writeTermination(`${message}\n`, world);
  return CHECKOUT_EXIT_CODES[problem.fault];
}

async function writeTermination(text: string, { environment, printError }: CheckoutWorld): Promise<void> {
  const path = environment.TH_TERMINATION_FILE;
  if (!path) return;
  await writeFile(path, text).catch((thrown) => printError(`cannot write TH_TERMINATION_FILE: ${coerceError(thrown).message}`));
}

function collectProjectBranch(text: string, previous: Record<string, string>): Record<string, string> {
  const at = text.lastIndexOf("=");
  if (at < 1) throw new InvalidArgumentError("write it as PROJECT=BRANCH.");
  return Object.fromEntries([...Object.entries(previous), [text.slice(0, at), text.slice(at + 1)]]);
}

/** A directory of ours has no `=`; a URL's path may. */
function collectCredentials(text: string, previous: MountedCredentials[]): MountedCredentials[] {
  const at = text.lastIndexOf("=");
  if (at < 1) throw new InvalidArgumentError("write it as URL=DIRECTORY.");
  return [...previous, { url: text.slice(0, at), directory: text.slice(at + 1) }];
}

function parseDepth(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError("write a number of commits, from 1.");
  return Number(text);
}
