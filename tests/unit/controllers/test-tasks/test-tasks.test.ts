import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { TestTasks } from "../../../../src/controllers/test-tasks/test-tasks.ts";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const TASK = {
  apiVersion: "turbo-hipster.io/v1alpha1",
  kind: "TestTask",
  metadata: { name: "unit", namespace: "ci", uid: "u1", generation: 1 },
  spec: { image: "i" },
} as KubeObject;

/** TestTasks of one task; the test lets the reading of kept names, and each write of a status, come to their ends. */
function setUp() {
  const clock = makeSkippingClock();
  const loaded = Promise.withResolvers<ReadonlyMap<string, string>>();
  const registered: { functions: readonly string[]; lanes: string[] }[] = [];
  const writes: PromiseWithResolvers<void>[] = [];
  const kept: boolean[][] = [];
  const until = (promise: Promise<unknown>, signal: AbortSignal) => {
    const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    return Promise.race([promise, aborted]);
  };
  const tasks = new TestTasks({
    cluster: {
      tasks: {
        cachedTestTasks: () => [TASK],
        async writeStatus(_namespace, _name, _status, signal) {
          const write = Promise.withResolvers<void>();
          writes.push(write);
          await until(write.promise, signal);
        },
      },
      namespaces: { isKnown: () => true, areAllKnown: true },
      names: {
        now: () => new Date(),
        async load(signal) {
          await until(loaded.promise, signal);
          return loaded.promise;
        },
        async save() {},
      },
    },
    gearman: {
      link: {
        servers: [],
        setRegistrations: ({ functions, lanes }) => void registered.push({ functions, lanes: lanes.map(({ name }) => name) }),
      },
      pools: {
        installation: makeSlotPool({ capacity: 5 }),
        make: (capacity) => makeSlotPool({ capacity }),
      },
    },
    reviews: { setTasks() {}, of: () => undefined, awaitedMs: () => undefined },
    events: { note() {} },
    limits: { maxPending: 10, maxBuilds: 10 },
    builds: {
      active: new Map(),
      pending: 0,
      pendingByTask: new Map(),
      waitOf: () => undefined,
      activeOf: () => 0,
      lastOf: () => undefined,
      keep: (keys) => void kept.push(["ci/unit", "ci/old"].map((key) => keys.has(key))),
    },
    isHolder: () => true,
    clock,
    logger: silentLogger,
  });
  return { tasks, clock, loaded, registered, writes, kept };
}

describe("TestTasks", () => {
  test("registers what is served once the kept names are read, and goes on while the API server is slow to take a status", async () => {
    const { tasks, clock, loaded, registered, writes } = setUp();
    await tasks.start();
    await turn();
    assert.deepEqual(registered, []);
    loaded.resolve(new Map([["build:old", clock.now().toISOString()]]));
    await turn();
    assert.deepEqual(registered, [{ functions: ["build:unit", "build:old"], lanes: ["shared", "retired"] }]);
    assert.equal(writes.length, 1);
    tasks.wake();
    await turn();
    assert.equal(registered.length, 2);
    assert.equal(writes.length, 1, "one write of a status at a time");
    await tasks.stop();
    assert.equal(clock.pending, 0);
  });

  test("has what is counted of tasks that are gone forgotten", async () => {
    const { tasks, loaded, kept, writes } = setUp();
    loaded.resolve(new Map());
    await tasks.start();
    await turn();
    assert.deepEqual(kept[0], [true, false]);
    writes[0]?.resolve();
    await tasks.stop();
  });

  test("knows a function's task from its start on", async () => {
    const { tasks, clock } = setUp();
    assert.equal(tasks.find("build:unit"), undefined);
    await tasks.start();
    assert.equal(tasks.find("build:unit")?.metadata.name, "unit");
    assert.equal(tasks.find("build:other"), undefined);
    await tasks.stop();
    assert.equal(clock.pending, 0);
  });

  test("stops before, during and after its start, registers nothing afterwards and leaves no timer", async () => {
    for (const when of ["before", "during", "after"]) {
      const { tasks, clock, loaded, registered } = setUp();
      if (when === "before") await tasks.stop();
      const started = tasks.start();
      if (when === "after") {
        loaded.resolve(new Map());
        await turn();
      }
      await Promise.all([tasks.stop(), started, tasks.stop()]);
      const { length } = registered;
      assert.equal(length, when === "after" ? 1 : 0);
      tasks.wake();
      loaded.resolve(new Map());
      await turn();
      assert.equal(registered.length, length);
      assert.equal(clock.pending, 0);
    }
  });
});
