import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STATUS_INTERVAL_MS, TestTaskStatuses } from "../../../../src/controllers/test-tasks/test-task-statuses.ts";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import type { TestTaskStatus } from "../../../../src/core/test-task/schema/status.ts";
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
