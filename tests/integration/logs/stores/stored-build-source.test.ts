import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { StoredBuildSource } from "../../../../src/logs/stores/stored-build-source.ts";
import { StoredBuilds } from "../../../../src/logs/stores/stored-builds.ts";
import { sampleBuild } from "../../../support/pages/sample-pages.ts";
import { storeBuild } from "../../../support/pages/store-build.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";
import { never, STORE_KINDS, type StoreStage, setStoreStage } from "./store-stage.ts";

const nameOf = (index: number) => `unit-${String(index).padStart(16, "0")}`;
const reportOf = (index: number) =>
  sampleBuild({ number: nameOf(index), jobName: nameOf(index), endedAt: new Date(Date.UTC(2026, 10, 28, 9, index)).toISOString() });

for (const kind of STORE_KINDS) {
  describe(`builds that pages read from ${kind === "s3" ? "a bucket" : "a directory"}`, () => {
    let stage: StoreStage;
    before(async () => {
      stage = await setStoreStage(kind);
    });
    after(() => stage[Symbol.asyncDispose]());

    async function start() {
      const store = await stage.make();
      const clock = makeSkippingClock();
      const builds = new StoredBuilds(store);
      const source = new StoredBuildSource({ store, builds, clock, logger: silentLogger });
      return { store, clock, builds, source, [Symbol.asyncDispose]: () => source.stop() };
    }

    test("are found by their number, with log and artifacts, and any part of a log", async () => {
      await using stage = await start();
      await storeBuild(stage.store, {
        ...{ report: reportOf(1), text: "0123456789abcdefghij" },
        ...{ cut: { from: 4, to: 15 }, artifacts: { "a/b c.txt": "content" } },
      });
      const found = await stage.source.find(nameOf(1));
      assert.deepEqual(found?.file.build, reportOf(1));
      const log = found?.log("test");
      assert.equal(found?.log("test"), log, "one object for all");
      assert.deepEqual(log?.snapshot(), { bytes: 20, isEnded: true, holes: [], cut: { from: 4, to: 15 }, attempts: [] });
      const read = async (offset: number, most: number) => {
        const part = await log?.read(offset, most);
        return [part?.offset, Buffer.from(part?.bytes ?? []).toString()];
      };
      assert.deepEqual(
        [await read(0, 100), await read(2, 1), await read(4, 100), await read(17, 2), await read(20, 9)],
        [
          [0, "0123"],
          [2, "2"],
          [15, "fghij"],
          [17, "hi"],
          [20, ""],
        ],
      );
      const artifact = await found?.artifact("a/b c.txt", { start: 2, end: 5 });
      assert.equal(Buffer.concat(await Array.fromAsync(artifact ?? [])).toString(), "nte");
      assert.equal(await stage.source.find(nameOf(2)), undefined);
      assert.equal(await stage.source.find("../../etc/passwd"), undefined);
    });

    test("are held while pages look at them, and let go where much is known of others", async () => {
      await using stage = await start();
      const problems = ["x".repeat(9 * 2 ** 20)];
      await storeBuild(stage.store, { report: reportOf(1), text: "" });
      for (const index of [2, 3]) await storeBuild(stage.store, { report: reportOf(index), text: "", changes: { problems } });
      const [small, large] = [await stage.source.find(nameOf(1)), await stage.source.find(nameOf(2))];
      assert.ok(small !== undefined && large !== undefined);
      assert.equal(await stage.source.find(nameOf(1)), small);
      assert.equal((await stage.source.find(nameOf(3)))?.file.problems[0]?.length, problems[0]?.length);
      assert.equal(await stage.source.find(nameOf(1)), small);
      assert.notEqual(await stage.source.find(nameOf(2)), large);
    });

    test("are none where what is stored says nothing that can be read, or is another's", async () => {
      await using stage = await start();
      for (const [index, text] of ["{", '{"version":2}', undefined].entries()) {
        const directory = await storeBuild(stage.store, { report: reportOf(index), text: "" });
        if (text === undefined) await stage.store.remove(`${directory}/build.json`, never);
        else await stage.store.putText(`${directory}/build.json`, text, never);
        assert.equal(await stage.source.find(nameOf(index)), undefined);
      }
      await storeBuild(stage.store, { report: reportOf(5), text: "", changes: { build: reportOf(6) } });
      assert.equal(await stage.source.find(nameOf(5)), undefined);
    });

    test("are listed newest first, and anew when some time has gone by", async () => {
      await using stage = await start();
      for (const index of [1, 3, 2]) await storeBuild(stage.store, { report: reportOf(index), text: "" });
      const numbers = async () => (await stage.source.recent()).map(({ number }) => Number(number.slice(5)));
      assert.deepEqual(await numbers(), [3, 2, 1]);
      await storeBuild(stage.store, { report: reportOf(4), text: "" });
      const [oldest] = await Array.fromAsync(stage.builds.oldestFirst(never));
      assert.ok(oldest);
      await stage.builds.remove(oldest, never);
      stage.clock.skip(20_000);
      // What is known is told at once; the look that it brings about is told to who asks then.
      let listed = await numbers();
      while (listed[0] !== 4) {
        await new Promise((resolve) => setImmediate(resolve));
        listed = await numbers();
      }
      assert.deepEqual(listed, [4, 3, 2]);
    });
  });
}
