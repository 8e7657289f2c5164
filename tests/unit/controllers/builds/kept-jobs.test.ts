import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeptJobs } from "../../../../src/controllers/builds/kept-jobs.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { TurboHipsterError } from "../../../../src/runtime/errors.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const REQUEST = { server: "zuul:4730", unique: "ab", number: "unit-1", logPath: null, replica: "host", since: "2026-01-01T00:00:00Z" };
const SUCCESS = '{"result":"SUCCESS","class":"success","rule":"passed","message":"ok"}';
const HOUR = 3_600_000;

interface Changes {
  agoMs?: number;
  isOver?: boolean;
  annotations?: Record<string, string | undefined>;
  labels?: Record<string, string>;
  metadata?: Partial<Job["metadata"]>;
  ttl?: number | undefined;
}

/** A Job of a build that was delivered hours ago. */
function makeDone(name: string, { agoMs = 2 * HOUR, isOver = true, annotations, labels, metadata, ttl }: Changes = {}): Job {
  const all = {
    "turbo-hipster.io/function": "build:unit",
    "turbo-hipster.io/request": JSON.stringify({ ...REQUEST, number: name }),
    "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
    "turbo-hipster.io/verdict": SUCCESS,
    "turbo-hipster.io/delivered": "2026-01-01T00:00:00Z",
    ...annotations,
  };
  const ours = { "app.kubernetes.io/managed-by": "turbo-hipster", "turbo-hipster.io/installation": "a", "turbo-hipster.io/task": "unit" };
  const lastTransitionTime = new Date(Date.now() - agoMs).toISOString();
  return {
    metadata: {
      ...{ name, namespace: "ci", uid: `uid-${name}`, labels: { ...ours, ...labels } },
      annotations: Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)),
      ...metadata,
    },
    spec: { template: { spec: { containers: [] } }, ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }) },
    status: isOver ? { conditions: [{ type: "Complete", status: "True", lastTransitionTime }] } : { active: 1 },
  };
}

/** Jobs in a cache that shows deletions at once, and what was deleted. */
async function startKeptJobs(maxKept: number, jobs: Job[], remove?: (name: string) => Promise<void>, isHolder = () => true) {
  const clock = makeSkippingClock();
  const cache = new Map(jobs.map((job) => [job.metadata.name, job]));
  const deleted: string[] = [];
  const warned: object[] = [];
  const world = { running: 0, most: 0 };
  const logger: Logger = { ...silentLogger, warn: (fields) => void warned.push(fields) };
  let looked = Promise.withResolvers<void>();
  clock.onSchedule((delayMs) => {
    // The rest after a look, or the wait of one that is no holder.
    if (![5_000, 30_000, 60_000].includes(delayMs)) return;
    looked.resolve();
    looked = Promise.withResolvers();
  });
  const kept = new KeptJobs({
    cluster: {
      now: () => new Date(Date.now() + clock.monotonicMs() - performance.now()),
      cachedJobs: () => cache.values(),
      async deleteJob(namespace, name, uid) {
        world.running += 1;
        world.most = Math.max(world.most, world.running);
        await remove?.(name).finally(() => {
          world.running -= 1;
        });
        deleted.push(`${namespace}/${name} ${uid}`);
        cache.delete(name);
      },
    },
    isHolder,
    maxKept,
    clock,
    logger,
  });
  const first = looked.promise;
  await kept.start();
  await first;
  return {
    ...{ kept, clock, cache, deleted, warned, world },
    names: () => [...cache.keys()],
    /** Lets it look once more, after so long; a round in which something failed is rested from. */
    async look(passMs = 5_000): Promise<void> {
      const next = looked.promise;
      clock.skip(passMs);
      kept.wake();
      await Promise.race([next, turns()]);
    },
    async [Symbol.asyncDispose]() {
      await kept.stop();
      assert.equal(clock.pending, 0);
    },
  };
}

/** More than a round takes. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const numbered = (count: number, make = (index: number) => makeDone(`j-${index}`, { agoMs: 2 * HOUR - index })) =>
  Array.from({ length: count }, (_, index) => make(index));

describe("finished Jobs that are too many", () => {
  test("are looked for each minute though nothing happens", async () => {
    await using stage = await startKeptJobs(0, [makeDone("young", { agoMs: 9.5 * 60_000 })]);
    const deletedAfter = async (ms: number) => {
      stage.clock.skip(ms);
      await turns();
      return stage.deleted.length;
    };
    assert.equal(await deletedAfter(5_000), 0);
    assert.equal(await deletedAfter(50_000), 0, "it is old enough since twenty-five seconds");
    assert.equal(await deletedAfter(5_000), 1);
  });

  test("and ended just now stay, whatever this machine's clock says of that", async () => {
    await using stage = await startKeptJobs(0, [makeDone("young", { agoMs: 60_000 }), makeDone("new", { agoMs: 1000 })]);
    stage.clock.jump(2 * HOUR);
    stage.kept.giveWay("ci", "waits");
    await stage.look();
    assert.deepEqual(stage.names(), ["new"]);
    stage.clock.jump(-4 * HOUR);
    stage.kept.giveWay("ci", "waits");
    stage.clock.skip(30_000);
    await stage.look();
    assert.deepEqual(stage.names(), []);
  });

  test("are deleted oldest first, by uid, until as many are left as may be kept", async () => {
    await using stage = await startKeptJobs(3, numbered(7).reverse());
    assert.deepEqual(stage.deleted, ["ci/j-0 uid-j-0", "ci/j-1 uid-j-1", "ci/j-2 uid-j-2", "ci/j-3 uid-j-3"]);
    assert.equal(stage.cache.size, 3);
  });

  test("are left alone while they are not too many, running ones not counted", async () => {
    const jobs = [...numbered(3), ...numbered(5, (index) => makeDone(`running-${index}`, { isOver: false }))];
    await using stage = await startKeptJobs(3, jobs);
    assert.deepEqual(stage.deleted, []);
  });

  const NOT_DONE: [string, Changes][] = [
    ["runs", { isOver: false }],
    ["has no verdict yet", { annotations: { "turbo-hipster.io/verdict": undefined } }],
    ["has a verdict that is none", { annotations: { "turbo-hipster.io/verdict": '{"result":"SUCCESS","class":"failure"}' } }],
    ["was neither delivered nor given a time to live", { annotations: { "turbo-hipster.io/delivered": undefined } }],
    ["is another program's", { labels: { "app.kubernetes.io/managed-by": "Helm" } }],
    ["says too little to be ours", { annotations: { "turbo-hipster.io/request": "{}" } }],
    ["is being deleted", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }],
  ];
  for (const [title, changes] of NOT_DONE) {
    test(`never include one that ${title}`, async () => {
      await using stage = await startKeptJobs(1, [makeDone("odd", changes), ...numbered(3)]);
      assert.ok(stage.cache.has("odd"));
      assert.ok(stage.deleted.length >= 2, "the others are looked at all the same");
    });
  }

  test("stay for ten minutes, however many they are", async () => {
    await using stage = await startKeptJobs(
      1,
      numbered(3, (index) => makeDone(`j-${index}`, { agoMs: 9 * 60_000 - index })),
    );
    assert.deepEqual(stage.deleted, []);
    stage.clock.skip(2 * 60_000);
    await stage.look();
    assert.deepEqual(stage.names(), ["j-2"]);
  });

  test("include one that nobody asked for any more, by its time to live", async () => {
    const odd = makeDone("odd", { annotations: { "turbo-hipster.io/delivered": undefined }, ttl: 60, agoMs: 3 * HOUR });
    await using stage = await startKeptJobs(1, [odd, ...numbered(1)]);
    assert.deepEqual(stage.names(), ["j-0"]);
  });

  test("are looked for each minute, and soon after a build's end", async () => {
    await using stage = await startKeptJobs(3, numbered(3));
    stage.cache.set("late", makeDone("late"));
    await stage.look();
    assert.equal(stage.deleted.length, 1);
    stage.cache.set("later", makeDone("later"));
    stage.clock.skip(5_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(stage.deleted.length, 1);
    const waiting = Promise.withResolvers<void>();
    stage.clock.onSchedule((delayMs) => delayMs === 5_000 && waiting.resolve());
    stage.clock.skip(55_000);
    await waiting.promise;
    assert.equal(stage.deleted.length, 2);
  });

  test("are deleted by the holder only; one that is holder no more stops in the middle", async () => {
    let count = 0;
    let isOver = false;
    await using stage = await startKeptJobs(
      1,
      numbered(40),
      async () => {
        count += 1;
        await Promise.resolve();
        if (count >= 20) isOver = true;
      },
      () => !isOver,
    );
    assert.ok(stage.deleted.length >= 20 && stage.deleted.length < 39, `${stage.deleted.length} were deleted`);
    const { length } = stage.deleted;
    await stage.look();
    assert.equal(stage.deleted.length, length);
    isOver = false;
    count = -100;
    await stage.look();
    assert.equal(stage.deleted.length, 39);
  });

  test("are deleted some at once, not all", async () => {
    await using stage = await startKeptJobs(1, numbered(50), () => new Promise((resolve) => setImmediate(resolve)));
    assert.equal(stage.deleted.length, 49);
    assert.ok(stage.world.most > 1 && stage.world.most <= 8, `${stage.world.most} at once`);
  });

  for (const [what, failure, most] of [
    ["an API server that is away", new TurboHipsterError("TH_KUBE_UNREACHABLE", "away", { retryable: true }), 8],
    ["an API server that refuses all", new TurboHipsterError("TH_KUBE_FORBIDDEN", "403"), 16],
  ] as const) {
    test(`are asked of ${what} a few times each half minute, and that is told once`, async () => {
      let isAway = true;
      const tries: string[] = [];
      await using stage = await startKeptJobs(1, numbered(50), async (name) => {
        tries.push(name);
        if (isAway) throw failure;
      });
      assert.ok(tries.length > 0 && tries.length <= most, `${tries.length} tries`);
      for (let round = 2; round <= 10; round += 1) {
        const before = tries.length;
        await stage.look(5_000);
        assert.equal(tries.length, before, "none within the half minute");
        await stage.look(25_000);
        assert.ok(tries.length > before && tries.length <= before + most, `${tries.length - before} tries`);
      }
      assert.equal(stage.warned.length, 1);
      isAway = false;
      await stage.look(30_000);
      await stage.look(30_000);
      assert.equal(stage.deleted.length, 49);
      isAway = true;
      for (const job of numbered(2, (index) => makeDone(`k-${index}`))) stage.cache.set(job.metadata.name, job);
      await stage.look(30_000);
      assert.equal(stage.warned.length, 2, "it is told of again once it had gone");
    });
  }

  test("that the API server refuses to delete keep no others, and are tried after them, each half minute", async () => {
    const refused = new Set(["j-0", "j-1", "j-2"]);
    const tries: string[] = [];
    await using stage = await startKeptJobs(4, numbered(10), async (name) => {
      tries.push(name);
      if (refused.has(name)) throw new TurboHipsterError("TH_KUBE_FORBIDDEN", `a webhook keeps ${name}`);
    });
    assert.deepEqual(stage.deleted.length, 3);
    await stage.look(30_000);
    assert.deepEqual(stage.names(), ["j-0", "j-1", "j-2", "j-9"]);
    const before = tries.length;
    stage.cache.set("new", makeDone("new", { agoMs: 2 * HOUR - 60_000 }));
    await stage.look(30_000);
    assert.equal(tries.slice(before).filter((name) => !refused.has(name)).length, 1);
  });

  test("that are deleted and stay, as a finalizer keeps them, are asked for once in half a minute, and told of once", async () => {
    const tries: string[] = [];
    const jobs = numbered(6);
    await using stage = await startKeptJobs(4, jobs, async (name) => void tries.push(name));
    const restore = () => {
      for (const job of jobs) if (!stage.cache.has(job.metadata.name)) stage.cache.set(job.metadata.name, job);
    };
    restore();
    assert.deepEqual(tries, ["j-0", "j-1"]);
    await stage.look(5_000);
    assert.deepEqual([tries.length, stage.warned.length], [2, 0]);
    for (let round = 0; round < 10; round += 1) {
      await stage.look(30_000);
      restore();
    }
    assert.ok(tries.length <= 2 + 10 * 2, `${tries.length} tries`);
    assert.equal(stage.warned.length, 1);
  });

  test("are left for the next look as soon as one of them can't be deleted, or the replica stops", async () => {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    await using failing = await startKeptJobs(1, numbered(50), async (name) => {
      await turn();
      if (name === "j-0") throw new TurboHipsterError("TH_KUBE_UNREACHABLE", "away", { retryable: true });
    });
    assert.ok(failing.deleted.length < 8, `${failing.deleted.length} were deleted`);
    assert.equal(failing.warned.length, 1);
    const [isHeld, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let held = 0;
    await using stopping = await startKeptJobs(1, numbered(1), () => {
      held += 1;
      if (held === 8) isHeld.resolve();
      return gate.promise;
    });
    for (const job of numbered(50)) stopping.cache.set(job.metadata.name, job);
    stopping.clock.skip(5_000);
    stopping.kept.wake();
    await isHeld.promise;
    const stopped = stopping.kept.stop();
    gate.resolve();
    await stopped;
    assert.equal(stopping.deleted.length, 8);
  });

  test("are not deleted twice while the cache still shows them", async () => {
    await using stage = await startKeptJobs(1, numbered(3));
    assert.equal(stage.deleted.length, 2);
    for (const job of numbered(2)) stage.cache.set(job.metadata.name, job);
    await stage.look();
    assert.equal(stage.deleted.length, 2);
  });
});

describe("finished Jobs in a namespace whose quota of Jobs is used up", () => {
  const inNamespace = (namespace: string, name: string, agoMs: number) => makeDone(name, { agoMs, metadata: { namespace } });

  test("give way to builds that wait, oldest first, one for each, there and nowhere else", async () => {
    const jobs = [inNamespace("ci", "c", 1 * HOUR), inNamespace("ci", "a", 3 * HOUR), inNamespace("ci", "b", 2 * HOUR)];
    await using stage = await startKeptJobs(100, [...jobs, inNamespace("other", "z", 9 * HOUR), makeDone("runs", { isOver: false })]);
    assert.deepEqual(stage.deleted, []);
    for (const number of ["unit-1", "unit-1", "unit-2"]) stage.kept.giveWay("ci", number);
    await stage.look();
    assert.deepEqual(stage.names(), ["c", "z", "runs"]);
    await stage.look();
    assert.deepEqual(stage.names(), ["c", "z", "runs"], "nobody has asked again");
  });

  test("give way whatever goes elsewhere already", async () => {
    const elsewhere = inNamespace("other", "z", 9 * HOUR);
    await using stage = await startKeptJobs(100, [inNamespace("ci", "a", HOUR), elsewhere]);
    stage.kept.giveWay("other", "unit-1");
    await stage.look();
    assert.deepEqual(stage.names(), ["a"]);
    stage.cache.set("z", { ...elsewhere, metadata: { ...elsewhere.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    stage.kept.giveWay("ci", "unit-2");
    await stage.look();
    assert.deepEqual(stage.names(), ["z"]);
  });

  test("give way one after another, half a minute apart, where those that were deleted do not go", async () => {
    const jobs = numbered(5);
    const tries: string[] = [];
    await using stage = await startKeptJobs(100, jobs, async (name) => void tries.push(name));
    const restore = (name: string) => {
      const job = jobs.find(({ metadata }) => metadata.name === name) as Job;
      stage.cache.set(name, { ...job, metadata: { ...job.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    };
    for (let round = 0; round < 6; round += 1) {
      stage.kept.giveWay("ci", "unit-1");
      await stage.look(5_000);
      for (const name of tries) restore(name);
    }
    assert.deepEqual(tries, ["j-0"]);
    stage.kept.giveWay("ci", "unit-1");
    await stage.look(10_000);
    assert.deepEqual(tries, ["j-0", "j-1"]);
  });

  test("stay for half a minute after their end: they may be asked for again", async () => {
    await using stage = await startKeptJobs(100, [makeDone("a", { agoMs: 10_000 })]);
    stage.kept.giveWay("ci", "unit-1");
    await stage.look();
    assert.deepEqual(stage.names(), ["a"]);
    stage.clock.skip(30_000);
    stage.kept.giveWay("ci", "unit-1");
    await stage.look();
    assert.deepEqual(stage.names(), []);
  });

  test("do not give way where another replica is the holder, nor later for what was wanted then", async () => {
    let isHolder = false;
    await using stage = await startKeptJobs(100, [makeDone("a")], undefined, () => isHolder);
    stage.kept.giveWay("ci", "unit-1");
    await stage.look();
    isHolder = true;
    await stage.look();
    assert.deepEqual(stage.names(), ["a"]);
  });
});
