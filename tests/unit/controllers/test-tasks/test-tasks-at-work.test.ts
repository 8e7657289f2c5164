import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import type { TaskLane } from "../../../../src/controllers/test-tasks/task-lanes.ts";
import { TestTasks } from "../../../../src/controllers/test-tasks/test-tasks.ts";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import type { RegisteredNames } from "../../../../src/core/test-task/registered-names.ts";
import type { TestTaskStatus } from "../../../../src/core/test-task/schema/status.ts";
import { infrastructure } from "../../../../src/core/verdict/verdict.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const MINUTE = 60_000;
const LOST = infrastructure("pull-timeout", "the registry is away");

function inOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => (a < b ? -1 : 1));
}

function taskObject(name: string, spec: object = {}, metadata: object = {}): KubeObject {
  const all = { name, namespace: "ci", uid: `uid-${name}`, generation: 1, ...metadata };
  return { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: all, spec: { image: "i", ...spec } } as KubeObject;
}

/** TestTasks over a cluster that takes what is written at once, and what a test says of the builds. */
function setUp(...objects: KubeObject[]) {
  const clock = makeManualClock();
  const world = {
    objects,
    isHolder: true,
    stored: new Map() as RegisteredNames,
    reviewing: undefined as number | undefined,
    reviewed: [] as string[],
    pendingByTask: new Map<string, number>(),
    waits: new Map<string, { builds: number; first: { words: string; sinceMs: number } }>(),
    active: new Map<string, number>(),
    defect: undefined as Error | undefined,
    areAllKnown: true,
    /** How often it was looked at what statuses should say. */
    looks: 0,
  };
  const statuses: { name: string; status: TestTaskStatus; atMs: number }[] = [];
  const events: string[] = [];
  let registered: { functions: readonly string[]; lanes: readonly TaskLane[] } | undefined;
  let rounds = 0;
  const installation = makeSlotPool({ capacity: 8 });
  const tasks = new TestTasks({
    cluster: {
      tasks: {
        cachedTestTasks() {
          if (world.defect) throw world.defect;
          return world.objects;
        },
        async writeStatus(_namespace, name, status) {
          statuses.push({ name, status, atMs: clock.monotonicMs() });
        },
      },
      namespaces: {
        isKnown: () => world.areAllKnown,
        get areAllKnown() {
          return world.areAllKnown;
        },
      },
      names: {
        now: () => clock.now(),
        load: async () => world.stored,
        async save(names) {
          world.stored = names;
        },
      },
    },
    gearman: {
      link: {
        servers: [{ server: "s:1", isRegistered: true }],
        setRegistrations(registrations) {
          rounds += 1;
          registered = registrations;
        },
      },
      pools: {
        installation,
        make: (capacity, parent) => makeSlotPool({ capacity, ...(parent ? { parent: parent as typeof installation } : {}) }),
      },
    },
    reviews: {
      setTasks(reviewed) {
        world.reviewed = [...reviewed.keys()];
      },
      of: () => ({ kind: "accepted", warnings: [] }),
      awaitedMs: () => world.reviewing,
    },
    events: { note: (task, event) => void events.push(`${task.namespace}/${task.name} ${task.uid} ${event.reason} ${event.message}`) },
    limits: { maxPending: 4, maxBuilds: 8 },
    builds: {
      get active() {
        return world.active;
      },
      get pending() {
        return [...world.pendingByTask.values()].reduce((sum, count) => sum + count, 0);
      },
      get pendingByTask() {
        return world.pendingByTask;
      },
      waitOf: (key) => world.waits.get(key),
      activeOf: (key) => world.active.get(key) ?? 0,
      lastOf: () => undefined,
      keep() {
        world.looks += 1;
      },
    },
    isHolder: () => world.isHolder,
    clock,
    logger: silentLogger,
  });
  const settle = async () => {
    for (let turn = 0; turn < 6; turn += 1) await immediate();
  };
  return {
    ...{ tasks, world, clock, statuses, events, installation, settle },
    rounds: () => rounds,
    functions: () => inOrder(registered?.functions ?? []),
    lanes: () => registered?.lanes.map(({ name }) => name) ?? [],
    /** Whether a build of this lane would be taken now. */
    takes(name: string): boolean {
      const slots = registered?.lanes.find((lane) => lane.name === name)?.slots ?? assert.fail(`there is no lane ${name}`);
      const slot = slots.tryReserve();
      slot?.release();
      return slot !== undefined;
    },
    /** The last status of a task: the reason of one of its conditions, and its message. */
    condition(name: string, type: string): string {
      const last = statuses.findLast((each) => each.name === name)?.status.conditions?.find((each) => each.type === type);
      return `${last?.reason}: ${last?.message}`;
    },
    async start(): Promise<void> {
      await tasks.start();
      await settle();
    },
    async wake(): Promise<void> {
      tasks.wake();
      await settle();
    },
    async pass(ms: number): Promise<void> {
      for (let leftMs = ms; leftMs > 0; leftMs -= 5_000) {
        clock.skip(Math.min(leftMs, 5_000));
        await settle();
      }
    },
    async [Symbol.asyncDispose]() {
      await tasks.stop();
      assert.equal(clock.pending, 0, "timers are left");
    },
  };
}

describe("TestTasks at a replica that is no holder", () => {
  test("stay registered, and that is all: no build is taken, nothing is written, reviewed or told, until it is the holder", async () => {
    await using stage = setUp(taskObject("unit"));
    stage.world.isHolder = false;
    await stage.start();
    stage.tasks.noteRefusal("ci/unit", "no");
    assert.deepEqual([stage.functions(), stage.lanes()], [["build:unit"], []]);
    assert.deepEqual([stage.statuses, stage.world.stored.size, stage.world.reviewed, stage.events], [[], 0, [], []]);
    await stage.pass(10 * MINUTE);
    assert.equal(stage.statuses.length, 0);
    stage.world.isHolder = true;
    await stage.wake();
    assert.deepEqual([stage.lanes(), stage.statuses.length, inOrder(stage.world.stored.keys())], [["shared"], 1, ["build:unit"]]);
    assert.deepEqual(stage.world.reviewed, ["ci/unit"]);
  });
});

describe("TestTasks that come and go", () => {
  test("leave their functions behind, whose builds are answered; one that is being deleted serves nothing", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("other"));
    await stage.start();
    assert.deepEqual([stage.functions(), stage.lanes()], [["build:other", "build:unit"], ["shared"]]);
    stage.world.objects = [taskObject("unit", {}, { deletionTimestamp: "2026-11-01T00:00:00Z" }), taskObject("other")];
    await stage.wake();
    assert.deepEqual(
      [stage.functions(), stage.lanes()],
      [
        ["build:other", "build:unit"],
        ["shared", "retired"],
      ],
    );
    assert.equal(stage.tasks.find("build:unit"), undefined);
  });

  test("of a namespace that is not known yet are registered and have no lane; once it is known they have one at once", async () => {
    await using stage = setUp(taskObject("unit"));
    stage.world.areAllKnown = false;
    stage.tasks.noteNamespace();
    await stage.settle();
    assert.deepEqual([stage.rounds(), stage.world.reviewed], [0, []], "nothing is told before the start");
    await stage.start();
    assert.deepEqual([stage.functions(), stage.lanes()], [["build:unit"], []]);
    stage.world.areAllKnown = true;
    stage.tasks.noteNamespace();
    await stage.settle();
    assert.deepEqual(stage.lanes(), ["shared"]);
  });

  test("that newer rules refuse stay registered, have no lane, and are told of by their name", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("old", { image: 5 }));
    await stage.start();
    assert.deepEqual(
      [stage.functions(), stage.lanes()],
      [
        ["build:old", "build:unit"],
        ["shared", "retired"],
      ],
    );
    assert.deepEqual([stage.tasks.find("build:old"), stage.tasks.refusalOf("build:unit")], [undefined, undefined]);
    assert.deepEqual(stage.tasks.refusalOf("build:old"), {
      taskKey: "ci/old",
      why: "TestTask old is invalid: spec.image must be a string, not a number; put it in quotes",
    });
    assert.match(stage.condition("old", "Ready"), /spec\.image/);
    assert.match(stage.condition("unit", "Ready"), /^(?!.*spec\.image)/);
    assert.deepEqual(stage.world.reviewed, ["ci/unit"]);
    stage.tasks.noteRefusal("ci/old", "no");
    assert.equal(stage.events.at(-1), "ci/old uid-old BuildRefused no");
  });

  test("that stand as they were are read once", async () => {
    await using stage = setUp(taskObject("unit"));
    await stage.start();
    const before = stage.tasks.find("build:unit");
    await stage.wake();
    assert.equal(stage.tasks.find("build:unit"), before);
  });

  test("are read again after a defect of ours, five seconds later", async () => {
    await using stage = setUp(taskObject("unit"));
    await stage.start();
    const before = stage.rounds();
    stage.world.defect = new Error("the defect of tomorrow");
    await stage.wake();
    stage.world.defect = undefined;
    await stage.pass(4_999);
    assert.equal(stage.rounds(), before);
    await stage.pass(1);
    assert.equal(stage.rounds(), before + 1);
  });

  test("have the names registered that only the store knew, once it can be read", async () => {
    await using stage = setUp(taskObject("unit"));
    await stage.start();
    stage.world.stored = new Map([["build:old", new Date(0).toISOString()]]);
    stage.world.objects = [taskObject("unit"), taskObject("new")];
    await stage.wake();
    assert.deepEqual(stage.functions(), ["build:new", "build:old", "build:unit"]);
    assert.deepEqual(inOrder(stage.world.stored.keys()), ["build:new", "build:old", "build:unit"]);
  });
});

describe("a TestTask's keeper", () => {
  test("hears of builds that are refused or wait for a quota, by an event on the task that is there now", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("young", {}, { uid: undefined }));
    await stage.start();
    assert.match(stage.events.join("\n"), /^ci\/unit uid-unit (?!BuildRefused|QuotaFull)/, "and of what its status tells anew");
    assert.match(JSON.stringify(stage.statuses[0]?.status.functions), /build:unit/);
    stage.events.length = 0;
    stage.tasks.noteRefusal("ci/unit", "pipeline check");
    stage.tasks.noteWaiting("ci/unit", "exceeded quota: q");
    stage.tasks.noteRefusal("ci/gone", "x");
    stage.tasks.noteRefusal("ci/young", "x");
    assert.deepEqual(stage.events, [
      "ci/unit uid-unit BuildRefused pipeline check",
      "ci/unit uid-unit QuotaFull a build waits for room: exceeded quota: q",
    ]);
  });

  test("is told at once of the first build in a while, and of hundreds after it no more often than ten times a second", async () => {
    await using stage = setUp(taskObject("unit"));
    await stage.start();
    await stage.pass(MINUTE);
    const before = stage.world.looks;
    stage.tasks.noteActivity();
    await stage.settle();
    assert.equal(stage.world.looks, before + 1);
    for (let build = 0; build < 300; build += 1) {
      stage.tasks.noteActivity();
      await stage.pass(1);
    }
    assert.equal(stage.world.looks, before + 4);
    await stage.pass(MINUTE);
    assert.equal(stage.world.looks, before + 4, "what has not changed is not looked at again");
    stage.tasks.noteActivity();
    await stage.settle();
    assert.equal(stage.world.looks, before + 5);
  });

  test("is told of a new task once the API server has said what it makes of it, or has not for two seconds", async () => {
    await using stage = setUp(taskObject("unit"));
    stage.world.reviewing = 500;
    await stage.start();
    await stage.pass(1_499);
    assert.deepEqual(stage.statuses, []);
    stage.world.reviewing = 2_000;
    await stage.pass(1);
    assert.equal(stage.statuses.length, 1);
  });

  test("is told of builds that no node takes after a minute, in the scheduler's words", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("other"));
    stage.clock.skip(MINUTE);
    const sinceMs = stage.clock.monotonicMs();
    stage.world.pendingByTask.set("ci/other", 1).set("ci/unit", 1);
    stage.world.waits.set("ci/unit", { builds: 1, first: { words: "0/1 nodes are available", sinceMs } });
    await stage.start();
    await stage.pass(MINUTE - 1);
    assert.match(stage.condition("unit", "Degraded"), /^Healthy/);
    await stage.pass(1);
    assert.match(stage.condition("unit", "Degraded"), /^BuildsWait: .*0\/1 nodes are available/);
    assert.match(stage.condition("other", "Degraded"), /^Healthy/);
  });
});

describe("a TestTask whose builds cannot be carried out", () => {
  test("is stopped at once, has a lane of its own, and is tried with one build when its time has come", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("other"));
    await stage.start();
    for (let each = 0; each < 3; each += 1) stage.tasks.noteVerdict("ci/unit", LOST);
    await stage.settle();
    assert.deepEqual([stage.lanes(), stage.takes("ci/unit"), stage.takes("shared")], [["shared", "ci/unit"], false, true]);
    await stage.pass(29_999);
    assert.equal(stage.takes("ci/unit"), false);
    await stage.pass(1);
    assert.equal(stage.takes("ci/unit"), true, "nobody had to wake it");
    for (const occupy of [() => stage.tasks.occupy("ci/unit"), () => stage.tasks.count("ci/unit", stage.installation.occupy())]) {
      assert.equal(stage.tasks.mayBegin("ci/unit"), true);
      const slot = occupy();
      assert.deepEqual([stage.takes("ci/unit"), stage.tasks.mayBegin("ci/unit")], [false, false], "one at a time");
      assert.deepEqual(stage.tasks.pools, [
        { name: "installation", used: 1, capacity: 8 },
        { name: "ci/unit", used: 1, capacity: 1 },
      ]);
      slot.release();
    }
    stage.tasks.noteVerdict("ci/unit", { result: "SUCCESS", class: "success", rule: "exit-0", message: "ok" });
    await stage.settle();
    assert.deepEqual(stage.lanes(), ["shared"]);
  });

  test("changes nothing with the first two", async () => {
    await using stage = setUp(taskObject("unit"));
    await stage.start();
    const before = stage.rounds();
    for (let each = 0; each < 2; each += 1) stage.tasks.noteVerdict("ci/unit", LOST);
    await stage.settle();
    assert.equal(stage.rounds(), before);
  });
});

describe("a TestTask whose builds wait for a node", () => {
  test("takes no more while others may need the places, and its keeper hears of that at once", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("other"));
    await stage.start();
    stage.world.pendingByTask.set("ci/unit", 2);
    stage.world.active.set("ci/unit", 2);
    stage.world.waits.set("ci/unit", { builds: 2, first: { words: "0/1 nodes are available", sinceMs: 0 } });
    stage.tasks.noteShares();
    assert.deepEqual([stage.lanes(), stage.takes("ci/unit"), stage.takes("shared")], [["shared", "ci/unit"], false, true], "at once");
    await stage.pass(5_000);
    assert.match(stage.condition("unit", "Degraded"), /^BuildsWait/);
    stage.world.pendingByTask.delete("ci/unit");
    stage.tasks.noteShares();
    assert.equal(stage.takes("ci/unit"), true);
  });

  test("counts builds that run against the places of all", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("other"));
    await stage.start();
    stage.world.pendingByTask.set("ci/unit", 1);
    stage.world.active.set("ci/unit", 1).set("ci/other", 6);
    stage.tasks.noteShares();
    assert.equal(stage.takes("ci/unit"), false);
  });

  test("that is alone takes nothing from anybody", async () => {
    await using stage = setUp(taskObject("unit"));
    await stage.start();
    const before = stage.rounds();
    stage.world.pendingByTask.set("ci/unit", 4);
    stage.tasks.noteShares();
    await stage.settle();
    assert.deepEqual([stage.lanes(), stage.takes("shared"), stage.rounds()], [["shared"], true, before]);
  });

  test("is registered for nobody before the start has come to that", async () => {
    await using stage = setUp(taskObject("unit"), taskObject("other"));
    await stage.tasks.start();
    stage.world.pendingByTask.set("ci/unit", 4);
    stage.tasks.noteShares();
    assert.equal(stage.rounds(), 0);
  });
});
