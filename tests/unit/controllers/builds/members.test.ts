import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { type StagedBuilds, stageBuilds } from "./staged-builds.ts";

const DATASETS = ["one", "two", "three"];

/** Builds of the task run on these datasets. */
async function start(names: readonly string[] = DATASETS): Promise<StagedBuilds> {
  const stage = stageBuilds();
  offer(stage, names);
  await stage.builds.start();
  return stage;
}

function offer(stage: StagedBuilds, names: readonly string[]): void {
  const datasets = names.map((name) => ({ name, configMap: { name } }));
  stage.world.tasks.set("build:unit", makeTask({ datasets }, { uid: "uid-unit" }));
}

const jobsOf = (stage: StagedBuilds) => [...stage.jobs.keys()].toSorted(byText);
const byText = (one: string, other: string) => (one < other ? -1 : 1);
const membersOf = (number: string, indexes = [0, 1, 2]) => indexes.map((index) => `${number}-${index}`);
const volumesOf = (job: Job | undefined) => JSON.stringify(job?.spec?.template.spec.volumes);

/** Another operator finds what is there, its pods as `states` says. */
async function restart(before: StagedBuilds, states: Record<string, "running" | "passed" | "failed">): Promise<StagedBuilds> {
  const stage = stageBuilds();
  offer(stage, DATASETS);
  for (const job of before.jobs.values()) stage.put(job);
  for (const [name, state] of Object.entries(states)) await stage.play(name, state);
  await stage.builds.start();
  await stage.settle();
  return stage;
}

describe("a build over several datasets", () => {
  test("has a Job for each, which has that one alone; the first of them speaks for the build, and the others go with it", async () => {
    await using stage = await start();
    const { number } = await stage.request("a");
    assert.deepEqual(jobsOf(stage), membersOf(number));
    for (const [index, name] of DATASETS.entries()) {
      const job = stage.jobs.get(`${number}-${index}`);
      for (const each of DATASETS) assert.equal(volumesOf(job)?.includes(`"name":"${each}"`), each === name);
      const owners = job?.metadata.ownerReferences?.map(({ uid }) => uid);
      assert.deepEqual(owners, index === 0 ? undefined : [stage.jobs.get(`${number}-0`)?.metadata.uid]);
    }
    await stage.play(`${number}-0`, "running");
  });

  test("has one place, and its answer when the last has ended; a verdict stands on each Job as soon as it is known", async () => {
    await using stage = await start();
    const request = await stage.request("a");
    const [first = "", second = "", third = ""] = membersOf(request.number);
    for (const name of [second, third, first]) await stage.play(name, "running");
    await stage.play(second, "failed");
    assert.equal(stage.record(second).verdict?.result, "FAILURE");
    await stage.play(first, "passed");
    assert.deepEqual([request.answers, stage.record(first).verdict?.result], [[], "SUCCESS"]);
    assert.deepEqual([stage.tallies.activeOf("ci/unit"), stage.tallies.pending], [1, 0]);
    await stage.play(third, "passed");
    assert.deepEqual(request.answers, ["FAILURE (two, 1 of 3 datasets failed)"]);
    const { answer, isDelivered } = stage.record(first);
    assert.deepEqual([isDelivered, answer?.members.map(({ verdict }) => verdict.result)], [true, ["SUCCESS", "FAILURE", "SUCCESS"]]);
    for (const name of [first, second, third]) assert.equal(stage.jobs.get(name)?.spec?.ttlSecondsAfterFinished, 60);
    assert.equal(stage.tallies.activeOf("ci/unit"), 0);
  });

  test("waits for room as long as one of them does", async () => {
    await using stage = await start();
    const { number } = await stage.request("a");
    await stage.play(`${number}-0`, "running");
    await stage.play(`${number}-1`, "unscheduled");
    await stage.play(`${number}-2`, "running");
    assert.equal(stage.tallies.pending, 1);
    await stage.play(`${number}-1`, "running");
    assert.equal(stage.tallies.pending, 0);
  });

  test("is told Zuul's stop at once, whoever of them runs", async () => {
    await using stage = await start();
    const request = await stage.request("a");
    const [first = "", second = "", third = ""] = membersOf(request.number);
    await stage.play(first, "passed");
    await stage.play(second, "running");
    await stage.play(third, "unscheduled");
    await stage.stop(request.number);
    assert.deepEqual(stage.deeds.toSorted(byText), [`delete pod ${third}-pod`, `end ${second}-pod`]);
    await stage.play(second, "ended");
    assert.deepEqual(request.answers, ["ABORTED"]);
    assert.ok(stage.jobs.has(third), "its Job stays, as what came of it");
  });

  test("that nobody asks for any more ends all of them", async () => {
    await using stage = await start();
    const request = await stage.request("a");
    const names = membersOf(request.number);
    await stage.play(names[0] ?? "", "passed");
    for (const name of names.slice(1)) await stage.play(name, "running");
    await request.lose();
    await stage.pass(150_000);
    assert.deepEqual(
      stage.deeds.toSorted(byText),
      names.slice(1).map((name) => `end ${name}-pod`),
    );
    for (const name of names.slice(1)) await stage.play(name, "ended");
    assert.equal(stage.record(names[0] ?? "").answer?.verdict.rule, "unclaimed");
  });

  test("one of which was lost has no result, and Zuul's relaunch runs that one alone", async () => {
    await using stage = await start();
    const first = await stage.request("a");
    const [one = "", two = "", three = ""] = membersOf(first.number);
    await stage.play(one, "passed");
    await stage.play(two, "lost");
    assert.deepEqual(first.answers, [], "what the others find out is waited for");
    await stage.play(three, "failed");
    assert.deepEqual(first.answers, ["none"]);
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual(
      jobsOf(stage).filter((name) => name.startsWith(second.number)),
      [`${second.number}-1`],
    );
    const again = `${second.number}-1`;
    await stage.play(again, "lost");
    assert.deepEqual(second.answers, ["none"]);
    const third = await stage.request("a", { launch: 3 });
    await stage.play(`${third.number}-1`, "passed");
    assert.deepEqual([third.answers, stage.jobs.size], [["FAILURE (three, 1 of 3 datasets failed)"], 5]);
    const members = stage.record(`${third.number}-1`).answer?.members.map(({ dataset, jobName }) => [dataset, jobName]);
    assert.deepEqual(members, [
      ["one", one],
      ["two", `${third.number}-1`],
      ["three", three],
    ]);
  });

  test("the first of which was lost is spoken for by another one", async () => {
    await using stage = await start();
    const first = await stage.request("a");
    const [one = "", two = "", three = ""] = membersOf(first.number);
    await stage.play(two, "lost");
    await stage.play(one, "lost");
    await stage.play(three, "passed");
    const second = await stage.request("a", { launch: 2 });
    for (const index of [0, 1]) await stage.play(`${second.number}-${index}`, "passed");
    assert.deepEqual([second.answers, stage.jobs.size], [["SUCCESS"], 5]);
  });

  test("is Zuul's relaunch's while it runs, with nothing made anew", async () => {
    await using stage = await start();
    const first = await stage.request("a");
    for (const name of membersOf(first.number)) await stage.play(name, "running");
    await stage.play(`${first.number}-1`, "failed");
    await first.lose();
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual([second.number, stage.jobs.size], [first.number, 3]);
    for (const index of [0, 2]) await stage.play(`${first.number}-${index}`, "passed");
    assert.deepEqual(second.answers, ["FAILURE (two, 1 of 3 datasets failed)"]);
  });

  for (const isMade of [0, 1, 2, 3]) {
    test(`is gone on with by the next operator where ${isMade} of three Jobs had been made, each run once`, async () => {
      await using before = await start();
      let made = 0;
      const stuck = Promise.withResolvers<undefined>();
      before.world.creation = async () => {
        made += 1;
        return made > isMade ? stuck.promise : undefined;
      };
      const { number } = await before.request("a");
      assert.equal(before.jobs.size, isMade);
      await using stage = await restart(before, {});
      before.world.creation = async () => ({ kind: "refused", message: "the test is over" });
      stuck.resolve(undefined);
      const request = await stage.request("a");
      assert.equal(request.number, number);
      assert.deepEqual(jobsOf(stage), membersOf(number));
      for (const name of membersOf(number)) await stage.play(name, "passed");
      assert.deepEqual(request.answers, ["SUCCESS"]);
      await before.builds.stop();
    });
  }

  test("of which some have ended is gone on with by the next operator, which runs none of them again", async () => {
    await using before = await start();
    const { number } = await before.request("a");
    const [one = "", two = "", three = ""] = membersOf(number);
    await before.play(one, "passed");
    await before.play(two, "running");
    // The pod of the first is gone meanwhile; what it said stands on its Job.
    await before.change(one, { status: { succeeded: 1, conditions: [{ type: "Complete", status: "True" }] } });
    await using stage = await restart(before, { [two]: "running", [three]: "failed" });
    const request = await stage.request("a");
    await stage.play(two, "passed");
    assert.deepEqual([request.answers, jobsOf(stage)], [["FAILURE (three, 1 of 3 datasets failed)"], [one, two, three]]);
    await before.builds.stop();
  });

  test("of which one can't be made fails with that one, and the others are run", async () => {
    await using stage = await start();
    stage.world.creation = async ({ metadata: { name } }) =>
      name.endsWith("-1") ? { kind: "refused", message: "no room for two" } : undefined;
    const request = await stage.request("a");
    for (const index of [0, 2]) await stage.play(`${request.number}-${index}`, "passed");
    assert.deepEqual(request.answers, ["CONFIG_ERROR - no room for two (two, 1 of 3 datasets failed)"]);
  });

  test("ends with the Job that speaks for it, whoever deletes that", async () => {
    await using stage = await start();
    const request = await stage.request("a");
    for (const name of membersOf(request.number)) await stage.play(name, "running");
    for (const name of membersOf(request.number)) stage.remove(name);
    await stage.settle();
    assert.deepEqual(request.answers, ["none"]);
  });
});

test("a build over one dataset, or over none, is as it ever was", async () => {
  for (const names of [["one"], []]) {
    await using stage = await start();
    stage.world.tasks.set("build:unit", makeTask(names.length === 0 ? {} : { datasets: [{ name: "one", configMap: { name: "one" } }] }));
    const request = await stage.request("a");
    assert.deepEqual(jobsOf(stage), [request.number]);
    await stage.play(request.number, "passed");
    assert.deepEqual([request.answers, stage.record(request.number).member], [["SUCCESS"], undefined]);
  }
});
