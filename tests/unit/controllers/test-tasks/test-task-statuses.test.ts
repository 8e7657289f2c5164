import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STATUS_INTERVAL_MS, TestTaskStatuses } from "../../../../src/controllers/test-tasks/test-task-statuses.ts";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import type { TestTaskStatus } from "../../../../src/core/test-task/schema/status.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

/** One task whose status is written as the test wants it. */
function makeWriter() {
  const clock = makeSkippingClock();
  const writes: TestTaskStatus[] = [];
  const news: string[] = [];
  const state = { wanted: {} as TestTaskStatus | number, fails: false, uid: "u1", stored: undefined as TestTaskStatus | undefined };
  const statuses = new TestTaskStatuses({
    async write(_namespace, _name, status) {
      if (state.fails) throw new Error("refused");
      writes.push(status);
    },
    onNews: ({ uid }, { reason }) => news.push(`${uid} ${reason}`),
    clock,
    logger: silentLogger,
  });
  const write = (present = true) => {
    const object = { metadata: { name: "a", namespace: "ci", uid: state.uid }, status: state.stored } as KubeObject;
    return statuses.write(present ? [object] : [], () => state.wanted, new AbortController().signal);
  };
  return { clock, writes, news, state, write };
}

describe("the status of a TestTask", () => {
  test("is written when it has changed, and not again before five seconds have passed", async () => {
    const { clock, writes, state, write } = makeWriter();
    state.wanted = { active: 1 };
    assert.equal(await write(), undefined);
    for (const active of [2, 3, 4]) {
      state.wanted = { active };
      const waitMs = (await write()) ?? 0;
      assert.ok(waitMs > STATUS_INTERVAL_MS - 1000 && waitMs <= STATUS_INTERVAL_MS, `${waitMs}`);
    }
    assert.deepEqual(writes, [{ active: 1 }]);
    clock.skip(STATUS_INTERVAL_MS);
    assert.equal(await write(), undefined);
    assert.deepEqual(writes, [{ active: 1 }, { active: 4 }]);
  });

  test("is not written when nothing has changed, by us or before our start", async () => {
    const { clock, writes, state, write } = makeWriter();
    state.stored = { active: 1 };
    state.wanted = { active: 1 };
    await write();
    clock.skip(60_000);
    await write();
    assert.deepEqual(writes, []);
    state.wanted = { active: 2 };
    await write();
    clock.skip(60_000);
    await write();
    assert.deepEqual(writes, [{ active: 2 }]);
  });

  test("is not written when it is as before once its time has come", async () => {
    const { clock, writes, state, write } = makeWriter();
    for (const active of [1, 2, 1]) {
      state.wanted = { active };
      await write();
    }
    clock.skip(STATUS_INTERVAL_MS);
    assert.equal(await write(), undefined);
    assert.deepEqual(writes, [{ active: 1 }]);
  });

  test("is written again after a failure, no sooner than five seconds later", async () => {
    const { clock, writes, state, write } = makeWriter();
    state.wanted = { active: 1 };
    state.fails = true;
    assert.equal(await write(), STATUS_INTERVAL_MS);
    state.fails = false;
    assert.ok(((await write()) ?? 0) > 0);
    assert.deepEqual(writes, []);
    clock.skip(STATUS_INTERVAL_MS);
    await write();
    assert.deepEqual(writes, [{ active: 1 }]);
  });

  test("is not written before it is known", async () => {
    const { writes, state, write } = makeWriter();
    state.wanted = 1500;
    assert.equal(await write(), 1500);
    assert.deepEqual(writes, []);
    state.wanted = { active: 0 };
    await write();
    assert.deepEqual(writes, [{ active: 0 }]);
  });

  test("of a task that was deleted and made anew is written at once", async () => {
    const { writes, state, write } = makeWriter();
    state.wanted = { active: 1 };
    await write();
    state.uid = "u2";
    await write();
    assert.equal(writes.length, 2);
  });

  test("of a task that is gone is forgotten, and written at once should the task be there again", async () => {
    const { writes, state, write } = makeWriter();
    for (const [active, isThere] of [
      [1, true],
      [1, false],
      [2, true],
    ] as const) {
      state.wanted = { active };
      await write(isThere);
    }
    assert.deepEqual(writes, [{ active: 1 }, { active: 2 }]);
  });

  test("that cannot be read is replaced once", async () => {
    const { clock, writes, state, write } = makeWriter();
    state.stored = { active: "many" } as unknown as TestTaskStatus;
    state.wanted = { active: 0 };
    await write();
    clock.skip(60_000);
    await write();
    assert.equal(writes.length, 1);
  });

  test("tells its news once it is written, once", async () => {
    const { clock, news, state, write } = makeWriter();
    const ready = { type: "Ready", status: "True", reason: "Serving", message: "m", lastTransitionTime: "2026-01-01T00:00:00Z" } as const;
    state.wanted = { conditions: [ready] };
    state.fails = true;
    await write();
    assert.deepEqual(news, []);
    state.fails = false;
    clock.skip(STATUS_INTERVAL_MS);
    await write();
    state.wanted = { conditions: [ready], active: 1 };
    clock.skip(STATUS_INTERVAL_MS);
    await write();
    assert.deepEqual(news, ["u1 Serving"]);
  });
});

/** Statuses of several tasks over a clock that stands still. */
function makeWriterOfMany() {
  const clock = makeManualClock();
  const writes: string[] = [];
  const stopping = new AbortController();
  const state = { onWrite: () => {} };
  const statuses = new TestTaskStatuses({
    async write(_namespace, name, { active }) {
      state.onWrite();
      writes.push(`${name} ${active}`);
    },
    onNews() {},
    clock,
    logger: silentLogger,
  });
  return {
    ...{ clock, writes, stopping, state },
    /** What each task is to have: a number of builds, or "in" so many milliseconds. */
    write(wanted: Record<string, number | { inMs: number }>) {
      const objects = Object.keys(wanted).map((name) => ({ metadata: { name, namespace: "ci", uid: name } }) as KubeObject);
      const render = ({ metadata: { name } }: KubeObject) => {
        const is = wanted[name];
        return typeof is === "object" ? is.inMs : { active: is };
      };
      return statuses.write(objects, render as Parameters<typeof statuses.write>[1], stopping.signal);
    },
  };
}

describe("the statuses of several TestTasks", () => {
  test("are looked at again when the first of them is due, whatever their order", async () => {
    for (const names of [
      ["a", "b"],
      ["b", "a"],
    ]) {
      const { clock, write } = makeWriterOfMany();
      const inOrder = <T>(wanted: Record<string, T>) => Object.fromEntries(names.map((name) => [name, wanted[name] as T]));
      assert.equal(await write(inOrder({ a: { inMs: 1500 }, b: { inMs: 700 } })), 700);
      await write({ a: 1 });
      clock.skip(2_000);
      await write(inOrder({ a: 1, b: 1 }));
      clock.skip(1_000);
      assert.equal(await write(inOrder({ a: 2, b: 2 })), STATUS_INTERVAL_MS - 3_000);
    }
  });

  test("are written no more once the replica stops", async () => {
    const { writes, stopping, state, write } = makeWriterOfMany();
    state.onWrite = () => stopping.abort();
    assert.equal(await write({ a: 1, b: 1 }), undefined);
    assert.deepEqual(writes, ["a 1"]);
  });
});
