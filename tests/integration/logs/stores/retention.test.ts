import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Retention } from "../../../../src/logs/stores/retention.ts";
import { StoredBuilds } from "../../../../src/logs/stores/stored-builds.ts";
import { sampleBuild } from "../../../support/pages/sample-pages.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";
import { listed, never, type StoreStage, setStoreStage } from "./store-stage.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const HOUR_MS = 3_600_000;

describe("the retention of builds", () => {
  let stage: StoreStage;
  before(async () => {
    stage = await setStoreStage("files");
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Builds that ended so many hours ago, of 1000 bytes each; the hours of those that are left after a look. */
  async function look(
    hours: readonly number[],
    { bytes, isHolder = true }: { bytes?: number; isHolder?: boolean } = {},
  ): Promise<number[]> {
    const store = await stage.make();
    const builds = new StoredBuilds(store);
    for (const ago of hours) {
      const build = { namespace: "ci", jobName: `unit-${ago}`, logPath: `a/${ago}`, endedAt: new Date(NOW.getTime() - ago * HOUR_MS) };
      const { directory } = await builds.begin(build, never);
      await store.putText(`${directory}/console.log`, "x".repeat(1000), never);
      await builds.finish(build, directory, sampleBuild(), never);
    }
    const clock = makeSkippingClock();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const stopListening = clock.onSchedule(() => resolve());
    const limits = { ageMs: 720 * HOUR_MS, bytes };
    const options = { store, builds, limits, isHolder: () => isHolder, now: () => NOW, clock, logger: silentLogger };
    const retention = new Retention(options);
    await retention.start();
    await over;
    stopListening();
    await retention.stop();
    assert.equal(clock.pending, 0);
    const left = (await listed(store, "a")).filter((path) => path.endsWith("console.log")).map((path) => Number(path.split("/")[1]));
    assert.equal((await Array.fromAsync(builds.oldestFirst(never))).length, left.length);
    return left.sort((a, b) => a - b);
  }

  test("removes those that are too old", async () => {
    assert.deepEqual(await look([1, 719, 721, 9000]), [1, 719]);
  });

  test("removes the oldest until the rest is small enough, and none of the last hour", async () => {
    assert.deepEqual(await look([0.5, 2, 3, 4], { bytes: 2500 }), [0.5, 2]);
    assert.deepEqual(await look([0.1, 0.5, 2], { bytes: 1 }), [0.1, 0.5]);
  });

  test("removes nothing where another replica is the holder", async () => {
    assert.deepEqual(await look([9000], { isHolder: false }), [9000]);
  });
});
