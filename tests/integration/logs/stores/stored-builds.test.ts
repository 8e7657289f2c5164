import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isRemovable } from "../../../../src/core/logs/build-index.ts";
import { StoredBuilds } from "../../../../src/logs/stores/stored-builds.ts";
import { sampleBuild } from "../../../support/pages/sample-pages.ts";
import { listed, never, readStored, STORE_KINDS, type StoreStage, setStoreStage } from "./store-stage.ts";

const nameOf = (number: number) => `unit-${String(number).padStart(16, "0")}`;

const reportOf = (number: number) => sampleBuild({ number: nameOf(number), jobName: nameOf(number) });

const build = (number: number, logPath: string | null = `56/123456/7/gate/unit/${number}`) => ({
  ...{ namespace: "ci", jobName: nameOf(number), logPath },
  endedAt: new Date(Date.UTC(2026, 10, 20 + (number % 3), 12, 0, 0, number)),
});

for (const kind of STORE_KINDS) {
  describe(`builds in ${kind === "s3" ? "a bucket" : "a directory"}`, () => {
    let stage: StoreStage;
    before(async () => {
      stage = await setStoreStage(kind);
    });
    after(() => stage[Symbol.asyncDispose]());

    test("have the directory that LOG_PATH names, the same after a restart, and each its own", async () => {
      const store = await stage.make();
      const first = build(1);
      assert.deepEqual(await new StoredBuilds(store).begin(first, never), { directory: first.logPath, why: undefined });
      await store.putText(`${first.logPath}/console.log`, "first", never);
      assert.deepEqual(await new StoredBuilds(store).begin(first, never), { directory: first.logPath, why: undefined });
      for (const logPath of [first.logPath, `${first.logPath}/below`, "56/123456", "../x", null]) {
        const { directory, why } = await new StoredBuilds(store).begin(build(2, logPath), never);
        assert.equal(directory, `_builds/ci/${build(2).jobName}`, String(logPath));
        assert.equal(why !== undefined, logPath !== null);
      }
      assert.equal(await readStored(store, `${first.logPath}/console.log`), "first");
    });

    test("share none where one's LOG_PATH is above another's and both come in one moment", async () => {
      const store = await stage.make();
      const [above, below] = [build(1, "raced"), build(2, "raced/below")];
      const looked = Promise.withResolvers<void>();
      let looks = 0;
      // Each sees that nothing is there before one of them has its directory.
      const list: typeof store.list = async (...args) => {
        const found = await store.list(...args);
        looks += 1;
        if (looks === 2) looked.resolve();
        if (looks <= 2) await looked.promise;
        return found;
      };
      const raced = new Proxy(store, {
        get(target, name) {
          const value = name === "list" ? list : Reflect.get(target, name);
          return typeof value === "function" && name !== "list" ? value.bind(target) : value;
        },
      });
      const begun = await Promise.all([above, below].map(async (each) => new StoredBuilds(raced).begin(each, never)));
      const wanted = begun.filter(({ directory }) => directory.startsWith("raced"));
      assert.ok(wanted.length < 2, JSON.stringify(begun));
      assert.ok(begun.every(({ directory, why }) => directory.startsWith("raced") || why !== undefined));
      // And each has it again, whoever asks.
      for (const [index, each] of [above, below].entries()) {
        assert.equal((await new StoredBuilds(store).begin(each, never)).directory, begun[index]?.directory);
      }
      const claims = (await listed(store, "raced")).length;
      assert.equal(claims, wanted.length, "who has given way leaves nothing there");
    });

    test("are listed newest first, page by page, once all their files are there", async () => {
      const store = await stage.make();
      const builds = new StoredBuilds(store);
      for (const number of [0, 1, 2, 3, 4, 5, 6]) {
        const { directory } = await builds.begin(build(number), never);
        await store.putText(`${directory}/console.log`, "x".repeat(100), never);
        if (number !== 6) await builds.finish(build(number), directory, reportOf(number), never);
      }
      const numbers = (found: Awaited<ReturnType<typeof builds.newest>>) => found.map(({ entry }) => Number(entry.jobName.slice(5)));
      const page = await builds.newest(4, undefined, never);
      assert.deepEqual(numbers(page), [5, 2, 4, 1]);
      assert.deepEqual(numbers(await builds.newest(4, page.at(-1)?.path, never)), [3, 0]);
      assert.ok(page.every(({ entry }) => (entry.bytes ?? 0) >= 100));
      assert.deepEqual(await builds.readReport(page[0] as (typeof page)[0], never), reportOf(5));
      await store.putText(page[0]?.path ?? "", "{", never);
      assert.equal(await builds.readReport(page[0] as (typeof page)[0], never), undefined);
      const all = await Array.fromAsync(builds.oldestFirst(never));
      assert.deepEqual(numbers(all), [0, 3, 6, 1, 4, 2, 5]);
    });

    test("are found by their number, of a Job that was made again the last one", async () => {
      const store = await stage.make();
      const builds = new StoredBuilds(store);
      const again = { ...build(1, "again"), jobName: `${nameOf(1)}-r1` };
      for (const each of [build(1), again]) {
        const { directory } = await builds.begin(each, never);
        await store.putText(`${directory}/console.log`, "x", never);
        await builds.finish(each, directory, reportOf(1), never);
        assert.equal(await builds.find(nameOf(1), never), directory);
      }
      assert.equal(await builds.find(nameOf(2), never), undefined);
      // The first goes, and what says where the second is stays.
      const [first, second] = await Array.fromAsync(builds.oldestFirst(never));
      await builds.remove(first as NonNullable<typeof first>, never);
      assert.equal(await builds.find(nameOf(1), never), "again");
      await builds.remove(second as NonNullable<typeof second>, never);
      assert.deepEqual([await builds.find(nameOf(1), never), await listed(store)], [undefined, []]);
    });

    test("go with all their files, and with nobody else's", async () => {
      const store = await stage.make();
      const builds = new StoredBuilds(store);
      for (const number of [1, 2]) {
        const { directory } = await builds.begin(build(number), never);
        for (const file of ["console.log", "artifacts/a/b.txt"]) await store.putText(`${directory}/${file}`, "x", never);
        await builds.finish(build(number), directory, reportOf(number), never);
      }
      const [first] = await Array.fromAsync(builds.oldestFirst(never));
      assert.ok(first);
      // An entry that names the directory of another build takes nothing of it along.
      await store.putText("_index/2026-11-01/120000.000Z,ci,other,5.json", JSON.stringify({ directory: build(2).logPath }), never);
      const [forged] = await Array.fromAsync(builds.oldestFirst(never));
      await builds.remove(forged as typeof first, never);
      await builds.remove(first, never);
      const left = (await listed(store)).filter((path) => !path.startsWith("_index/") && !path.startsWith("_numbers/"));
      assert.deepEqual(
        left,
        [".build", "artifacts/a/b.txt", "console.log"].map((file) => `${build(2).logPath}/${file}`),
      );
      assert.equal((await Array.fromAsync(builds.oldestFirst(never))).length, 1);
    });
  });
}

describe("a stored build", () => {
  const now = new Date("2026-11-28T12:00:00Z");
  const hoursAgo = (hours: number, bytes: number | undefined = 10) => ({
    ...{ namespace: "ci", jobName: "unit-1", bytes },
    endedAt: new Date(now.getTime() - hours * 3_600_000),
  });
  const rows: [string, Parameters<typeof isRemovable>[0], number, number | undefined, boolean][] = [
    ["too old", hoursAgo(721), 0, undefined, true],
    ["old enough", hoursAgo(719), 0, undefined, false],
    ["one of too much", hoursAgo(2), 101, 100, true],
    ["one of just enough", hoursAgo(2), 100, 100, false],
    ["one of too much, and just ended", hoursAgo(0.9), 1000, 100, false],
    ["being stored", { ...hoursAgo(23), bytes: undefined }, 1000, 100, false],
    ["left half stored, and too old", { ...hoursAgo(721), bytes: undefined }, 0, undefined, true],
  ];
  for (const [name, entry, total, bytes, expected] of rows) {
    test(`that is ${name} ${expected ? "goes" : "stays"}`, () => {
      assert.equal(isRemovable(entry, total, { ageMs: 720 * 3_600_000, bytes }, now), expected);
    });
  }
});
