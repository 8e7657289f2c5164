import type { Command } from "commander";

export interface BenchWorld {
  /** Aborts when the run is interrupted; a bench then rejects soon, with everything that it started taken down. */
  signal: AbortSignal;
  /** Progress, for people. */
  log(line: string): void;
}

export interface Bench {
  name: string;
  description: string;
  /** Adds the bench's own options. */
  configure(command: Command): void;
  /** `flags` are what commander made of the options. Resolves when everything that it started is gone. */
  run(flags: Record<string, unknown>, world: BenchWorld): Promise<BenchReport>;
}

export interface BenchReport {
  /** What `--json` prints. */
  json: object;
  /** The same for people, lines without a final newline. */
  text: string;
  /** The figures are out of what is promised: they are printed all the same, and the exit code is 1. */
  isFailed?: boolean;
}
