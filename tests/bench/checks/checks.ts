import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import { wholeNumber } from "../../support/whole-number.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { stagePublishedProgram } from "../published-operator.ts";
import { type ChecksReport, compare, isMet, type Pass, renderChecks } from "./checks-summary.ts";

/** As RE2 and grep -E alike read them. */
const PATTERNS = [
  "Running upgrade ([0-9]+) -> ([0-9]+)",
  "^Traceback \\(most recent call last\\)",
  "ERROR.*deadlock",
  "rows_read[[:space:]]+([0-9]+)",
];
const CATASTROPHIC = "(x+x+)+y";
/** No text is in each of its matches. */
const TEXTLESS = "[A-Z]{5}: [0-9]+";
/** Writes what the process had resident at most, in KiB, when it ends. */
const REPORTER = "process.on('exit', () => console.error('maxrss ' + process.resourceUsage().maxRSS))";

interface Flags {
  megabytes: number;
  rounds: number;
}

interface Passes {
  ours: Pass[];
  grep: Pass[];
}

export const checksBench: Bench = {
  name: "checks",
  description:
    "turbo-hipster check, as it is published, beside grep -E -n in the C locale on the same log with the same patterns, in turn, and the " +
    "memory that takes",
  configure: (command: Command) =>
    command
      .option("--megabytes <number>", "of the log", wholeNumber(1), 1000)
      .option("--rounds <number>", "passes of each, in turn", wholeNumber(1), 3),
  run: (flags, world) => runChecksBench(flags as unknown as Flags, world),
};

async function runChecksBench({ megabytes, rounds }: Flags, { signal, log }: BenchWorld): Promise<BenchReport> {
  const directory = await mkdtemp(join(tmpdir(), "turbo-hipster-bench-checks-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const [whole, small] = [join(directory, "log"), join(directory, "small")];
  log(`writing a log of ${megabytes} MB`);
  const bytes = await writeLog(whole, megabytes * 1e6, signal);
  await writeLog(small, (megabytes * 1e6) / 20, signal);
  await using program = await stagePublishedProgram();
  const task = join(directory, "task.yaml");
  const ours = async (file: string) => runPass(ourCommand(program.bin, task, file), signal);
  const measure = async (patterns: readonly string[]) => {
    await writeFile(task, JSON.stringify(taskOf(patterns)));
    const passes: Passes = { ours: [], grep: [] };
    for (let round = 1; round <= rounds; round += 1) {
      const [our, grep] = [await ours(whole), await runPass(grepCommand(patterns, whole), signal)];
      passes.ours.push(our);
      passes.grep.push(grep);
      log(`round ${round} of ${rounds}: ours ${our.seconds.toFixed(2)} s, grep ${grep.seconds.toFixed(2)} s`);
    }
    return passes;
  };
  const plain = await measure(PATTERNS);
  const textless = await measure([...PATTERNS, TEXTLESS]);
  const catastrophic = await measure([...PATTERNS, CATASTROPHIC]);
  const ofSmall = await ours(small);
  const large = Math.max(...[plain, textless, catastrophic].flatMap((passes) => passes.ours.map(({ rssMb }) => rssMb)));
  const report: ChecksReport = {
    ...compare(plain.ours, plain.grep),
    ...{ bytes, catastrophic: compare(catastrophic.ours, catastrophic.grep), textless: compare(textless.ours, textless.grep) },
    memoryMb: { small: ofSmall.rssMb, large },
  };
  return { json: report, text: renderChecks(report), isFailed: !isMet(report) };
}

function taskOf(patterns: readonly string[]): object {
  const checks = patterns.map((regex, index) => ({ name: `c${index}`, pattern: { regex, expect: "present", atLeast: 0 } }));
  return { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "bench" }, spec: { image: "busybox", checks } };
}

function ourCommand(bin: string, task: string, file: string): string[] {
  const reporter = `--import=data:text/javascript,${encodeURIComponent(REPORTER)}`;
  return [process.execPath, reporter, bin, "check", task, "--log", file];
}

function grepCommand(patterns: readonly string[], file: string): string[] {
  // With numbers of lines, which checks tell as well.
  return ["grep", "-E", "-n", ...patterns.flatMap((pattern) => ["-e", pattern]), file];
}

/** grep counts bytes for characters, which is the faster way. */
async function runPass([command = "", ...args]: string[], signal: AbortSignal): Promise<Pass> {
  signal.throwIfAborted();
  const beganMs = performance.now();
  const child = spawn(command, args, { env: { ...process.env, LC_ALL: "C" }, stdio: ["ignore", "pipe", "pipe"], signal });
  // What goes to /dev/null grep does not look for.
  child.stdout.resume();
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const seconds = (performance.now() - beganMs) / 1000;
  if (code !== 0) throw new TurboHipsterError("TH_BENCH", `${command} ended with ${code}: ${said}`);
  return { seconds, rssMb: Math.round(Number(/maxrss (\d+)/.exec(said)?.[1] ?? 0) / 1024) };
}

/** Lines as builds print them, the same for each run; a step and a number every ten thousand lines, and long runs of x in some. */
async function writeLog(path: string, bytes: number, signal: AbortSignal): Promise<number> {
  let written = 0;
  const blocks = function* () {
    for (let block = 0; written < bytes; block += 1) {
      const lines: string[] = [];
      for (let index = 0; index < 10_000; index += 1) {
        const line = block * 10_000 + index;
        const tail = line % 50 === 0 ? "x".repeat(60) : `worker ${(line * 7919) % 1_000_003}`;
        lines.push(
          `2026-01-01 12:${String(line % 60).padStart(2, "0")} INFO [module.${line % 17}] request ${line} took ${line % 977} ms, ${tail}\n`,
        );
      }
      lines.push(
        `INFO [alembic.runtime.migration] Running upgrade ${block} -> ${block + 1}, add a column\nInnodb_rows_read\t${block * 37}\n`,
      );
      const text = Buffer.from(lines.join(""));
      written += text.length;
      yield text;
    }
  };
  await pipeline(Readable.from(blocks()), createWriteStream(path), { signal });
  return written;
}
