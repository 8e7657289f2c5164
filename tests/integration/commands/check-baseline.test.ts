import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { performCheck } from "../../../src/commands/check.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { keepBuild, keptCheck } from "../../support/logs/kept-build.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const TASK = `
apiVersion: turbo-hipster.io/v1alpha1
kind: TestTask
metadata: {name: migrations}
spec: {image: busybox, checks: [{name: it, steps: {start: "^begin (a)", end: "^end", baseline: {}}}]}
`;
const DATASET = { name: "user_001", source: "configMap a" };

describe("turbo-hipster check against what is usual", () => {
  let directory: string;
  const at = (name: string) => join(directory, name);

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-check-baseline-"));
    await mkdir(at("logs"));
    await writeFile(at("task.yaml"), TASK);
    await writeFile(at("a.log"), "2026-01-01T00:00:00Z begin a\n2026-01-01T00:01:01Z end\n");
    const store = new FilesStore({ directory: at("logs"), publicUrl: undefined, clock: systemClock, logger: silentLogger });
    const item = { branch: "stable" };
    for (let index = 0; index < 8; index += 1) await keepBuild(store, "migrations", index, { checks: [keptCheck("it", 14, "a")] });
    for (let index = 8; index < 16; index += 1) await keepBuild(store, "migrations", index, { checks: [keptCheck("it", 61, "a")], item });
    for (let index = 16; index < 23; index += 1)
      await keepBuild(store, "migrations", index, { checks: [keptCheck("it", 14, "a")], item, dataset: DATASET });
    const failed = { result: "FAILURE", class: "failure", rule: "check-failed", message: "" } as const;
    await keepBuild(store, "migrations", 23, { checks: [keptCheck("it", 9, "a")], verdict: failed });
    store.close();
  });

  after(() => rm(directory, { recursive: true, force: true }));

  async function check(flags: { store?: string; config?: string; branch?: string; dataset?: string } = {}) {
    const [printed, errors]: [string[], string[]] = [[], []];
    const world = {
      stdin: (async function* () {})(),
      print: (line: string) => printed.push(line),
      printError: (line: string) => errors.push(line),
    };
    const code = await performCheck(at("task.yaml"), { log: at("a.log"), json: false, ...flags }, world);
    return { code, finding: printed[1]?.trim(), errors: errors.join("\n") };
  }

  // Of the newest 20 that have succeeded 12 took 14 s and 8 took 61 s: the mean is 32.8 s, and their deviation 23.6 s.
  const rows: [what: string, flags: Parameters<typeof check>[0], code: number, finding: string][] = [
    ["of a branch", { branch: "master" }, 1, "! 1: a took 61s, usually 14s in 8 builds of master, allowed 18.2s"],
    ["of any branch", {}, 0, "1: a took 61s, usually 32.8s in 20 builds, allowed 103.7s"],
    ["of too few builds", { branch: "stable", dataset: "user_001" }, 0, "1: a took 61s, 7 builds of stable kept that have it, 8 needed"],
  ];
  for (const [what, flags, code, finding] of rows) {
    test(`tells it by kept builds ${what}`, async () => {
      assert.deepEqual(await check({ store: at("logs"), ...flags }), { code, finding, errors: "" });
    });
  }

  test("tells that there are none at hand, and what it can not read", async () => {
    assert.equal((await check()).finding, "1: a took 61s, no kept builds at hand to compare with");
    const both = await check({ store: at("logs"), config: at("operator.yaml") });
    assert.equal(both.code, 2);
    assert.match(both.errors, /with --store or --config/);
  });
});
