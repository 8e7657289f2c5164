import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { FILE_OUTCOMES_REPORTER, parsePassedFiles } from "../../support/file-outcomes.ts";
import { type FileRun, tryTwice } from "../../support/second-try.ts";

const directory = mkdtempSync(join(tmpdir(), "th-outcomes-"));
after(() => rmSync(directory, { recursive: true }));

/** Runs these files as the test runner does; returns the names of those that passed. */
function passedOf(files: Record<string, string>): string[] {
  const outcomes = join(directory, "outcomes");
  const paths = Object.entries(files).map(([name, text]) => {
    writeFileSync(join(directory, name), `import { describe, test } from "node:test";\n${text}`);
    return join(directory, name);
  });
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const reporter = [`--test-reporter=${FILE_OUTCOMES_REPORTER}`, `--test-reporter-destination=${outcomes}`];
  spawnSync(process.execPath, ["--test", ...reporter, ...paths], { env });
  const passed = parsePassedFiles(readFileSync(outcomes, "utf8"));
  return Object.keys(files).filter((name) => passed.has(join(directory, name)));
}

describe("a file has passed", () => {
  test("when all its tests have, and its process ended well", () => {
    const passed = passedOf({
      "good one.mjs": 'test("passes", () => {}); test.skip("is skipped", () => {});',
      "other.mjs": 'describe("scene", () => { test("passes", () => {}); });',
      "failing.mjs": 'describe("scene", () => { test("passes", () => {}); test("fails", () => { throw new Error(); }); });',
      "unloadable.mjs": "throw new Error();",
      "leaving.mjs": 'test("passes", () => {}); process.on("exit", () => { process.exitCode = 3; });',
      "killed.mjs": 'test("passes", () => {}); test("dies", () => { process.kill(process.pid, "SIGKILL"); });',
    });
    assert.deepEqual(passed, ["good one.mjs", "other.mjs"]);
  });
});

describe("a second try", () => {
  /** What was run and told, when these are the files that pass, try after try. */
  async function tried(files: string[], ...passing: string[][]) {
    const runs: string[][] = [];
    const lines: string[] = [];
    const run = async (wanted: readonly string[], isSecond: boolean): Promise<FileRun> => {
      assert.equal(isSecond, runs.length === 1);
      const passed = new Set(passing[runs.length]);
      runs.push([...wanted]);
      return { exitCode: wanted.every((file) => passed.has(file)) ? 0 : 1, passed };
    };
    return { isPassed: await tryTwice(files, run, (line) => lines.push(line)), runs, told: lines.join("\n") };
  }

  test("is not made when all have passed", async () => {
    assert.deepEqual(await tried(["a", "b"], ["a", "b"]), { isPassed: true, runs: [["a", "b"]], told: "" });
  });

  test("is of the whole files that did not, and says how each of them ended", async () => {
    const { isPassed, runs, told } = await tried(["a", "b", "c"], ["b"], ["a"]);
    assert.deepEqual(
      [isPassed, runs],
      [
        false,
        [
          ["a", "b", "c"],
          ["a", "c"],
        ],
      ],
    );
    assert.match(told, /^FAILED: a, c; .*\npassed AT THE SECOND TRY ONLY.*: a\nFAILED TWICE: c$/);
  });

  test("may pass", async () => {
    assert.deepEqual((await tried(["a", "b"], ["b"], ["a"])).isPassed, true);
  });

  test("is of all when nothing is known of what failed", async () => {
    const run = async (): Promise<FileRun> => ({ exitCode: 1, passed: new Set(["a"]) });
    assert.equal(await tryTwice(["a"], run, () => {}), false);
  });
});
