import { type GitFailure, judgeGitFailure } from "../../core/checkout/git-failure.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import type { GitSource } from "../../core/checkout/sources.ts";
import { formatDuration } from "../../core/kubernetes/duration.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type GitRun, runGit } from "./git-runner.ts";

/** What every git of a checkout runs with. */
export interface GitWorld {
  /** git's whole environment for what goes to this URL; without one for what stays in the pod. Credentials are in that of their own host alone. */
  environmentFor(url: string | undefined): Readonly<Record<string, string>>;
  /** Texts that may not be printed. */
  secrets: readonly string[];
  signal: AbortSignal;
  clock: Clock;
  /** A server that accepts and then says nothing is given up for this try, so that the time for all of them is not spent on one. */
  silenceMs: number;
  /** A line of progress for people. Holds no credentials. */
  print(line: string): void;
}

/** git in a directory. Where it goes to a server, `source` says whose fault a failure is. */
export interface Git {
  readonly directory: string;
  readonly source: GitSource;
  /** Throws a judged CheckoutError when git fails. */
  run(...args: string[]): Promise<GitRun>;
  /** How it ended, whatever that is. */
  ask(...args: string[]): Promise<GitRun>;
  /** As `run`, with the environment of the source: for what goes to the server. Throws a judged GitError. */
  reach(...args: string[]): Promise<GitRun>;
  /** As `run`, for what writes a list of any length: `onRecord` gets each part of its output that `end` ends, a NUL by default. */
  list(args: readonly string[], onRecord: (record: string) => void, end?: "\0" | "\n"): Promise<void>;
  /** As `run`, with `input` on its standard input. */
  feed(input: string, ...args: string[]): Promise<GitRun>;
  /** The same git for what another server says. */
  of(source: GitSource): Git;
}

/** A failure of git, with what of it is not there. */
export class GitError extends CheckoutError {
  readonly absent: GitFailure["absent"];

  constructor({ fault, message, absent }: GitFailure) {
    super(fault, message);
    this.absent = absent;
  }
}

/** A server that accepts and says nothing. */
export class GitSilence extends CheckoutError {}

/** Longer records are names that nobody needs whole. */
const MAX_RECORD = 64 * 1024;

interface AskOptions {
  /** The server that it goes to. */
  url?: string;
  input?: string;
  onOutput?(text: string): void;
}

export function makeGit(directory: string, source: GitSource, world: GitWorld): Git {
  const mask = (text: string) => withoutSecrets(text, source, world.secrets);
  const ask = async (args: readonly string[], { url, ...streams }: AskOptions = {}): Promise<GitRun> => {
    const onLine = (line: string) => world.print(mask(line));
    const { signal, clock, silenceMs } = world;
    const run = await runGit(args, { signal, clock, silenceMs, directory, environment: world.environmentFor(url), onLine, ...streams });
    world.signal.throwIfAborted();
    return run;
  };
  const judge = (run: GitRun): GitRun => {
    if (run.end === "unstartable") throw new CheckoutError("configuration", "cannot start git - the checkout's image lacks it");
    if (run.end === "silent") throw new GitSilence("network", `${source.host} said nothing for ${formatDuration(world.silenceMs)}`);
    if (run.code !== 0) throw new GitError(judgeGitFailure(mask(run.stderr), source));
    return run;
  };
  return {
    directory,
    source,
    ask: (...args) => ask(args),
    run: async (...args) => judge(await ask(args)),
    reach: async (...args) => judge(await ask(args, { url: source.url })),
    feed: async (input, ...args) => judge(await ask(args, { input })),
    async list(args, onRecord, end = "\0") {
      let rest = "";
      const onOutput = (text: string) => {
        const records = `${rest}${text}`.split(end);
        rest = (records.pop() ?? "").slice(0, MAX_RECORD);
        for (const record of records) onRecord(record);
      };
      judge(await ask(args, { onOutput }));
    },
    of: (other) => makeGit(directory, other, world),
  };
}

/** git itself leaves out what it knows to be a password; this holds whatever it prints. */
function withoutSecrets(text: string, { url, publicUrl }: GitSource, others: readonly string[]): string {
  const userInfo = url === publicUrl ? undefined : /:\/\/([^/@]*)@/.exec(url)?.[1];
  const ofUrl = userInfo === undefined ? [] : [userInfo, ...userInfo.split(":")].filter((part) => part.length > 3);
  return [...ofUrl, ...others].reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
}
