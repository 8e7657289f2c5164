import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface ChildOptions {
  command: string;
  args: readonly string[];
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Gets each line of standard output; without it the lines join the log. Must not throw. */
  onLine?: (line: string) => void;
}

/** How a child ended; exactly one of the two is set. */
export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  /** Resolves, never rejects, when the process is gone and all its output has been read. */
  readonly exited: Promise<ChildExit>;
  readonly hasExited: boolean;
  /** One line to its standard input; silently nothing after its end. */
  writeLine(line: string): void;
  /** The last 256 KiB of what it printed, standard error and (without `onLine`) standard output. */
  log(): string;
  /** Resolves when its log holds `text`; rejects with the log when it ends before, or after `timeoutMs`. */
  logged(text: string, timeoutMs: number): Promise<void>;
  /** SIGTERM, after `graceMs` (5 s) SIGKILL; resolves when it is gone. Works on a suspended child and on a dead one. */
  stop(graceMs?: number): Promise<ChildExit>;
  kill(signal: NodeJS.Signals): void;
}

const LOG_LIMIT = 256 * 1024;

/**
 * Starts `command` so that the kernel kills it when this process dies, however that happens (PR_SET_PDEATHSIG, set by util-linux'
 * `setpriv`, which then becomes the command: same pid). Rejects with the remedy when the command is not there.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", options.command, ...options.args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const waiters = new Set<() => void>();
  const wake = () => {
    for (const waiter of [...waiters]) waiter();
  };
  let log = "";
  const append = (text: string) => {
    log = (log + text).slice(-LOG_LIMIT);
    wake();
  };
  child.stdin.on("error", () => {}); // EPIPE: it ended; `exited` tells
  child.stderr.setEncoding("utf8").on("data", append);
  createInterface({ input: child.stdout }).on("line", options.onLine ?? ((line) => append(`${line}\n`)));

  let hasExited = false;
  const exited = new Promise<ChildExit>((resolve) => {
    child.once("close", (code, signal) => {
      hasExited = true;
      resolve({ code, signal });
      wake();
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) =>
      reject(new Error(`cannot start setpriv (of util-linux) for ${options.command}: ${error.message}`, { cause: error })),
    );
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.command} has no pid`);

  const logged = (text: string, timeoutMs: number) =>
    new Promise<void>((resolve, reject) => {
      const finish = (failure?: string) => {
        clearTimeout(timer);
        waiters.delete(check);
        if (failure === undefined) resolve();
        else reject(new Error(`${options.command} ${failure} before it said "${text}". Its output:\n${log}`));
      };
      const check = () => {
        if (log.includes(text)) finish();
        else if (hasExited) finish("ended");
      };
      const timer = setTimeout(() => finish(`took ${timeoutMs} ms`), timeoutMs);
      waiters.add(check);
      check();
    });

  const stop = async (graceMs = 5_000) => {
    if (hasExited) return exited;
    child.kill("SIGTERM");
    child.kill("SIGCONT"); // a suspended one gets the SIGTERM only when it runs again
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    try {
      return await exited;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    pid,
    exited,
    get hasExited() {
      return hasExited;
    },
    writeLine: (line) => void child.stdin.write(`${line}\n`),
    log: () => log,
    logged,
    stop,
    kill: (signal) => void child.kill(signal),
  };
}

/** What `ready` resolves with. Stops the child and rejects, with its log, when it ends before that or takes longer than `timeoutMs`. */
export async function untilReady<T>(
  child: Child,
  ready: Promise<T>,
  { name, timeoutMs, log = child.log }: { name: string; timeoutMs: number; log?: () => string },
): Promise<T> {
  const failed = Promise.withResolvers<never>();
  const fail = (what: string) => failed.reject(new Error(`${name} ${what}. Its log:\n${log()}`));
  void child.exited.then(() => fail("has ended"));
  const timer = setTimeout(() => fail(`is not ready after ${timeoutMs} ms`), timeoutMs);
  try {
    return await Promise.race([ready, failed.promise]);
  } catch (error) {
    await child.stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
