// `npm run mutation`: breaks the pure core and the controllers in one place after another, and tells which breaks no unit test notices.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { coerceError } from "../../src/runtime/errors.ts";
import { wholeNumber } from "../support/whole-number.ts";
import { type MutationReport, renderScores, renderSurvivors } from "./mutation-report.ts";
import { runStreaming } from "./run-streaming.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const ROOMS = ["src/core", "src/controllers"];
const TESTS = ["tests/unit/core/**/*.test.ts", "tests/unit/controllers/**/*.test.ts"];
/** Generated inputs of the tests: fewer, and the same ones for every break (tests/support/fuzz.ts). */
const FEWER_INPUTS = { TH_FUZZ_RUNS: "0.02", TH_FUZZ_SEED: "1" };
const MODULES = join(import.meta.dirname, "node_modules");

interface MutationFlags {
  concurrency: number;
  report?: string;
  static?: boolean;
}

async function mutation(paths: readonly string[], { concurrency, report, static: withStatic = false }: MutationFlags): Promise<void> {
  await install();
  const directory = mkdtempSync(join(tmpdir(), "th-mutation-"));
  try {
    const config = join(directory, "stryker.json");
    const json = resolve(report ?? join(directory, "report.json"));
    writeFileSync(config, JSON.stringify(strykerConfig(paths.length > 0 ? paths : ROOMS, json, concurrency, withStatic)));
    const stryker = [join(MODULES, "@stryker-mutator/core/bin/stryker.js"), "run", config];
    await runStreaming(process.execPath, stryker, ROOT, { NODE_COMPILE_CACHE: join(directory, "compile-cache"), ...FEWER_INPUTS });
    const { files } = JSON.parse(readFileSync(json, "utf8")) as MutationReport;
    console.log(renderSurvivors(files));
    console.log(renderScores(files));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** With the project's own packages it would be installed by everybody who only wants to run the tests. */
async function install(): Promise<void> {
  const isPresent = existsSync(join(MODULES, "@stryker-mutator/core"));
  if (isPresent) return;
  console.error("installing the mutation tool (npm ci in tests/mutation) ...");
  await runStreaming("npm", ["ci", "--no-audit", "--no-fund", "--no-progress"], import.meta.dirname);
}

/** Those that mirror what is broken come first: the first test that fails ends a break's run. */
function testFiles(paths: readonly string[]): string[] {
  const mirrors = paths.map((path) => join("tests/unit", relative("src", path.endsWith(".ts") ? dirname(path) : path)));
  const isMirror = (file: string) => mirrors.some((mirror) => file.startsWith(`${mirror}/`));
  return globSync(TESTS, { cwd: ROOT }).sort((a, b) => Number(isMirror(b)) - Number(isMirror(a)) || (a < b ? -1 : 1));
}

/** https://stryker-mutator.io/docs/stryker-js/configuration/ */
function strykerConfig(paths: readonly string[], fileName: string, concurrency: number, withStatic: boolean): object {
  return {
    mutate: paths.map((path) => (path.endsWith(".ts") ? path : `${path.replace(/\/$/, "")}/**/*.ts`)),
    // The words of sentences are pinned by the golden files and the documentation; without them no rule is left out.
    mutator: { excludedMutations: ["StringLiteral"] },
    testRunner: "in-process",
    plugins: [join(import.meta.dirname, "in-process-runner.ts")],
    inProcess: { testFiles: testFiles(paths) },
    warnings: { unknownOptions: false, slow: false },
    coverageAnalysis: "perTest",
    // A break that loops without end is told by this alone; a busy machine must not look like one.
    timeoutMS: 15_000,
    timeoutFactor: 2,
    ignoreStatic: !withStatic,
    concurrency,
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName },
    // It would be read with a compiler's API that this compiler does not have.
    tsconfigFile: "none",
    ignorePatterns: ["tests/mutation/node_modules", "dist"],
    allowConsoleColors: false,
    cleanTempDir: "always",
  };
}

const program = new Command("npm run mutation --")
  .description(
    "Breaks src/core and src/controllers in one place at a time and lists what no unit test notices. Takes a minute or two a folder.",
  )
  .argument("[path...]", "files or directories of src to break instead, e.g. src/core/verdict")
  .option("--concurrency <n>", "tests side by side", wholeNumber(1), 2)
  .option("--static", "break also what is evaluated when a file is loaded, such as patterns: each of these breaks takes a run of all tests")
  .option("--report <file>", "keep the whole report there (JSON, mutation-testing-report-schema)")
  .action(mutation);

try {
  await program.parseAsync();
} catch (thrown) {
  console.error(coerceError(thrown).message);
  process.exitCode = 1;
}
