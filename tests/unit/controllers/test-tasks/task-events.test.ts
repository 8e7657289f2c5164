import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TaskEvents } from "../../../../src/controllers/test-tasks/task-events.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const TASK = { namespace: "ci", name: "unit", uid: "u1" };
const REFUSED = { type: "Warning", reason: "BuildRefused", message: "pipeline check" } as const;

async function startEvents() {
  const clock = makeSkippingClock();
  const calls: string[] = [];
  const names: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const state = { fails: false, isGone: false, onCreate: () => {} };
  const note = (call: string) => {
    calls.push(call);
    for (const each of waiting) if (calls.length >= each.count) each.resolve();
  };
  const events = new TaskEvents({
    writer: {
      async create(name, task, event, { count, first, last }) {
        for (const time of [first, last]) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        assert.match(name, /^[a-z0-9.-]+[a-z0-9]\.[0-9a-f]{16}$/);
        names.push(name);
        note(`create ${task.uid} ${event.reason} ${event.message} x${count}`);
        state.onCreate();
        if (state.fails) throw new Error("refused");
      },
      async repeat(_namespace, _name, { count }) {
        note(`repeat x${count}`);
        return !state.isGone;
      },
    },
    clock,
    logger: silentLogger,
  });
  await events.start();
  return {
    events,
    clock,
    calls,
    names,
    state,
    /** Resolves once there were so many calls, and the loop has gone on after them. */
    async called(count: number) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ count, resolve });
      if (calls.length >= count) resolve();
      await promise;
      await new Promise((turn) => setImmediate(turn));
    },
    async [Symbol.asyncDispose]() {
      await new Promise((turn) => setImmediate(turn));
      await events.stop();
      assert.equal(clock.pending, 0, "no timer is left");
    },
  };
}

describe("an event about a TestTask", () => {
  test("has the task's name in its own, which an API server takes however long that is", async () => {
    await using stage = await startEvents();
    stage.events.note(TASK, REFUSED);
    stage.events.note({ ...TASK, uid: "u2", name: `${"a".repeat(231)}-.-.-${"b".repeat(17)}` }, REFUSED);
    stage.events.note({ ...TASK, uid: "u3", name: "unit.tests-2" }, REFUSED);
    await stage.called(3);
    assert.deepEqual(
      stage.names.map((name) => name.replace(/\.[^.]*$/, "")),
      ["unit", "a".repeat(231), "unit.tests-2"],
    );
  });

  test("is written at once; what happens again is counted and written a minute later, as the same event", async () => {
    await using stage = await startEvents();
    stage.events.note(TASK, REFUSED);
    await stage.called(1);
    for (let times = 0; times < 500; times += 1) stage.events.note(TASK, REFUSED);
    await new Promise((turn) => setImmediate(turn));
    assert.deepEqual(stage.calls, ["create u1 BuildRefused pipeline check x1"]);
    stage.clock.skip(60_000);
    await stage.called(2);
    assert.deepEqual(stage.calls.slice(1), ["repeat x501"]);
    stage.clock.skip(600_000);
    await new Promise((turn) => setImmediate(turn));
    assert.equal(stage.calls.length, 2, "nothing new, nothing written");
  });

  test("that happens again while it is being written is counted all the same", async () => {
    await using stage = await startEvents();
    stage.state.onCreate = () => stage.events.note(TASK, REFUSED);
    stage.events.note(TASK, REFUSED);
    await stage.called(1);
    stage.clock.skip(60_000);
    await stage.called(2);
    assert.deepEqual(stage.calls.slice(1), ["repeat x2"]);
  });

  test("is written at once though another one waits for its minute", async () => {
    await using stage = await startEvents();
    stage.events.note(TASK, REFUSED);
    await stage.called(1);
    stage.events.note(TASK, REFUSED);
    stage.events.note({ ...TASK, uid: "u2" }, REFUSED);
    await new Promise((turn) => setImmediate(turn));
    assert.deepEqual(stage.calls.slice(1), ["create u2 BuildRefused pipeline check x1"]);
  });

  test("that the API server has forgotten is written anew, with its count", async () => {
    await using stage = await startEvents();
    stage.events.note(TASK, REFUSED);
    await stage.called(1);
    stage.state.isGone = true;
    stage.clock.skip(60_000);
    stage.events.note(TASK, REFUSED);
    await stage.called(3);
    assert.deepEqual(stage.calls.slice(1), ["repeat x2", "create u1 BuildRefused pipeline check x2"]);
  });

  test("is one of at most twenty about a task, and those of other tasks do not suffer from it", async () => {
    await using stage = await startEvents();
    stage.clock.skip(3_000_000);
    for (let index = 0; index < 100; index += 1) stage.events.note(TASK, { ...REFUSED, message: `pipeline ${index}` });
    stage.events.note({ ...TASK, uid: "u2" }, REFUSED);
    await stage.called(21);
    assert.equal(stage.calls.length, 21);
    assert.equal(stage.calls.filter((call) => call.startsWith("create u2")).length, 1);
    stage.clock.skip(3_500_000);
    stage.events.note(TASK, { ...REFUSED, message: "less than an hour later" });
    await new Promise((turn) => setImmediate(turn));
    assert.equal(stage.calls.length, 21);
    stage.clock.skip(100_000);
    stage.events.note(TASK, { ...REFUSED, message: "an hour later" });
    await stage.called(22);
  });

  test("is one of at most two thousand about all tasks", async () => {
    await using stage = await startEvents();
    const note = (index: number) => stage.events.note({ ...TASK, uid: `u${index}` }, REFUSED);
    for (let index = 0; index < 2000; index += 1) note(index);
    note(2000);
    await stage.called(2000);
    await new Promise((turn) => setImmediate(turn));
    assert.equal(stage.calls.length, 2000);
    assert.ok(!stage.calls.some((call) => call.startsWith("create u2000 ")));
  });

  test("is given up after five tries, and tried again when it happens again", async () => {
    await using stage = await startEvents();
    stage.state.fails = true;
    stage.events.note(TASK, REFUSED);
    for (let tries = 1; tries <= 5; tries += 1) {
      await stage.called(tries);
      await new Promise((turn) => setImmediate(turn));
      assert.equal(stage.calls.length, tries, "not again at once");
      stage.clock.skip(30_000);
    }
    await new Promise((turn) => setImmediate(turn));
    assert.equal(stage.calls.length, 5);
    stage.state.fails = false;
    stage.events.note(TASK, REFUSED);
    stage.clock.skip(30_000);
    await stage.called(6);
    assert.equal(stage.calls.at(-1), "create u1 BuildRefused pipeline check x2");
  });

  test("holds no control characters and is at most a thousand characters long", async () => {
    await using stage = await startEvents();
    stage.events.note(TASK, { ...REFUSED, message: `a\u001b[31m\n${"x".repeat(5000)}` });
    await stage.called(1);
    assert.match(stage.calls[0] ?? "", /^create u1 BuildRefused a\?\[31m\?x+\.\.\. x1$/);
    const lengthOf = (call = "") => call.length - "create u1 BuildRefused  x1".length;
    stage.events.note(TASK, { ...REFUSED, message: "y".repeat(1000) });
    await stage.called(2);
    assert.deepEqual(stage.calls.map(lengthOf), [1000, 1000]);
    assert.doesNotMatch(stage.calls[1] ?? "", /\.\.\./);
  });
});
