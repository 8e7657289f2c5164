import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { WaitingWatch } from "../../../../src/controllers/build-life/waiting-watch.ts";
import type { KubeEvent } from "../../../../src/core/kubernetes/objects.ts";
import type { BuildState } from "../../../../src/core/observation/build-state.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeEvent, makeJob, makePod, observe, terminated, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** A Job without a pod: its Events tell why, from 5 s on. */
const QUEUED = observe(makeJob(), []);
const preparing = (reason: string, message = "") =>
  observe(makeJob(), [makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", reason, message)] } })]);
/** A pod whose containers are being made: its Events tell what it waits for, from 20 s on. */
const CREATING = preparing("ContainerCreating");
/** A pod without a node, since nobody has made the volume of its claim yet. */
const UNBOUND = observe(makeJob(), [
  makePod({
    ...UNSCHEDULED,
    status: {
      ...UNSCHEDULED.status,
      conditions: [
        { type: "PodScheduled", status: "False", message: "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims." },
      ],
    },
  }),
]);
const RUNNING = observe(makeJob(), [makePod()]);
/** A test that exited 0 after its kubelet began to end it: only the pod's Events tell why. */
const KILLED = observe(
  makeJob(),
  [makePod({ status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } })],
  "Stopping container test",
);
const QUOTA = makeEvent(
  "FailedCreate",
  'Error creating: pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
);
const REFUSED = makeEvent("FailedCreate", 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": no');
const MOUNT = makeEvent("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "s" not found');

function setUp() {
  const clock = makeManualClock();
  const world = { events: [] as KubeEvent[], failure: undefined as Error | undefined, held: undefined as Promise<void> | undefined };
  const asked: string[] = [];
  const full: string[] = [];
  const logged: { message: string; fields: object }[] = [];
  const log = (fields: object, message: string) => void logged.push({ message, fields });
  let reads = 0;
  const watch = new WaitingWatch({
    async readEvents(uid) {
      asked.push(uid);
      const { events } = world;
      await world.held;
      if (world.failure) throw world.failure;
      return events;
    },
    onRead: () => (reads += 1),
    onQuotaFull: (why) => void full.push(why),
    clock,
    logger: () => ({ ...silentLogger, info: log, warn: log }),
  });
  const uids = { job: "the-job", pod: "the-pod", claim: "the-claim" };
  return {
    ...{ clock, world, asked, full, watch, uids, logged },
    reads: () => reads,
    /** Looks once, and once more at what that has brought. */
    async look(state: BuildState, since = new Date(0)): Promise<number | undefined> {
      const next = await watch.observe(state, since, uids);
      await immediate();
      return next;
    },
  };
}

describe("the Events of what waits", () => {
  for (const [what, state, whose, afterMs] of [
    ["a Job without a pod", QUEUED, "the-job", 5_000],
    ["a pod that is silent", CREATING, "the-pod", 20_000],
    ["a pod whose dataset is being made", UNBOUND, "the-claim", 20_000],
  ] as const) {
    test(`of ${what} are not read sooner than it takes a cluster that is well`, async () => {
      const { clock, asked, look } = setUp();
      clock.skip(afterMs - 1);
      assert.deepEqual([await look(state), asked], [undefined, []]);
      clock.skip(1);
      assert.deepEqual([await look(state), asked], [afterMs, [whose]]);
    });
  }

  test("are read again after as long as it had waited then, a minute at most, and not at each look", async () => {
    const { clock, asked, look } = setUp();
    const readAt: number[] = [];
    for (let second = 1; second <= 200; second += 1) {
      clock.skip(1_000);
      const before = asked.length;
      const nextMs = await look(QUEUED);
      if (asked.length > before) readAt.push(second);
      const last = readAt.at(-1);
      if (last !== undefined) assert.equal(nextMs, (last + Math.min(last, 60) - second) * 1000, `at ${second} s`);
    }
    assert.deepEqual(readAt, [5, 10, 20, 40, 80, 140, 200]);
  });

  test("are read of nobody for what tells enough by itself", async () => {
    const { clock, asked, look } = setUp();
    clock.skip(3_600_000);
    for (const state of [RUNNING, preparing("ErrImagePull", "connection refused")]) assert.equal(await look(state), undefined);
    assert.deepEqual(asked, []);
  });

  test("make the build look again where there are any", async () => {
    const { clock, look, reads, world } = setUp();
    clock.skip(60_000);
    await look(QUEUED);
    assert.equal(reads(), 0);
    world.events = [QUOTA];
    clock.skip(60_000);
    await look(QUEUED);
    assert.equal(reads(), 1);
  });

  test("of a test that has ended are waited for: they decide what its end means", async () => {
    const { world, watch, uids } = setUp();
    const held = Promise.withResolvers<void>();
    Object.assign(world, {
      held: held.promise,
      events: [makeEvent("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ")],
    });
    let isDone = false;
    const done = watch.observe(KILLED, new Date(0), uids).then(() => {
      isDone = true;
    });
    await immediate();
    assert.equal(isDone, false);
    held.resolve();
    await done;
    assert.equal(watch.trouble?.trouble.rule, "out-of-disk");
  });

  test("of what it waited for before do not count, though they come late", async () => {
    const { clock, world, watch, uids, asked } = setUp();
    const held = Promise.withResolvers<void>();
    Object.assign(world, { held: held.promise, events: [REFUSED] });
    clock.skip(60_000);
    await watch.observe(QUEUED, new Date(0), uids);
    world.events = [];
    await watch.observe(QUEUED, new Date(0), { ...uids, job: "another-job" });
    held.resolve();
    await immediate();
    await watch.observe(QUEUED, new Date(0), { ...uids, job: "another-job" });
    assert.deepEqual([watch.trouble, asked], [undefined, ["the-job", "another-job"]]);
  });

  test("are a help, not a need: where they cannot be read the build waits on, and they are read later", async () => {
    const { clock, world, look, watch } = setUp();
    const rule = () => watch.trouble?.trouble.rule;
    world.failure = new Error("forbidden");
    clock.skip(60_000);
    assert.equal(await look(QUEUED), 60_000);
    assert.equal(rule(), undefined);
    Object.assign(world, { failure: undefined, events: [REFUSED] });
    clock.skip(60_000);
    await look(QUEUED);
    await look(QUEUED);
    assert.equal(rule(), "pod-refused");
  });
});

describe("what keeps a build from going on", () => {
  test("counts from when it was first seen, begins anew when another takes its place, and is gone when the build goes on", async () => {
    const { clock, look, watch, world } = setUp();
    const since = () => watch.trouble?.since.getTime();
    clock.skip(60_000);
    world.events = [QUOTA];
    await look(QUEUED);
    clock.skip(1_000);
    await look(QUEUED);
    assert.deepEqual([watch.trouble?.trouble.rule, since()], ["quota-full", 61_000]);
    clock.skip(1_000);
    await look(QUEUED);
    assert.equal(since(), 61_000);
    const notFound = preparing(
      "ErrImagePull",
      'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/a:1": failed to resolve reference "docker.io/library/a:1": docker.io/library/a:1: not found',
    );
    await look(notFound);
    assert.deepEqual([watch.trouble?.trouble.rule, since()], ["image-not-found", 62_000]);
    clock.skip(1_000);
    await look(RUNNING);
    assert.equal(watch.trouble, undefined);
    await look(notFound);
    assert.equal(since(), 63_000);
  });

  test("is told where it is a full quota, once, in the quota's words", async () => {
    const { clock, look, full, world } = setUp();
    world.events = [QUOTA];
    clock.skip(60_000);
    for (let each = 0; each < 3; each += 1) {
      await look(QUEUED);
      clock.skip(60_000);
    }
    assert.equal(full.length, 1);
    assert.match(full[0] ?? "", /^exceeded quota: q/);
  });

  test("is still told when a pod that was ended does not tell it any more", async () => {
    const { clock, look, watch, world } = setUp();
    assert.equal(watch.waitedFor, undefined);
    world.events = [MOUNT];
    clock.skip(20_000);
    await look(CREATING);
    await look(CREATING);
    assert.match(watch.waitedFor ?? "", /^FailedMount - /);
    await look(RUNNING);
    assert.match(watch.waitedFor ?? "", /^FailedMount - /);
    await look(preparing("CreateContainerError", "no"));
    assert.match(watch.waitedFor ?? "", /^container test - CreateContainerError/);
  });
});

describe("what a build waits for", () => {
  test("counts from when it began to, however long the process has run", async () => {
    const { clock, asked, look } = setUp();
    clock.skip(3_600_000);
    const since = clock.steadyNow();
    clock.skip(4_999);
    await look(QUEUED, since);
    assert.deepEqual(asked, []);
    clock.skip(1);
    await look(QUEUED, since);
    assert.deepEqual(asked, ["the-job"]);
  });

  test("is logged once with its rule and words, and not when it is over", async () => {
    const { clock, logged, look, world } = setUp();
    world.events = [QUOTA];
    for (let minute = 0; minute < 5; minute += 1) {
      clock.skip(60_000);
      await look(QUEUED);
    }
    await look(RUNNING);
    assert.deepEqual(
      logged.map(({ message, fields }) => [message, Object(fields).rule]),
      [["build waits for what may not come", "quota-full"]],
    );
    assert.match(Object(logged[0]?.fields).text, /exceeded quota: q/);
  });

  test("is not known where its Events cannot be read, and that is logged", async () => {
    const { clock, logged, look, watch, world } = setUp();
    world.failure = new Error("no answer");
    clock.skip(60_000);
    await look(QUEUED);
    assert.deepEqual(logged, [{ message: "could not read the Events that may tell why the build waits", fields: { err: world.failure } }]);
    assert.equal(watch.trouble, undefined);
  });

  test("is asked of no object that is not there", async () => {
    const { asked, clock, logged, watch } = setUp();
    clock.skip(60_000);
    await watch.observe(QUEUED, new Date(0), { job: undefined, pod: "the-pod", claim: undefined });
    assert.deepEqual([asked, logged], [[], []]);
  });

  test("is not told by Events of what it waited for before, however late they come", async () => {
    const { clock, look, reads, watch, world } = setUp();
    const held = Promise.withResolvers<void>();
    world.held = held.promise;
    world.events = [QUOTA];
    clock.skip(60_000);
    await look(QUEUED);
    world.events = [];
    await look(CREATING);
    held.resolve();
    await immediate();
    assert.equal(reads(), 0);
    await look(QUEUED, clock.steadyNow());
    assert.equal(watch.trouble, undefined);
  });
});
