import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makePod } from "../../../support/objects/build-objects.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { type StagedBuilds, stageBuilds, startBuilds } from "./staged-builds.ts";

const AN_HOUR = 3_600_000;

describe("Zuul's relaunch of a build", () => {
  test("has the Job that runs; the earlier request is given back", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual([second.number, first.answers, [...stage.jobs.keys()]], [first.number, ["none"], [first.number]]);
    assert.equal(second.hasSlot, false, "the build has its place already");
    await stage.play(first.number, "passed");
    assert.deepEqual([second.answers, stage.record(first.number).request.unique], [["SUCCESS"], "a-2"]);
  });

  for (const [state, result] of [
    ["passed", "SUCCESS"],
    ["failed", "FAILURE"],
  ] as const) {
    for (const isBehind of [false, true]) {
      const shown = isBehind ? "does not show that end yet" : "shows its end";
      test(`has the ${result} that was answered already, where the cache ${shown}`, async () => {
        await using stage = await startBuilds();
        const first = await stage.request("a");
        await stage.play(first.number, "running");
        stage.lag(isBehind);
        await stage.play(first.number, state);
        assert.deepEqual(first.answers, [result]);
        const second = await stage.request("a", { launch: 2 });
        assert.deepEqual([second.answers, second.number, stage.jobs.size], [[result], first.number, 1]);
      });

      test(`has a Job of its own after one that ended in vain, where the cache ${shown}`, async () => {
        await using stage = await startBuilds();
        const first = await stage.request("a");
        await stage.play(first.number, "running");
        stage.lag(isBehind);
        await stage.play(first.number, "lost");
        assert.deepEqual(first.answers, ["none"]);
        const second = await stage.request("a", { launch: 2 });
        assert.deepEqual([second.answers, stage.jobs.size], [[], 2]);
        assert.notEqual(second.number, first.number);
        assert.deepEqual([stage.occupied.count, stage.told], [0, ["ci/unit pod-deleted"]], "the first is not begun anew");
      });
    }
  }

  test("is answered by no Job of another namespace than its task's, which may say what it likes", async () => {
    const elsewhere = makeTask({}, { uid: "uid-unit", namespace: "other" });
    // What such a Job would have to say is learnt from one that was made for the task itself.
    await using model = await startBuilds();
    model.world.tasks.set("build:unit", elsewhere);
    const { number } = await model.request("a");
    const key = model.jobs.get(number)?.metadata.annotations?.["turbo-hipster.io/relaunch"] ?? assert.fail();

    await using origin = await startBuilds();
    const copied = await origin.request("a");
    const { metadata, ...job } = origin.jobs.get(copied.number) ?? assert.fail();
    const annotations = { ...metadata.annotations, "turbo-hipster.io/relaunch": key };
    for (const launch of [1, 2]) {
      await using stage = stageBuilds();
      stage.world.tasks.set("build:unit", elsewhere);
      stage.jobs.set(copied.number, { ...job, metadata: { ...metadata, annotations } });
      await stage.builds.start();
      await stage.play(copied.number, "running");
      const asked = await stage.request("a", { launch });
      assert.notEqual(asked.number, copied.number);
      if (launch === 1) assert.equal(asked.number, number);
      await stage.play(copied.number, "passed");
      assert.deepEqual(asked.answers, []);
    }
  });

  test("has the answer of a build whose end is not written down yet, which a request with the same unique has not", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    stage.world.isWritingAway = true;
    await stage.play(first.number, "passed");
    const relaunch = await stage.request("a", { launch: 2 });
    assert.deepEqual([first.answers, relaunch.number, stage.jobs.size], [["SUCCESS"], first.number, 1]);
    const again = await stage.request("a");
    assert.deepEqual([again.answers, [...stage.jobs.keys()]], [[], [first.number, `${first.number}-r1`]]);
    stage.world.isWritingAway = false;
    await stage.play(`${first.number}-r1`, "failed");
    await stage.pass(60_000);
    assert.deepEqual([relaunch.answers, again.answers, stage.record(first.number).isDelivered], [["SUCCESS"], ["FAILURE"], true]);
  });

  test("has a Job of its own while one that was stopped ends, and after that", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    await stage.stop(first.number);
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual([first.answers, stage.jobs.size], [[], 2]);
    await stage.play(first.number, "ended");
    assert.deepEqual(first.answers, ["ABORTED"]);
    await stage.play(second.number, "running");
    await stage.stop(second.number);
    await stage.play(second.number, "ended");
    const third = await stage.request("a", { launch: 3 });
    assert.deepEqual([second.answers, third.answers, stage.jobs.size], [["ABORTED"], [], 3]);
  });

  test("has a Job of its own beside one that is being deleted", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "passed");
    await stage.edit(first.number, {}, { deletionTimestamp: "2026-11-01T00:00:00Z" });
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual([second.answers, stage.jobs.size], [[], 2]);
  });

  test("has the newest of the Jobs that it may have, in whatever order the cache has them", async () => {
    for (const isTurned of [false, true]) {
      await using stage = await startBuilds();
      const first = await stage.request("a");
      await stage.play(first.number, "passed");
      await stage.request("a");
      await stage.play(`${first.number}-r1`, "failed");
      const old = stage.jobs.get(first.number) ?? assert.fail();
      if (isTurned) stage.jobs.delete(first.number);
      stage.jobs.set(first.number, old);
      const second = await stage.request("a", { launch: 2 });
      assert.deepEqual([second.answers, stage.jobs.size], [["FAILURE"], 2]);
    }
  });

  test("has the one that runs, not the one before it whose end is not written down yet", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    stage.world.isWritingAway = true;
    await stage.play(first.number, "passed");
    await stage.request("a");
    const relaunch = await stage.request("a", { launch: 2 });
    stage.world.isWritingAway = false;
    await stage.play(`${first.number}-r1`, "failed");
    await stage.pass(60_000);
    assert.deepEqual([relaunch.answers, stage.jobs.size], [["FAILURE"], 2]);
  });

  test("has none of another change's, whatever became of that", async () => {
    await using stage = await startBuilds();
    const other = await stage.request("b");
    await stage.play(other.number, "passed");
    const request = await stage.request("a");
    assert.deepEqual([other.answers, request.answers, stage.jobs.size], [["SUCCESS"], [], 2]);
  });

  for (const [state, hasIt] of [
    ["running", true],
    ["passed", true],
    ["unseen", true],
    ["lost", false],
    ["told to end", false],
  ] as const) {
    const which = hasIt ? "has" : "has not";
    test(`${which} the Job that was left when this replica's role went, and whose pod is ${state} when nobody has looked since`, async () => {
      await using stage = await startBuilds();
      const first = await stage.request("a");
      if (state !== "unseen") await stage.play(first.number, "running");
      await first.lose();
      stage.world.isHolder = false;
      stage.builds.noteReplicas();
      await stage.settle();
      assert.equal(stage.occupied.count + stage.tallies.activeOf("ci/unit"), 0);
      if (state === "unseen") stage.lagPods(true);
      if (state === "told to end") await stage.play(first.number, makePod({ spec: { activeDeadlineSeconds: 1 } }));
      else await stage.play(first.number, state === "unseen" ? "passed" : state);
      if (state === "unseen") await stage.change(first.number, { status: { succeeded: 1 } });
      stage.world.isHolder = true;
      const second = await stage.request("a", { launch: 2 });
      if (state === "unseen") {
        stage.lagPods(false);
        stage.builds.wake("ci", first.number);
        await stage.settle();
      }
      if (state === "running") await stage.play(first.number, "passed");
      assert.deepEqual([second.number === first.number, stage.jobs.size, second.answers], hasIt ? [true, 1, ["SUCCESS"]] : [false, 2, []]);
    });
  }

  test("has the Job that another replica carries out, which is this one's from then on", async () => {
    await using before = await startBuilds();
    const { number } = await before.request("a");
    await using stage = stageBuilds();
    stage.put(before.jobs.get(number) ?? assert.fail());
    await stage.play(number, "running");
    const record = stage.record(number).request;
    await stage.edit(number, { "turbo-hipster.io/request": JSON.stringify({ ...record, replica: "other" }) });
    await stage.builds.start();
    const second = await stage.request("a", { launch: 2 });
    assert.deepEqual([second.number, stage.jobs.size, stage.record(number).request.replica], [number, 1, "me"]);
    await stage.play(number, "passed");
    assert.deepEqual(second.answers, ["SUCCESS"]);
  });

  test("whose parameters are others ends the Job before it, unless somebody asks for that still", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    const second = await stage.request("a", { launch: 2, parameters: { NEW: "1" } });
    assert.deepEqual([stage.jobs.size, stage.deeds, first.answers], [2, [], []]);
    await stage.play(second.number, "running");
    await second.lose();
    const third = await stage.request("a", { launch: 3, parameters: { NEW: "2" } });
    assert.deepEqual([stage.jobs.size, stage.deeds], [3, [`end ${second.number}-pod`]]);
    await stage.play(second.number, "ended");
    assert.deepEqual([stage.record(second.number).verdict?.rule, first.answers, third.answers], ["unclaimed", [], []]);
  });

  test("that cannot have the Job before it is told of in the log, with what keeps it from that", async () => {
    const message = "ends a build that Zuul has launched again: the relaunch cannot have its Job";
    for (const isFound of [false, true]) {
      await using before = await startBuilds();
      const first = await before.request("a", { parameters: { TIME: "1", SAME: "x" } });
      await before.play(first.number, "running");
      await first.lose();
      await using after = stageBuilds();
      after.put(before.jobs.get(first.number) ?? assert.fail());
      await after.play(first.number, "running");
      await after.builds.start();
      const stage = isFound ? after : before;
      const second = await stage.request("a", { launch: 2, parameters: { TIME: "2", SAME: "x" } });
      const told = stage.logged.find((each) => each.message === message)?.fields as Record<string, unknown>;
      assert.deepEqual([told.build, told.relaunch, told.parameters], [first.number, second.number, ["TIME"]]);
      assert.match(String(told.why), /parameter-function/);
      await second.lose();
      stage.world.tasks.set("build:unit", makeTask({ image: "another" }));
      await stage.request("a", { launch: 3, parameters: { TIME: "2", SAME: "x" } });
      const last = stage.logged.findLast((each) => each.message === message)?.fields as Record<string, unknown>;
      assert.deepEqual([last.build, last.parameters, last.why], [second.number, [], "its TestTask was changed in between"]);
    }
  });

  test("that cannot have the Job of an earlier one ends nothing that somebody asks for still", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a", { parameters: { TIME: "1" } });
    await stage.play(first.number, "running");
    const second = await stage.request("a", { launch: 2, parameters: { TIME: "2" } });
    await stage.pass(60_000);
    assert.notEqual(second.number, first.number);
    assert.deepEqual([stage.deeds, first.answers, stage.logged.some(({ message }) => message.startsWith("ends a build"))], [[], [], false]);
  });

  for (const [what, end] of [
    ["has ended", (stage: StagedBuilds, number: string) => stage.play(number, "passed")],
    ["was stopped", (stage: StagedBuilds, number: string) => stage.stop(number)],
  ] as const) {
    test(`that cannot have the Job of an earlier one is not told to end one that ${what}`, async () => {
      await using stage = await startBuilds();
      const first = await stage.request("a", { parameters: { TIME: "1" } });
      await stage.play(first.number, "running");
      await first.lose();
      await end(stage, first.number);
      await stage.request("a", { launch: 2, parameters: { TIME: "2" } });
      assert.equal(
        stage.logged.some(({ message }) => message.startsWith("ends a build")),
        false,
      );
      assert.equal(stage.record(first.number).isDelivered, false);
    });
  }

  for (const newerFirst of [true, false]) {
    test(`has the newest of several Jobs that run, ${newerFirst ? "listed first" : "listed last"}`, async () => {
      const found: [string, object][] = [];
      await using stage = stageBuilds();
      for (const [launch, creationTimestamp] of [
        [1, "2026-11-01T00:00:00Z"],
        [2, "2026-11-01T00:01:00Z"],
      ] as const) {
        await using before = await startBuilds();
        const { number } = await before.request("a", { launch });
        const job = before.jobs.get(number) ?? assert.fail();
        found.push([number, { ...job, metadata: { ...job.metadata, uid: `uid-of-${launch}`, creationTimestamp } }]);
      }
      const newest = found[1]?.[0];
      for (const [number, job] of newerFirst ? found.toReversed() : found) {
        stage.put(job as Parameters<typeof stage.put>[0]);
        await stage.play(number, "running");
      }
      await stage.builds.start();
      assert.equal((await stage.request("a", { launch: 3 })).number, newest);
    });
  }

  for (const [what, reads, parameters] of [
    ["can be read past a cache that leaves them out", "all", Array.from({ length: 20 }, (_, index) => `P${index + 10}`)],
    ["are gone with the Job", "none", undefined],
    ["cannot be read for now", "away", undefined],
  ] as const) {
    test(`that cannot have the Job before it is told of with at most twenty parameters, where those of the Job ${what}`, async () => {
      const valued = (value: string) => Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`P${index + 10}`, value]));
      await using before = await startBuilds();
      const first = await before.request("a", { parameters: valued("1") });
      const job = before.jobs.get(first.number) ?? assert.fail();
      await using stage = stageBuilds();
      const { template } = job.spec ?? assert.fail();
      stage.put({ ...job, spec: { ...job.spec, template: { ...template, metadata: {} } } });
      await stage.play(first.number, "running");
      await stage.builds.start();
      stage.lag(true);
      if (reads === "none") stage.jobs.delete(first.number);
      else stage.jobs.set(first.number, job);
      stage.world.isReadingAway = reads === "away";
      await stage.request("a", { launch: 2, parameters: valued("2") });
      const told = stage.logged.find(({ message }) => message.startsWith("ends a build that Zuul has launched again"));
      assert.deepEqual(Object(told?.fields).parameters, parameters);
      assert.equal(
        stage.logged.some(({ message }) => message.startsWith("could not read the parameters")),
        reads === "away",
      );
      stage.world.isReadingAway = false;
    });
  }

  test("of a build that is not asked for any more saves it, unless its pod is told to end already", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    stage.world.isEndingAway = true;
    await first.lose();
    await stage.pass(130_000);
    const second = await stage.request("a", { launch: 2 });
    stage.world.isEndingAway = false;
    await stage.pass(60_000);
    assert.deepEqual([second.number, stage.deeds], [first.number, []]);
    await second.lose();
    await stage.pass(130_000);
    assert.deepEqual(stage.deeds, [`end ${first.number}-pod`]);
    const third = await stage.request("a", { launch: 3 });
    assert.deepEqual([third.number === first.number, stage.jobs.size], [false, 2]);
  });
});

describe("a request", () => {
  test("with the unique of one that is under way belongs to it, though its task is gone, and others do not", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "running");
    for (const plan of [{ server: "s:2" }, { parameters: { NEW: "1" } }]) {
      const other = await stage.request("b", { unique: "a-1", ...plan });
      assert.notEqual(other.number, first.number);
    }
    assert.equal(stage.jobs.size, 3);
    stage.world.tasks.clear();
    const again = await stage.request("a");
    assert.deepEqual([again.number, again.answers, first.answers, stage.jobs.size], [first.number, [], ["none"], 3]);
  });

  test("has a number of its task's name, and its Job says where its log belongs; one that is refused has a number as well", async () => {
    await using stage = await startBuilds();
    const request = await stage.request("a");
    assert.match(request.number, /^unit-[0-9a-f]{16}$/);
    assert.equal(stage.record(request.number).request.logPath, "a/1");
    const bare = await stage.request("b", { payload: "{}" });
    assert.equal(stage.record(bare.number).request.logPath, null);
    assert.match((await stage.request("c", { functionName: "build:other" })).number, /^refused-[0-9a-f]{16}$/);
  });

  test("for a node label is told of as run on one, and any other is not", async () => {
    await using stage = await startBuilds();
    stage.world.tasks.set("build:unit:bionic", makeTask({ nodeLabels: [{ name: "bionic" }] }));
    const labelled = await stage.request("a", { functionName: "build:unit:bionic" });
    const plain = await stage.request("b");
    const refused = await stage.request("c", { functionName: "build:other:bionic" });
    for (const { number } of [labelled, plain]) await stage.play(number, "passed");
    assert.deepEqual([labelled.data.node_labels, plain.data.node_labels, refused.data.node_labels], [["bionic"], [], []]);
  });

  test("with the unique of one that was answered is a new build, whatever it asks for", async () => {
    await using stage = await startBuilds();
    const first = await stage.request("a");
    await stage.play(first.number, "passed");
    const second = await stage.request("a");
    assert.deepEqual([first.answers, second.answers, [...stage.jobs.keys()]], [["SUCCESS"], [], [first.number, `${first.number}-r1`]]);
    await stage.play(`${first.number}-r1`, "failed");
    assert.deepEqual(second.answers, ["FAILURE"]);
  });

  const LONG = "H:".padEnd(128, "x");
  for (const [what, state, handle, isNew] of [
    ["is over, and under the same handle", "passed", "H:1", false],
    ["is over, but under another handle", "passed", "H:2", true],
    ["is over, but under the longest handle that is kept", "passed", LONG, true],
    ["is over, and under a handle that is too long to be kept", "passed", `${LONG}x`, false],
    ["runs, though under another handle", "running", "H:2", false],
  ] as const) {
    test(`like one whose link was lost ${isNew ? "is a build of its own" : "belongs to its build"} where that ${what}`, async () => {
      await using stage = await startBuilds();
      const first = await stage.request("a");
      await stage.play(first.number, "running");
      await first.lose();
      await stage.play(first.number, state);
      const second = await stage.request("a", { handle });
      const jobs = isNew ? [first.number, `${first.number}-r1`] : [first.number];
      assert.deepEqual([[...stage.jobs.keys()], second.answers], [jobs, isNew || state === "running" ? [] : ["SUCCESS"]]);
      if (isNew) assert.equal(stage.record(first.number).isDelivered, true, "its server would not ask anew for what it has not read");
    });
  }

  test("without a unique that tells anything is a build of its own each time, and so is each build of a ref", async () => {
    await using stage = await startBuilds();
    const payload = JSON.stringify({ ZUUL_REF: "refs/heads/master" });
    const plans = [{ unique: "-" }, { unique: "-" }, { unique: "u1" }, { unique: "u2" }];
    for (const plan of plans) await stage.request("a", { payload, ...plan });
    assert.equal(stage.jobs.size, 4);
  });

  const REFUSED: [string, object, RegExp, string[]][] = [
    ["that no task serves", { functionName: "build:other" }, /^CONFIG_ERROR - no TestTask serves this job any more$/, []],
    ["whose parameters are none", { payload: "[]" }, /^CONFIG_ERROR - the parameters of the request are no JSON object$/, []],
    [
      "of a pipeline that its task does not take",
      { parameters: { ZUUL_PIPELINE: "check" } },
      /^CONFIG_ERROR - pipeline check is none of those that TestTask unit takes builds of$/,
      ["ci/unit refused: refuses a build of unit: pipeline check is none of those that TestTask unit takes builds of"],
    ],
  ];
  for (const [what, plan, result, told] of REFUSED) {
    test(`${what} is answered at once, has no Job and gives its place back`, async () => {
      await using stage = await startBuilds();
      stage.world.tasks.set("build:unit", makeTask({ pipelines: ["gate"] }));
      const request = await stage.request("a", plan);
      assert.match(request.answers.join(), result);
      assert.deepEqual([request.hasSlot, stage.jobs.size, stage.told], [false, 0, told]);
    });
  }

  test("of a stored task that newer rules refuse is told of by that task's name, and so is its keeper", async () => {
    await using stage = await startBuilds();
    stage.world.refusals.set("build:old", { taskKey: "ci/old", why: "TestTask old is invalid: spec.image" });
    const request = await stage.request("a", { functionName: "build:old" });
    assert.deepEqual(request.answers, ["CONFIG_ERROR - TestTask old is invalid - spec.image"]);
    assert.deepEqual(
      [request.hasSlot, stage.told],
      [false, ["ci/old refused: refuses a build of old: TestTask old is invalid: spec.image"]],
    );
  });

  test("that meets a defect of ours is given back to its server, and so is its place", async () => {
    await using stage = await startBuilds();
    stage.world.tasks.get = () => assert.fail("the defect of tomorrow");
    const request = await stage.request("a");
    assert.deepEqual([request.answers, request.hasSlot], [["none"], false]);
  });

  test("whose Job the API server refuses is a configuration error, and its task's keeper hears of it", async () => {
    await using stage = await startBuilds();
    stage.world.creation = async () => ({ kind: "refused", message: 'jobs.batch "x" is invalid: spec.x: Invalid value' });
    const request = await stage.request("a");
    assert.match(request.answers.join(), /^CONFIG_ERROR - /);
    assert.equal(request.hasSlot, false);
    assert.match(stage.told.join("\n"), /^ci\/unit job-refused\nci\/unit refused: cannot make a build: /);
    await stage.pass(AN_HOUR);
    assert.equal(stage.jobs.size, 0);
  });
});
