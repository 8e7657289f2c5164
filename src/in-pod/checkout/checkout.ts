import { mkdir, realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { judgeGitFailure } from "../../core/checkout/git-failure.ts";
import { quoteForPeople } from "../../core/checkout/git-url.ts";
import type { CheckoutPlan, CheckoutProblem } from "../../core/checkout/plan.ts";
import { formatDuration } from "../../core/kubernetes/duration.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import { type GitRun, runGit } from "./git-runner.ts";

interface CheckoutOptions {
  /** An existing directory; the project lands below it. */
  workspace: string;
  /** For everything, retries included. */
  timeoutMs: number;
  /** git's whole environment. */
  environment: Readonly<Record<string, string>>;
  /** Aborting stops the checkout; what is half there stays, the next one starts afresh. */
  signal: AbortSignal;
  clock: Clock;
  /** The test needs no submodules: they may stay empty. */
  leavesSubmodules: boolean;
  /** A line of progress for people. Holds no credentials. */
  print(line: string): void;
}

type CheckoutOutcome =
  | { kind: "done"; directory: string; commit: string }
  | { kind: "failed"; problem: CheckoutProblem }
  | { kind: "stopped" };

const TRIES = 3;
const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 20_000;
/** A server that accepts and then says nothing is given up for this try, so that the time for all of them is not spent on one. */
const LONGEST_SILENCE_MS = 120_000;

/** Of the submodules, in the log. */
const MAX_NAMED = 100;

/** Where git keeps what was fetched until it is checked out; the finished repository has a detached HEAD, tags and `origin`. */
const FETCHED = "refs/turbo-hipster/fetched";

/** Carries a problem out of the steps below; never leaves this file. */
class StepError extends Error {
  readonly problem: CheckoutProblem;

  constructor(problem: CheckoutProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/**
 * Carries out a plan: an empty repository, a fetch of the one ref with its history and the tags in it, a detached checkout. Whatever was
 * in the project's directory is gone first. Never rejects.
 */
export async function runCheckout(plan: CheckoutPlan, options: CheckoutOptions): Promise<CheckoutOutcome> {
  const deadline = new AbortController();
  const cancelDeadline = options.clock.schedule(options.timeoutMs, () => deadline.abort());
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  try {
    const directory = await makeDirectory(plan, options.workspace);
    const git = makeGit(plan, { ...options, signal }, directory);
    await git.run("init", "--quiet", `--object-format=${plan.commit?.length === 64 ? "sha256" : "sha1"}`);
    const ref = await fetchFirst(plan, git, { ...options, signal });
    const commit = await resolveCommit(plan, git, ref);
    await git.run("checkout", "--quiet", "--progress", "--detach", "--force", commit);
    await checkSubmodules(git, options);
    await git.run("remote", "add", "origin", plan.publicUrl);
    await git.run("update-ref", "-d", FETCHED);
    return { kind: "done", directory, commit };
  } catch (thrown) {
    if (options.signal.aborted) return { kind: "stopped" };
    if (deadline.signal.aborted) {
      const message = `the checkout from ${plan.host} was not done within ${formatDuration(options.timeoutMs)}`;
      return { kind: "failed", problem: { fault: "network", message } };
    }
    return { kind: "failed", problem: thrown instanceof StepError ? thrown.problem : judgeFileError(coerceError(thrown)) };
  } finally {
    cancelDeadline();
  }
}

/** An empty directory for the project. A link that an earlier checkout left on the way there is not followed. */
async function makeDirectory(plan: CheckoutPlan, workspace: string): Promise<string> {
  const directory = join(await realpath(workspace), plan.project);
  await mkdir(dirname(directory), { recursive: true });
  if ((await realpath(dirname(directory))) !== dirname(directory)) {
    throw new StepError({ fault: "configuration", message: `a link in the workspace is in the way of ${plan.project}` });
  }
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  return directory;
}

/** git in the project's directory. `run` throws a judged StepError when git fails; `ask` returns how it ended. */
interface Git {
  run(...args: string[]): Promise<GitRun>;
  ask(...args: string[]): Promise<GitRun>;
  /** As `run`, for what writes a list of any length: `onRecord` gets each part of its output that a NUL ends. */
  list(args: readonly string[], onRecord: (record: string) => void): Promise<void>;
}

function makeGit(plan: CheckoutPlan, options: CheckoutOptions, directory: string): Git {
  const silenceMs = Math.min(LONGEST_SILENCE_MS, options.timeoutMs / (TRIES + 1));
  const ask = async (args: readonly string[], onOutput?: (text: string) => void): Promise<GitRun> => {
    const onLine = (line: string) => options.print(withoutCredentials(line, plan));
    const run = await runGit(args, { ...options, directory, silenceMs, onLine, ...(onOutput && { onOutput }) });
    options.signal.throwIfAborted();
    return run;
  };
  const judge = (run: GitRun): GitRun => {
    if (run.end === "unstartable")
      throw new StepError({ fault: "configuration", message: "cannot start git - the checkout's image lacks it" });
    if (run.end === "silent")
      throw new StepError({ fault: "network", message: `${plan.host} said nothing for ${formatDuration(silenceMs)}` });
    if (run.code !== 0) throw new StepError(judgeGitFailure(withoutCredentials(run.stderr, plan), plan));
    return run;
  };
  return {
    ask: (...args) => ask(args),
    run: async (...args) => judge(await ask(args)),
    async list(args, onRecord) {
      let rest = "";
      const onOutput = (text: string) => {
        const records = `${rest}${text}`.split("\0");
        rest = records.pop() ?? "";
        for (const record of records) onRecord(record);
      };
      judge(await ask(args, onOutput));
    },
  };
}

/** Fetches the first of the plan's refs that is there, and returns its name. */
async function fetchFirst(plan: CheckoutPlan, git: Git, options: CheckoutOptions): Promise<string> {
  for (const ref of plan.refs) {
    try {
      await fetchWithRetries(plan, git, ref, options);
      return ref;
    } catch (error) {
      if (!(error instanceof StepError) || error.problem !== plan.missing) throw error;
    }
  }
  throw new StepError(plan.missing);
}

async function fetchWithRetries(plan: CheckoutPlan, git: Git, ref: string, { clock, signal, print }: CheckoutOptions): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    print(`fetching ${ref} from ${plan.publicUrl}`);
    try {
      // Not shallow: `git describe` and pbr need the history. A ref with a destination brings the tags in its history along.
      await git.run("fetch", "--progress", "--no-write-fetch-head", "--end-of-options", plan.url, `+${ref}:${FETCHED}`);
      return;
    } catch (error) {
      if (!(error instanceof StepError) || error.problem.fault !== "network" || attempt + 1 >= TRIES) throw error;
      const delayMs = Math.round(backoffMs(attempt, FIRST_DELAY_MS, LONGEST_DELAY_MS));
      print(`${error.problem.message}; trying again in ${(delayMs / 1000).toFixed(1)} s (${attempt + 2} of ${TRIES})`);
      await clock.sleep(delayMs, signal);
    }
  }
}

/** The commit to check out. The repository was empty before the fetch, so what is in it now is in the history of the ref. */
async function resolveCommit(plan: CheckoutPlan, git: Git, ref: string): Promise<string> {
  const resolved = await git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", `${plan.commit ?? FETCHED}^{commit}`);
  if (resolved.code === 0) return resolved.stdout.trim();
  if (plan.commit !== undefined) throw new StepError(plan.foreign);
  throw new StepError({ fault: "ref", message: `${ref} of ${plan.project} holds no commit` });
}

/**
 * Submodules are not fetched, and a test that looks for its cases in one finds none and passes. A link to a commit that `.gitmodules` says
 * nothing of is empty wherever it is checked out.
 */
async function checkSubmodules(git: Git, { leavesSubmodules, print }: CheckoutOptions): Promise<void> {
  const links: string[] = [];
  let count = 0;
  let isDeclared = false;
  await git.list(["ls-files", "--stage", "-z"], (entry) => {
    const path = entry.slice(entry.indexOf("\t") + 1);
    if (path === ".gitmodules") isDeclared = true;
    if (!entry.startsWith("160000 ")) return;
    count += 1;
    if (links.length < MAX_NAMED) links.push(path);
  });
  const [first] = links;
  if (first === undefined || !isDeclared) return;
  for (const path of links) print(`${path} is a submodule and stays empty`);
  if (leavesSubmodules) return;
  const what = count > 1 ? `and ${count - 1} more are submodules and stay empty` : "is a submodule and stays empty";
  const message = `${quoteForPeople(first)} ${what} - set checkout.submodules to false if the test needs none`;
  throw new StepError({ fault: "configuration", message });
}

function judgeFileError(error: NodeJS.ErrnoException): CheckoutProblem {
  const isOurs = ["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"].includes(error.code ?? "");
  return { fault: isOurs ? "configuration" : "network", message: `cannot prepare the workspace - ${error.message}` };
}

/** git itself leaves out what it knows to be a password; this holds whatever it prints. */
function withoutCredentials(text: string, plan: CheckoutPlan): string {
  const userInfo = plan.url === plan.publicUrl ? undefined : /:\/\/([^/@]*)@/.exec(plan.url)?.[1];
  if (userInfo === undefined) return text;
  const secrets = [userInfo, ...userInfo.split(":")].filter((part) => part.length > 3);
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
}
