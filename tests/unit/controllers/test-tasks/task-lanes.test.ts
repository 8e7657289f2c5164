import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TaskLanes } from "../../../../src/controllers/test-tasks/task-lanes.ts";
import { decideServedFunctions } from "../../../../src/core/test-task/served-functions.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

function setUp(specs: Record<string, object> = { free: {}, few: { maxConcurrent: 2 } }) {
  const installation = makeSlotPool({ capacity: 5 });
  const degraded = new Map<string, { holdMs: number }>();
  const heldBack = new Map<string, { isPaused: boolean }>();
  const lanes = new TaskLanes(
    {
      installation,
      make: (capacity, parent) => makeSlotPool(parent ? { capacity, parent } : { capacity }),
    },
    { degradedOf: (key) => degraded.get(key), heldBackOf: (key) => heldBack.get(key) },
  );
  const tasks = new Map(Object.entries(specs).map(([name, spec]) => [`ci/${name}`, makeTask(spec, { name })]));
  const facts = (registered: string[] = []) => ({
    tasks,
    served: decideServedFunctions([...tasks.values()]),
    registered,
    namespaces: { isKnown: () => true, areAllKnown: true },
  });
  const slotsOf = (name: string) => {
    const lane = lanes.decide(facts()).find((each) => each.name === name);
    assert.ok(lane, `there is no lane ${name}`);
    return lane.slots;
  };
  return { installation, degraded, heldBack, lanes, tasks, facts, slotsOf };
}

describe("the lanes of TestTasks", () => {
  test("take from the installation's pool, from the task's own within it, and the retired from neither", () => {
    const { lanes, facts, installation } = setUp();
    const [shared, few, retired] = lanes.decide(facts(["build:old"]));
    assert.deepEqual([shared?.name, few?.name, retired?.name], ["shared", "ci/few", "retired"]);
    assert.equal(shared?.slots, installation);
    few?.slots.tryReserve();
    retired?.slots.tryReserve();
    assert.deepEqual([few?.slots.used, few?.slots.capacity], [1, 2]);
    assert.deepEqual([retired?.slots.used, retired?.slots.capacity], [1, 10]);
    assert.equal(installation.used, 1);
  });

  test("are none for a replica that takes no builds", () => {
    const { lanes, facts } = setUp();
    lanes.decide(facts(["build:old"]));
    assert.deepEqual(lanes.decide(undefined), []);
    assert.deepEqual(
      lanes.pools.map(({ name }) => name),
      ["installation"],
    );
  });

  test("keep a task's pool with its builds through every change of its limit, until the task is gone", () => {
    const { lanes, tasks, slotsOf } = setUp();
    const slots = slotsOf("ci/few");
    lanes.occupy("ci/few");
    tasks.set("ci/few", makeTask({ maxConcurrent: 7 }, { name: "few" }));
    lanes.keep(tasks);
    assert.equal(slotsOf("ci/few"), slots);
    assert.deepEqual([slots.used, slots.capacity], [1, 7]);
    lanes.keep(new Set(["ci/free"]));
    assert.notEqual(slotsOf("ci/few"), slots);
  });

  test("count a build that runs already in its task's pool, and one of a task that is gone in the installation's alone", () => {
    const { lanes, installation, slotsOf } = setUp();
    lanes.occupy("ci/few");
    lanes.occupy("ci/gone");
    assert.equal(slotsOf("ci/few").used, 1);
    assert.equal(installation.used, 2);
  });

  test("count what runs of a task against a limit that comes later, or comes anew, and once", () => {
    const { lanes, tasks, installation, slotsOf } = setUp({ unit: {} });
    const before = Array.from({ length: 3 }, () => {
      const slot = slotsOf("shared").tryReserve();
      assert.ok(slot);
      return lanes.count("ci/unit", slot);
    });
    tasks.set("ci/unit", makeTask({ maxConcurrent: 2 }));
    const limited = slotsOf("ci/unit");
    assert.deepEqual([limited.used, limited.tryReserve(), installation.used], [3, undefined, 3]);
    before[0]?.release();
    assert.deepEqual([limited.used, limited.tryReserve(), installation.used], [2, undefined, 2]);
    before[1]?.release();
    const slot = limited.tryReserve();
    assert.ok(slot);
    const own = lanes.count("ci/unit", slot);
    assert.deepEqual([limited.used, installation.used], [2, 2]);
    // Deleted, and applied again.
    lanes.keep(new Set());
    const anew = slotsOf("ci/unit");
    assert.notEqual(anew, limited);
    assert.deepEqual([anew.used, anew.tryReserve(), installation.used], [2, undefined, 2]);
    own.release();
    before[2]?.release();
    assert.deepEqual([anew.used, installation.used], [0, 0]);
  });

  test("offer the place of a build that was taken before its task had a limit to who waits for that", () => {
    const { lanes, tasks, slotsOf } = setUp({ unit: {} });
    const slot = slotsOf("shared").tryReserve();
    assert.ok(slot);
    const build = lanes.count("ci/unit", slot);
    tasks.set("ci/unit", makeTask({ maxConcurrent: 1 }));
    const limited = slotsOf("ci/unit");
    let taken = 0;
    limited.onFree(() => {
      if (limited.tryReserve()) taken += 1;
    });
    build.release();
    assert.equal(taken, 1);
  });

  test("leave a degraded task at one build at a time though builds of it are found, those included", () => {
    const { lanes, degraded, slotsOf } = setUp();
    const slots = slotsOf("ci/few");
    degraded.set("ci/few", { holdMs: 0 });
    slotsOf("ci/few");
    const found = lanes.occupy("ci/few");
    assert.deepEqual([slots.capacity, slots.used, slots.tryReserve()], [1, 1, undefined]);
    found.release();
    assert.ok(slots.tryReserve());
    degraded.set("ci/free", { holdMs: 0 });
    lanes.occupy("ci/free");
    assert.equal(slotsOf("ci/free").tryReserve(), undefined);
  });

  test("take a degraded task one at a time, and not at all while it is on hold", () => {
    const { lanes, degraded, slotsOf } = setUp();
    const slots = slotsOf("ci/few");
    degraded.set("ci/few", { holdMs: 5 });
    lanes.notePace("ci/few");
    assert.equal(slots.tryReserve(), undefined, "at once, before the lanes are decided anew");
    degraded.set("ci/few", { holdMs: 0 });
    assert.equal(slotsOf("ci/few"), slots);
    assert.ok(slots.tryReserve());
    assert.equal(slots.tryReserve(), undefined);
    degraded.set("ci/free", { holdMs: 0 });
    slotsOf("ci/free").tryReserve();
    assert.equal(slotsOf("ci/free").tryReserve(), undefined, "though the installation has room");
    degraded.delete("ci/few");
    slotsOf("ci/few");
    assert.ok(slots.tryReserve());
  });

  test("take no build of a task that is held back, at once, and those of all others as before", () => {
    const { lanes, heldBack, facts, slotsOf } = setUp({ stuck: {}, free: {}, few: { maxConcurrent: 2 } });
    for (const name of ["ci/stuck", "ci/few"]) heldBack.set(name, { isPaused: true });
    const [shared, stuck, few] = lanes.decide(facts());
    assert.deepEqual([shared?.functions, stuck?.functions, few?.functions], [["build:free"], ["build:stuck"], ["build:few"]]);
    assert.deepEqual([stuck?.slots.tryReserve(), few?.slots.tryReserve()], [undefined, undefined]);
    assert.ok(shared?.slots.tryReserve());
    heldBack.set("ci/stuck", { isPaused: false });
    lanes.notePace("ci/stuck");
    assert.ok(stuck?.slots.tryReserve());
    assert.equal(stuck?.slots.capacity, 5);
    heldBack.delete("ci/stuck");
    assert.deepEqual(slotsOf("shared").capacity, 5);
  });

  test("tell of the installation's pool and of each that is another one", () => {
    const { lanes, facts } = setUp();
    lanes.decide(facts(["build:old"]));
    lanes.occupy("ci/few");
    assert.deepEqual(lanes.pools, [
      { name: "installation", used: 1, capacity: 5 },
      { name: "ci/few", used: 1, capacity: 2 },
      { name: "retired", used: 0, capacity: 10 },
    ]);
  });
});

describe("a build that waits in a line", () => {
  test("may begin while its task has no limit, and by the limit that it has by now", () => {
    const { lanes, tasks, slotsOf } = setUp({ unit: {}, other: {} });
    slotsOf("shared");
    const running = [1, 2].map(() => lanes.occupy("ci/unit"));
    assert.equal(lanes.mayBegin("ci/unit"), true);
    tasks.set("ci/unit", makeTask({ maxConcurrent: 2 }));
    slotsOf("ci/unit");
    assert.deepEqual([lanes.mayBegin("ci/unit"), lanes.mayBegin("ci/other")], [false, true]);
    running[0]?.release();
    assert.equal(lanes.mayBegin("ci/unit"), true);
    tasks.set("ci/unit", makeTask({ maxConcurrent: 1 }));
    slotsOf("ci/unit");
    assert.equal(lanes.mayBegin("ci/unit"), false);
    running[1]?.release();
    assert.equal(lanes.mayBegin("ci/unit"), true);
  });

  test("may begin when its task's limit has gone, also in the lane that it had then", () => {
    const { lanes, tasks, slotsOf } = setUp({ unit: { maxConcurrent: 1 } });
    const own = slotsOf("ci/unit");
    lanes.occupy("ci/unit");
    assert.deepEqual([lanes.mayBegin("ci/unit"), own.hasRoom], [false, false]);
    tasks.set("ci/unit", makeTask());
    slotsOf("shared");
    assert.deepEqual([lanes.mayBegin("ci/unit"), own.hasRoom], [true, true]);
  });

  test("has the limit of a task that is gone, as long as that is not forgotten", () => {
    const { lanes, tasks, facts, slotsOf } = setUp({ unit: { maxConcurrent: 1 }, other: {} });
    slotsOf("ci/unit");
    lanes.occupy("ci/unit");
    tasks.delete("ci/unit");
    lanes.decide(facts());
    assert.equal(lanes.mayBegin("ci/unit"), false);
    lanes.keep(tasks);
    assert.equal(lanes.mayBegin("ci/unit"), true);
  });

  test("may not begin while its task is held back or on hold, at once and before it has a lane of its own", () => {
    const { lanes, heldBack, degraded, slotsOf } = setUp({ unit: {}, other: {} });
    slotsOf("shared");
    heldBack.set("ci/unit", { isPaused: true });
    assert.deepEqual([lanes.mayBegin("ci/unit"), lanes.mayBegin("ci/other")], [false, true]);
    slotsOf("ci/unit");
    heldBack.set("ci/unit", { isPaused: false });
    slotsOf("ci/unit");
    assert.equal(lanes.mayBegin("ci/unit"), true);
    degraded.set("ci/unit", { holdMs: 30_000 });
    assert.equal(lanes.mayBegin("ci/unit"), false);
    degraded.set("ci/unit", { holdMs: 0 });
    slotsOf("ci/unit");
    assert.equal(lanes.mayBegin("ci/unit"), true);
    lanes.occupy("ci/unit");
    assert.equal(lanes.mayBegin("ci/unit"), false, "one at a time");
  });
});
