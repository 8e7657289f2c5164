import { spawn } from "node:child_process";
import { TurboHipsterError } from "../../src/runtime/errors.ts";

/** A command that could not be started or ended with another code than 0; the message holds the end of what it said. */
export class CommandError extends TurboHipsterError {
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(commandLine: string, exitCode: number | null, how: string, stderr: string) {
    super("TH_COMMAND", `${commandLine}: ${how}${stderr.trim() === "" ? "" : `\n${lastLines(stderr, 20)}`}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

export interface RunOptions {
  cwd?: string;
  /** Laid over this process's environment. */
  env?: Record<string, string>;
  /** Written to the command's standard input. */
  input?: string;
  /** Sees every line of standard error as it comes. */
  onLine?: (line: string) => void;
}

/** How much of a command's output is kept; what is older is dropped. */
const MAX_OUTPUT = 4 * 1024 * 1024;

/** Runs a command to its end and gives its standard output. Throws CommandError. */
export function runCommand(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let partial = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout = (stdout + text).slice(-MAX_OUTPUT);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-MAX_OUTPUT);
      if (options.onLine === undefined) return;
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) options.onLine(line);
    });
    // A command that ends without reading its input is judged by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
    const commandLine = [command, ...args].join(" ").slice(0, 300);
    child.on("error", (error) => reject(new CommandError(commandLine, null, error.message, stderr)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(commandLine, code, signal ? `ended by ${signal}` : `exit code ${code}`, stderr || stdout));
    });
  });
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
