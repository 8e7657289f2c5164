// `npm test`: sets up what the tests need, runs all suites, and takes everything down again.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { coerceError, InputError } from "../src/runtime/errors.ts";
import { DEFAULT_TAG } from "../tools/image.ts";
import { ensureDebianPackages } from "../tools/machine/debian-packages.ts";
import { INSTEAD, requireClusterHost } from "../tools/machine/prerequisites.ts";
import { type GivenClusterChoice, requireContext } from "./support/cluster/given-cluster.ts";
import { startOwnClusters, type TakeDowns, useGivenCluster } from "./support/cluster/suite-clusters.ts";
import { FILE_OUTCOMES_REPORTER, parsePassedFiles } from "./support/file-outcomes.ts";
import { NEED_ROOT } from "./support/left-out-files.ts";
import { type FileRun, tryTwice } from "./support/second-try.ts";
import { takeAllDown } from "./support/take-down.ts";
import { ensurePythonVenv } from "./support/zuul/python-venv.ts";

const ROOT = join(import.meta.dirname, "..");
/** Fails every test that leaves a listener, socket, timer or process behind. */
const LEAK_CHECK = join(ROOT, "tests/support/leak-check.ts");

interface Suite {
  /** Each of its files has a real cluster to itself, of as many as files run at a time, or that of a context, one after another. */
  cluster: boolean;
  /** Debian's, beside those that every suite but unit needs. */
  packages: readonly string[];
  /** Files at a time. */
  concurrency: number;
  /** Of one test. */
  timeoutMs: number;
  /** Of the whole suite: several times what it takes on a busy machine. What hangs fails then, and says where, instead of taking hours. */
  limitMs: number;
}

/** In this order: what is quick and says most comes first. */
const SUITES: Record<string, Suite> = {
  unit: { cluster: false, packages: [], concurrency: 2, timeoutMs: 60_000, limitMs: 300_000 },
  integration: {
    cluster: false,
    packages: ["openssh-client", "openssh-server", "zsh", "fish"],
    concurrency: 3,
    timeoutMs: 180_000,
    limitMs: 1_200_000,
  },
  browser: { cluster: false, packages: ["chromium"], concurrency: 1, timeoutMs: 120_000, limitMs: 600_000 },
  contract: { cluster: true, packages: [], concurrency: 1, timeoutMs: 300_000, limitMs: 600_000 },
  e2e: { cluster: true, packages: [], concurrency: 2, timeoutMs: 600_000, limitMs: 3_000_000 },
};

const PACKAGES = ["gearman-job-server", "gearman-tools", "git", "openssl", "stunnel4", "util-linux"];

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

interface Choice {
  names: readonly string[];
  /** Arguments for the test runner. */
  extra: readonly string[];
  /** Somebody else's cluster, instead of our own. */
  given: GivenClusterChoice | undefined;
}

/** What the files of all suites are run with. */
interface Ground {
  env: Record<string, string>;
  extra: readonly string[];
  /** Whether all share one cluster. */
  isGiven: boolean;
  /** A directory for what is noted of a run. */
  state: string;
}

/** Runs the suites and returns those that failed, and how many files were left out. */
async function runSuites({ names, extra, given }: Choice): Promise<{ failed: string[]; leftOut: number }> {
  const needsCluster = names.some((name) => SUITES[name]?.cluster);
  // Throws where there can't be any, before minutes are spent on what comes first.
  if (needsCluster) await (given ? requireContext(given.context, log) : requireLocalClusters());
  const failed: string[] = [];
  if (names.includes("unit") && extra.length === 0) {
    log("types and lint");
    if ((await exec(join(ROOT, "node_modules/.bin/tsc"), ["-p", "."], {})) !== 0) failed.push("types");
    if ((await exec(join(ROOT, "node_modules/.bin/biome"), ["check", "--error-on-warnings", "."], {})) !== 0) failed.push("lint");
  }
  if (names.some((name) => name !== "unit")) {
    log("preparing Gearman servers and Zuul's launcher");
    await ensureDebianPackages([...PACKAGES, ...names.flatMap((name) => SUITES[name]?.packages ?? [])], log);
    await ensurePythonVenv();
  }
  const ground: Ground = { env: {}, extra, isGiven: given !== undefined, state: mkdtempSync(join(tmpdir(), "th-tests-")) };
  const takeDowns: TakeDowns = new Map();
  // A CI that runs all that there is may not pass with less for want of root.
  const reasons: Record<string, string> = process.getuid?.() === 0 || (process.env.CI && !given) ? {} : { ...NEED_ROOT };
  let leftOut = 0;
  try {
    if (needsCluster) {
      const clusters = given ? await useGivenCluster(given, takeDowns, log) : await startOwnClusters(clusterNames(names), takeDowns, log);
      ground.env = clusters.env;
      Object.assign(reasons, clusters.leftOut);
    }
    for (const name of names) {
      const all = globSync(`tests/${name}/**/*.test.ts`, { cwd: ROOT }).sort();
      const files = all.filter((file) => reasons[file] === undefined);
      for (const file of all) if (reasons[file] !== undefined) log(`left out: ${file}, because ${reasons[file]}`);
      leftOut += all.length - files.length;
      if (files.length > 0 && !(await runSuite(name, files, ground))) failed.push(name);
    }
  } finally {
    rmSync(ground.state, { recursive: true, force: true });
    const takeDown = async (name: string) => takeDowns.get(name)?.();
    if (!(await takeAllDown([...takeDowns.keys()], takeDown, log))) failed.push("taking down what was started");
  }
  return { failed, leftOut };
}

/** Whether all files passed, if need be at the second try. */
async function runSuite(name: string, files: readonly string[], { env, extra, isGiven, state }: Ground): Promise<boolean> {
  const suite = SUITES[name];
  if (!suite) return false;
  log(`${name} tests (${files.length} files)`);
  const run = async (wanted: readonly string[], isSecond: boolean): Promise<FileRun> => {
    const outcomes = join(state, `${name}-${isSecond ? 2 : 1}`);
    const concurrency = isSecond || (suite.cluster && isGiven) ? 1 : suite.concurrency;
    const limits = [`--test-concurrency=${concurrency}`, `--test-timeout=${suite.timeoutMs}`];
    const reporters = Object.entries({ spec: "stdout", [FILE_OUTCOMES_REPORTER]: outcomes });
    const reporting = reporters.flatMap(([reporter, to]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${to}`]);
    const args = ["--test", "--import", LEAK_CHECK, ...limits, ...reporting, ...extra, ...wanted];
    const exitCode = await exec(process.execPath, args, env, suite.limitMs);
    const passed = existsSync(outcomes) ? parsePassedFiles(readFileSync(outcomes, "utf8")) : new Set<string>();
    return { exitCode, passed: new Set(wanted.filter((file) => passed.has(join(ROOT, file)))) };
  };
  const isPassed = await tryTwice(files, run, (line) => !interrupted && log(line));
  log(`${name} tests ${isPassed ? "passed" : "FAILED"}`);
  return isPassed;
}

/** Throws InputError. */
function requireLocalClusters(): void {
  try {
    requireClusterHost();
  } catch (error) {
    throw new InputError(`${coerceError(error).message}\n${INSTEAD}`, { cause: error });
  }
}

/** One for each file that runs at a time. */
function clusterNames(names: readonly string[]): string[] {
  const count = Math.max(...names.map((name) => (SUITES[name]?.cluster ? SUITES[name].concurrency : 0)));
  return Array.from({ length: count }, (_, index) => `test-${process.pid}-${index + 1}`);
}

const HELP = `
Contract and e2e tests run in clusters that are made for them, which needs root, or with --context in one that you have, as with kind:
  docker build -f deploy/Dockerfile -t turbo-hipster:dev .
  kind load docker-image turbo-hipster:dev
  npm test -- contract e2e --context kind-kind
What can't run there, or not without root, is left out, and named with the reason.`;

interface RunOptions {
  name?: string;
  context?: string;
  image?: string;
  hostAddress?: string;
}

const program = new Command("npm test --")
  .description("Sets up what the tests need and runs them: unit, integration, browser, contract, e2e.")
  .argument("[suite...]", `which suites (default: all of ${Object.keys(SUITES).join(", ")})`)
  .option("--name <pattern>", "only tests whose name matches")
  .option("--context <name>", "contract and e2e: use this cluster of the kubeconfig, which has no TestTasks, instead of local ones")
  .option("--image <reference>", `with --context: the image of this program that the cluster has (default: ${DEFAULT_TAG})`)
  .option("--host-address <address>", "with --context: address of this machine as the cluster's pods reach it (default: guessed)")
  .addHelpText("after", HELP)
  .action(async (wanted: string[], { name, context, image, hostAddress }: RunOptions) => {
    const unknown = wanted.filter((suite) => !SUITES[suite]);
    if (unknown.length > 0) program.error(`no such suite: ${unknown.join(", ")}; there are ${Object.keys(SUITES).join(", ")}`);
    const names = Object.keys(SUITES).filter((suite) => wanted.length === 0 || wanted.includes(suite));
    if (context === undefined && (image !== undefined || hostAddress !== undefined))
      program.error("--image and --host-address need --context");
    const given = context === undefined ? undefined : { context, image: image ?? DEFAULT_TAG, hostAddress };
    const { failed, leftOut } = await runSuites({ names, extra: name === undefined ? [] : [`--test-name-pattern=${name}`], given });
    const rest = leftOut === 0 ? "" : `; ${leftOut} files were left out, as said above`;
    log(`${failed.length === 0 ? "all passed" : `FAILED: ${failed.join(", ")}`}${rest}`);
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
