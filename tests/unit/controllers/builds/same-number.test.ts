import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JobCreated } from "../../../../src/controllers/ports.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { startBuilds } from "./staged-builds.ts";

const MINUTE = 60_000;
const REQUEST = "turbo-hipster.io/request";
const GOES_ON = "goes on with a build that was under way";

/** The Job of `change`'s build as another replica has made it, the second one of its number if `isSecond`. */
async function jobOfOther(change: string, isSecond = false): Promise<Job> {
  await using other = await startBuilds();
  const { number } = await other.request(change);
  const job = other.jobs.get(number) ?? assert.fail();
  return { ...job, metadata: { ...job.metadata, name: isSecond ? `${number}-r1` : number, uid: "uid-of-other" } };
}

describe("a Job with the number of a build that is under way", () => {
  test("which comes while that build's own is being made is taken up once the build is over", async () => {
    const theirs = await jobOfOther("a", true);
    await using stage = await startBuilds();
    const creation = Promise.withResolvers<JobCreated | undefined>();
    stage.world.creation = () => creation.promise;
    const request = await stage.request("a");
    stage.put(theirs);
    await stage.settle();
    assert.equal(stage.tallies.activeOf("ci/unit"), 1);
    stage.world.creation = undefined;
    creation.resolve(undefined);
    await stage.settle();
    await stage.play(request.number, "passed");
    assert.deepEqual([request.answers, stage.tallies.activeOf("ci/unit")], [["SUCCESS"], 1]);
    await stage.play(theirs.metadata.name, "failed");
    await stage.pass(3 * MINUTE);
    assert.deepEqual([stage.record(theirs.metadata.name).verdict?.rule, stage.tallies.activeOf("ci/unit")], ["exit-code", 0]);
  });

  test("is left to the holder by a replica that is none, which goes on with its own", async () => {
    const theirs = await jobOfOther("a", true);
    await using stage = await startBuilds();
    const request = await stage.request("a");
    await stage.play(request.number, "running");
    stage.world.isHolder = false;
    stage.builds.noteReplicas();
    stage.put(theirs);
    await stage.settle();
    assert.deepEqual([stage.tallies.activeOf("ci/unit"), stage.logged.some(({ message }) => message === GOES_ON)], [1, false]);
    const again = await stage.request("a");
    await stage.play(request.number, "passed");
    assert.deepEqual([request.answers, again.answers, stage.jobs.size], [["none"], ["SUCCESS"], 2]);
    assert.equal(stage.tallies.activeOf("ci/unit"), 0);
  });

  test("whose own build has just ended is not begun anew, though the cache does not show that end", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "passed");
    const second = await stage.request("a");
    const jobName = `${first.number}-r1`;
    await stage.play(jobName, "running");
    stage.lag(true);
    await stage.play(jobName, "failed");
    const third = await stage.request("a");
    stage.builds.wake("ci", jobName);
    await stage.pass(1000);
    assert.deepEqual(
      [first, second, third].map(({ answers }) => answers),
      [["SUCCESS"], ["FAILURE"], []],
    );
    assert.deepEqual([stage.jobs.size, stage.tallies.activeOf("ci/unit")], [3, 1]);
    assert.deepEqual(stage.told, ["ci/unit exit-0", "ci/unit exit-code"]);
    assert.ok(!stage.logged.some(({ message }) => message === GOES_ON));
  });
});

describe("a stop for a number whose Job is gone", () => {
  test("is for nobody right after the answer was read: the next request of that number is another", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "passed");
    stage.remove(first.number);
    await stage.stop(first.number);
    const second = await stage.request("a");
    assert.deepEqual([first.answers, second.answers, stage.jobs.size], [["SUCCESS"], [], 1]);
  });

  test("is for the request that its server hands out again, where nobody has read an answer", async () => {
    await using stage = await startBuilds();
    const waiting = await stage.request("a", { inLine: true });
    await waiting.lose();
    await stage.stop(waiting.number);
    assert.deepEqual((await stage.request("a")).answers, ["ABORTED"]);

    const running = await stage.request("b");
    await stage.play(running.number, "running");
    await running.lose();
    await stage.play(running.number, "passed");
    await stage.pass(3 * MINUTE);
    assert.equal(stage.record(running.number).isDelivered, false);
    stage.remove(running.number);
    await stage.stop(running.number);
    assert.deepEqual((await stage.request("b")).answers, ["ABORTED"]);
  });

  test("is for no Job of a request that came long after it", async () => {
    const job = await jobOfOther("a");
    await using stage = await startBuilds();
    await stage.stop(job.metadata.name);
    const request = JSON.parse(job.metadata.annotations?.[REQUEST] ?? "");
    const since = new Date(stage.clock.now().getTime() + 6 * MINUTE).toISOString();
    const annotations = { ...job.metadata.annotations, [REQUEST]: JSON.stringify({ ...request, since }) };
    stage.put({ ...job, metadata: { ...job.metadata, annotations } });
    await stage.settle();
    assert.deepEqual([stage.record(job.metadata.name).isCancelled, stage.tallies.activeOf("ci/unit")], [false, 1]);
  });
});
