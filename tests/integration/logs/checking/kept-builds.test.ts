import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeptBuilds } from "../../../../src/logs/checking/kept-builds.ts";
import { FilesStore } from "../../../../src/logs/stores/files/files-store.ts";
import { StoredBuilds } from "../../../../src/logs/stores/stored-builds.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { keepBuild, keptCheck } from "../../../support/logs/kept-build.ts";
import { makeDirectory } from "../../../support/logs/spools.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const { signal } = new AbortController();
const BASELINE = { last: 8 };
const CHECKS =
  makeTask({
    checks: [
      { name: "steps", steps: { start: "a", baseline: BASELINE } },
      { name: "value", values: { junit: "tests", baseline: { branch: "stable" } } },
      { name: "limited", pattern: { regex: "a" } },
    ],
  }).spec.checks ?? [];

async function makeStore() {
  const directory = await makeDirectory();
  const store = new FilesStore({ directory: directory.path, publicUrl: undefined, clock: systemClock, logger: silentLogger });
  const dispose = async () => {
    store.close();
    await directory[Symbol.asyncDispose]();
  };
  return { store, kept: new KeptBuilds(store, new StoredBuilds(store)), [Symbol.asyncDispose]: dispose };
}

describe("what checks came to in kept builds", () => {
  it("is that of the newest ones that are wanted and have the check, and no more than are asked for", async () => {
    await using staged = await makeStore();
    const { store, kept } = staged;
    const steps = (seconds: number) => [keptCheck("steps", seconds, "a")];
    for (let index = 0; index < 20; index += 1) await keepBuild(store, "unit", index, { checks: steps(index) });
    await keepBuild(store, "unit", 20, { text: "{" });
    await keepBuild(store, "unit", 21, { text: `{"version": 1, "checks": [{"name": "steps", "kind": "none"}]}` });
    await keepBuild(store, "unit", 22, { checks: [keptCheck("other", 99, "a")] });
    await keepBuild(store, "unit", 23, { checks: [keptCheck("steps", 99)] });
    await keepBuild(store, "unit-b", 24, { checks: steps(99) });
    await keepBuild(store, "unit", 25, { checks: [keptCheck("value", 7)], item: { branch: "stable" } });
    const of = { task: "unit", namespace: "ci", branch: "master" };
    const found = await kept.amountsFor(CHECKS, of, ({ item }, branch) => item.branch === branch, signal);
    assert.deepEqual([...found.keys()], ["steps", "value"]);
    assert.deepEqual(
      found.get("steps")?.builds.map((build) => build.get("a")),
      [19, 18, 17, 16, 15, 14, 13, 12],
    );
    assert.deepEqual(found.get("value"), { branch: "stable", builds: [new Map([["", 7]])] });
  });

  it("is read once of each build, and newer ones are seen", async () => {
    await using staged = await makeStore();
    const { store, kept } = staged;
    await keepBuild(store, "unit", 1, { checks: [keptCheck("steps", 1, "a")] });
    const read = async () => {
      const of = { task: "unit", namespace: "ci", branch: "master" };
      return (await kept.amountsFor(CHECKS, of, () => true, signal)).get("steps")?.builds.map((build) => build.get("a"));
    };
    assert.deepEqual(await read(), [1]);
    const paths: string[] = [];
    const { read: readFile } = store;
    store.read = (path, ...rest) => {
      paths.push(path);
      return readFile.call(store, path, ...rest);
    };
    await keepBuild(store, "unit", 2, { checks: [keptCheck("steps", 2, "a")] });
    paths.length = 0;
    assert.deepEqual(await read(), [2, 1]);
    assert.deepEqual(paths.filter((path) => path.endsWith("/build.json")).length, 1, paths.join());
    assert.equal(paths.length, 2, "the newer one's entry and record, and nothing else");
  });
});
