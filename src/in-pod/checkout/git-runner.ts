import { spawn } from "node:child_process";
import type { Clock } from "../../runtime/clock.ts";

interface GitOptions {
  directory: string;
  environment: Readonly<Record<string, string>>;
  /** Aborting ends git and everything that it started. */
  signal: AbortSignal;
  clock: Clock;
  /** git is ended when it has said nothing for so long; give it `--progress`. */
  silenceMs: number;
  /** Each finished line of stderr; updates of a progress meter are left out. */
  onLine(line: string): void;
  /** What git reads from stdin; nothing without it. */
  input?: string;
  /** Each part of stdout as it comes. Without it the run has the first 16 KiB. */
  onOutput?(text: string): void;
}

export interface GitRun {
  /** `silent`: it said nothing for `silenceMs`. `unstartable`: there is no git. */
  end: "exited" | "silent" | "aborted" | "unstartable";
  /** Only 0 is success; null when a signal ended it. */
  code: number | null;
  stdout: string;
  /** The last 16 KiB. */
  stderr: string;
}

const KEPT_CHARACTERS = 16 * 1024;
const KILL_AFTER_MS = 1000;

/** Runs git without a shell, with exactly the environment given, to its end. Never rejects. */
export function runGit(args: readonly string[], options: GitOptions): Promise<GitRun> {
  if (options.signal.aborted) return Promise.resolve({ end: "aborted", code: null, stdout: "", stderr: "" });
  return new Promise((resolve) => {
    // A process group of its own: git's helpers (remote-https, ssh, index-pack) must end with it.
    const child = spawn("git", args, {
      cwd: options.directory,
      env: options.environment,
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    const run: GitRun = { end: "exited", code: null, stdout: "", stderr: "" };
    let cancelKill: (() => void) | undefined;
    let cancelSilence = watchSilence();

    function watchSilence(): () => void {
      return options.clock.schedule(options.silenceMs, () => terminate("silent"));
    }
    function terminate(end: "silent" | "aborted"): void {
      if (cancelKill) return;
      run.end = end;
      killGroup(child.pid, "SIGTERM");
      cancelKill = options.clock.schedule(KILL_AFTER_MS, () => killGroup(child.pid, "SIGKILL"));
    }
    const onAbort = () => terminate("aborted");
    options.signal.addEventListener("abort", onAbort, { once: true });

    const lines = makeLineReader(options.onLine);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (options.onOutput) options.onOutput(text);
      else run.stdout = (run.stdout + text).slice(0, KEPT_CHARACTERS);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      cancelSilence();
      cancelSilence = watchSilence();
      run.stderr = (run.stderr + text).slice(-KEPT_CHARACTERS);
      lines.read(text);
    });
    child.stdin.on("error", () => {}); // EPIPE: it ended without reading all; its exit code tells
    child.stdin.end(options.input ?? "");
    child.on("error", (error) => {
      run.end = "unstartable";
      run.stderr = error.message;
    });
    child.on("close", (code) => {
      cancelSilence();
      cancelKill?.();
      options.signal.removeEventListener("abort", onAbort);
      lines.end();
      resolve({ ...run, code });
    });
  });
}

function killGroup(pid: number | undefined, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: it has ended by itself; "close" follows
  }
}

const MAX_LINE = 1000;

/** Cuts text into lines; what `\r` ends is overwritten by what follows, as in a terminal. No line grows without bound. */
function makeLineReader(onLine: (line: string) => void): { read(text: string): void; end(): void } {
  let line = "";
  const finish = () => {
    const text = line.trimEnd(); // ssh ends its lines with \r\n
    const shown = text.slice(text.lastIndexOf("\r") + 1);
    line = "";
    if (shown !== "") onLine(shown);
  };
  return {
    read(text) {
      const [first = "", ...others] = text.split("\n");
      line += first;
      for (const part of others) {
        finish();
        line = part;
      }
      line = line.slice(line.lastIndexOf("\r", line.length - 2) + 1).slice(0, MAX_LINE);
    },
    end: finish,
  };
}
