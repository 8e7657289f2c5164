// `npm test`: sets up what the tests need, runs all suites, and takes everything down again.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { downCluster, loadImage, upCluster } from "../deploy/local/local-cluster.ts";
import { coerceError } from "../src/runtime/errors.ts";
import { ensureImage } from "../tools/image.ts";
import { ensureDebianPackages } from "../tools/machine/debian-packages.ts";
import { FILE_OUTCOMES_REPORTER, parsePassedFiles } from "./support/file-outcomes.ts";
import { type FileRun, tryTwice } from "./support/second-try.ts";
import { takeAllDown } from "./support/take-down.ts";
import { ensurePythonVenv } from "./support/zuul/python-venv.ts";

const ROOT = join(import.meta.dirname, "..");
/** Fails every test that leaves a listener, socket, timer or process behind. */
const LEAK_CHECK = join(ROOT, "tests/support/leak-check.ts");

interface Suite {
  /** Each of its files has a real cluster to itself, of as many as files run at a time. */
  cluster: boolean;
  /** Files at a time. */
  concurrency: number;
  /** Of one test. */
  timeoutMs: number;
  /** Of the whole suite: several times what it takes on a busy machine. What hangs fails then, and says where, instead of taking hours. */
  limitMs: number;
}

/** In this order: what is quick and says most comes first. */
const SUITES: Record<string, Suite> = {
  unit: { cluster: false, concurrency: 2, timeoutMs: 60_000, limitMs: 300_000 },
  integration: { cluster: false, concurrency: 3, timeoutMs: 180_000, limitMs: 1_200_000 },
  browser: { cluster: false, concurrency: 1, timeoutMs: 120_000, limitMs: 600_000 },
  contract: { cluster: true, concurrency: 1, timeoutMs: 300_000, limitMs: 600_000 },
  e2e: { cluster: true, concurrency: 2, timeoutMs: 600_000, limitMs: 3_000_000 },
};

/** For a suite that is over its limit to say what it was at. */
const END_GRACE_MS = 15_000;

const startedMs = performance.now();

function log(line: string): void {
  console.error(`[${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s] ${line}`);
}

let interrupted: NodeJS.Signals | undefined;
let running: ChildProcess | undefined;

/** Runs a command with this process's output; returns its exit code, 1 when a signal ended it or the run is over. */
function exec(command: string, args: readonly string[], env: Record<string, string>, limitMs = 300_000): Promise<number> {
  if (interrupted) return Promise.resolve(1);
  const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, ...env } });
  running = child;
  const timers = [
    setTimeout(() => {
      log(`OVER THE LIMIT of ${limitMs / 1000} s: ends what runs`);
      child.kill("SIGTERM");
    }, limitMs),
    setTimeout(() => child.kill("SIGKILL"), limitMs + END_GRACE_MS),
  ];
  return new Promise<number>((resolve) => {
    child.on("error", () => resolve(1));
    child.on("close", (code) => resolve(code ?? 1));
  }).finally(() => timers.forEach(clearTimeout));
}

/** Runs the suites and returns those that failed. */
async function runSuites(names: readonly string[], extra: readonly string[]): Promise<string[]> {
  const count = Math.max(0, ...names.map((name) => (SUITES[name]?.cluster ? SUITES[name].concurrency : 0)));
  const clusters = Array.from({ length: count }, (_, index) => `test-${process.pid}-${index + 1}`);
  const failed: string[] = [];
  if (names.includes("unit") && extra.length === 0) {
    log("types and lint");
    if ((await exec(join(ROOT, "node_modules/.bin/tsc"), ["-p", "."], {})) !== 0) failed.push("types");
    if ((await exec(join(ROOT, "node_modules/.bin/biome"), ["check", "--error-on-warnings", "."], {})) !== 0) failed.push("lint");
  }
  if (names.some((name) => name !== "unit")) {
    log("preparing Gearman servers and Zuul's launcher");
    await ensureDebianPackages(["gearman-job-server", "gearman-tools", "git", "openssl", "stunnel4", "util-linux"], log);
    await ensurePythonVenv();
  }
  const state = mkdtempSync(join(tmpdir(), "th-tests-"));
  const env: Record<string, string> = {};
  try {
    if (clusters.length > 0) {
      log("preparing the image of this program");
      const { archive, tag } = await ensureImage({ log });
      for (const name of clusters) {
        const { kubeconfig } = await upCluster({ name, log });
        await loadImage(name, archive);
        env.TH_TEST_KUBECONFIG ??= kubeconfig;
      }
      Object.assign(env, { TH_TEST_CLUSTERS: clusters.join(","), TH_TEST_IMAGE: tag });
    }
    for (const name of names) {
      const suite = SUITES[name];
      const files = globSync(`tests/${name}/**/*.test.ts`, { cwd: ROOT }).sort();
      if (!suite || files.length === 0) continue;
      log(`${name} tests (${files.length} files)`);
      const run = async (wanted: readonly string[], isSecond: boolean): Promise<FileRun> => {
        const outcomes = join(state, `${name}-${isSecond ? 2 : 1}`);
        const limits = [`--test-concurrency=${isSecond ? 1 : suite.concurrency}`, `--test-timeout=${suite.timeoutMs}`];
        const reporters = Object.entries({ spec: "stdout", [FILE_OUTCOMES_REPORTER]: outcomes });
        const reporting = reporters.flatMap(([reporter, to]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${to}`]);
        const args = ["--test", "--import", LEAK_CHECK, ...limits, ...reporting, ...extra, ...wanted];
        const exitCode = await exec(process.execPath, args, env, suite.limitMs);
        const passed = existsSync(outcomes) ? parsePassedFiles(readFileSync(outcomes, "utf8")) : new Set<string>();
        return { exitCode, passed: new Set(wanted.filter((file) => passed.has(join(ROOT, file)))) };
      };
      const isPassed = await tryTwice(files, run, (line) => !interrupted && log(line));
      if (!isPassed) failed.push(name);
      log(`${name} tests ${isPassed ? "passed" : "FAILED"}`);
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
    const down = (name: string) => downCluster({ name, log });
    if (!(await takeAllDown(clusters, down, log))) failed.push("taking down clusters (npm run cluster -- down --name NAME)");
  }
  return failed;
}

const program = new Command("npm test --")
  .description("Sets up what the tests need and runs them: unit, integration, browser, contract, e2e. Needs root for those with a cluster.")
  .argument("[suite...]", `which suites (default: all of ${Object.keys(SUITES).join(", ")})`)
  .option("--name <pattern>", "only tests whose name matches")
  .action(async (wanted: string[], { name }: { name?: string }) => {
    const unknown = wanted.filter((suite) => !SUITES[suite]);
    if (unknown.length > 0) program.error(`no such suite: ${unknown.join(", ")}; there are ${Object.keys(SUITES).join(", ")}`);
    const names = Object.keys(SUITES).filter((suite) => wanted.length === 0 || wanted.includes(suite));
    const failed = await runSuites(names, name === undefined ? [] : [`--test-name-pattern=${name}`]);
    log(failed.length === 0 ? "all passed" : `FAILED: ${failed.join(", ")}`);
    process.exitCode = failed.length === 0 ? 0 : 1;
  });

// An interrupted run takes its cluster down as well.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    log(`${signal}: taking down what was started`);
    interrupted = signal;
    running?.kill("SIGTERM");
  });
}

program.parseAsync(process.argv).catch((error) => {
  log(coerceError(error).message);
  process.exitCode = 1;
});
