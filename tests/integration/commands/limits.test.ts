import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { performLimits } from "../../../src/commands/limits.ts";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";
import { BUILD_FILE, renderBuildFile } from "../../../src/core/logs/build-file.ts";
import type { Verdict } from "../../../src/core/verdict/verdict.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { StoredBuilds } from "../../../src/logs/stores/stored-builds.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { sampleBuild } from "../../support/pages/sample-pages.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const HEAD = "apiVersion: turbo-hipster.io/v1alpha1\nkind: TestTask\nmetadata: {name: migrations}\nspec:\n  image: busybox\n";
const TASK = `${HEAD}  checks: [{name: it, steps: {start: "^begin (a)", limit: 30s}}]\n`;
const PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "checks-passed", message: "" };

describe("turbo-hipster limits", () => {
  let directory: string;
  const at = (name: string) => join(directory, name);

  /** A stored build whose step took so long. */
  async function store(index: number, seconds: number, more: { task?: string; verdict?: Verdict } = {}): Promise<void> {
    const files = new FilesStore({ directory: at("logs"), publicUrl: undefined, clock: systemClock, logger: silentLogger });
    const builds = new StoredBuilds(files);
    const { signal } = new AbortController();
    const jobName = `migrations-${String(index).padStart(16, "0")}`;
    const place = { namespace: "ci", jobName, endedAt: new Date(1_767_225_600_000 + index * 1000), logPath: `logs/${index}` };
    const report = sampleBuild({ ...{ number: jobName, jobName, namespace: "ci", task: "migrations", verdict: PASSED }, ...more });
    const steps = [{ name: "a", line: 1, seconds }];
    const checks = [{ name: "it", kind: "steps" as const, outcome: "passed" as const, message: "", findings: [], more: 0, steps }];
    const { directory: folder } = await builds.begin(place, signal);
    const file = { version: 1 as const, build: report, containers: [], commits: [], logs: [], problems: [], checks };
    await files.putText(`${folder}/${BUILD_FILE}`, renderBuildFile(file), signal);
    await builds.finish(place, folder, report, signal);
    files.close();
  }

  async function limits(flags: { store?: string; config?: string; namespace?: string; margin?: number }, task = TASK) {
    await writeFile(at("task.yaml"), task);
    const [printed, errors]: [string[], string[]] = [[], []];
    const world = {
      signal: new AbortController().signal,
      print: (line: string) => printed.push(line),
      printError: (line: string) => errors.push(line),
    };
    const code = await performLimits(at("task.yaml"), { margin: 50, ...flags }, world);
    return { code, printed: printed.join("\n"), errors: errors.join("\n") };
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-limits-"));
    await mkdir(at("logs"));
    for (const [index, seconds] of [10, 20, 40].entries()) await store(index, seconds);
    await store(7, 900, { verdict: { result: "FAILURE", class: "failure", rule: "check-failed", message: "" } });
    await store(8, 900, { task: "other" });
  });

  after(() => rm(directory, { recursive: true, force: true }));

  test("tells what builds that have succeeded say, as a diff and as checks to paste", async () => {
    const { code, printed, errors } = await limits({ store: at("logs") });
    assert.deepEqual([code, errors], [0, ""]);
    assert.match(
      printed,
      /^# 3 builds of migrations; limits are 50% above the 99th percentile\n# it:\n# {3}- limit: 30s\n# {3}\+ limit: 60s \(99% of 3 samples/,
    );
    const [document] = readTestTaskDocuments(`${HEAD}${printed.replace(/^/gm, "  ")}\n`);
    assert.equal(document?.state === "valid" && document.task.spec.checks?.[0]?.steps?.limit, "60s");
  });

  test("tells where there is none, or nobody knows where they are", async () => {
    const refusals: [flags: Parameters<typeof limits>[0], code: number, why: RegExp, task?: string][] = [
      [{ store: at("logs"), namespace: "elsewhere" }, 1, /no build of migrations that has succeeded is kept/],
      [{}, 2, /say where builds are kept, with --store or --config/],
      [{ store: at("logs"), config: "a" }, 2, /--store or --config/],
      [{ store: at("logs") }, 2, /TestTask migrations has no checks of steps, counters or values/, HEAD],
    ];
    for (const [flags, code, why, task] of refusals) {
      const found = await limits(flags, task);
      assert.equal(found.code, code);
      assert.match(found.errors, why);
    }
  });
});
