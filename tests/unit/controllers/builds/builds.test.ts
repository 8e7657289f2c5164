import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { Builds } from "../../../../src/controllers/builds/builds.ts";
import { Tallies } from "../../../../src/controllers/builds/tallies.ts";
import { payloadHash } from "../../../../src/core/job/name.ts";
import type { Job, Pod } from "../../../../src/core/kubernetes/objects.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob, makePod, terminated } from "../../../support/objects/build-objects.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const NUMBER = "unit-0123456789abcdef";
const WORKER = { manager: "m", name: "w", hostname: "h", fqdn: "h", program: "p", version: "1", ips: [] };
/** Far more than the looks at the cache that a few turns need. */
const MAX_LOOKS = 10_000;

function jobOf(replica: string, more: Record<string, string> = {}, name = NUMBER): Job {
  const annotations = {
    "turbo-hipster.io/request": JSON.stringify({
      server: "s:1",
      unique: "u",
      number: NUMBER,
      logPath: null,
      replica,
      since: "2026-11-01T00:00:00Z",
    }),
    "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
    "turbo-hipster.io/function": "build:unit",
    ...more,
  };
  return makeJob({ metadata: { name, uid: `uid-${name}`, annotations, labels: { "turbo-hipster.io/task": "unit" } } });
}

/** The builds of the holder `me`, beside another replica that lives; the cache shows one Job, and `others` with the pods of all. */
async function startBuilds(first: Job, others: readonly Job[] = [], podsOf = (_jobName: string): Pod[] => []) {
  const world = { job: first as Job | undefined, looks: 0, begun: 0, writes: [] as [string, Record<string, string>][] };
  const jobs = () => [...(world.job ? [world.job] : []), ...others];
  const clock = makeManualClock();
  const tallies = new Tallies({ onActivity() {}, onPending: (count) => (world.begun += count > 0 ? 1 : 0) });
  const builds = new Builds({
    cluster: {
      now: () => clock.now(),
      cachedJob(_namespace, name) {
        world.looks += 1;
        assert.ok(world.looks < MAX_LOOKS, "looks at the cache again and again");
        return name === first.metadata.name ? world.job : others.find(({ metadata }) => metadata.name === name);
      },
      cachedJobs: jobs,
      cachedPods: (_namespace, jobName) => podsOf(jobName),
      killOf: () => undefined,
      createJob: async () => ({ kind: "exists" }),
      getJob: async () => world.job,
      readPods: async () => [],
      async annotateJob(_namespace, name, annotations) {
        world.writes.push([name, annotations]);
        return true;
      },
      deleteJob: async () => {},
      endPod: async () => {},
      readEvents: async () => [],
    },
    tasks: {
      find: () => undefined,
      occupy: () => ({ release() {} }),
      mayBegin: () => true,
      count: (_taskKey, slot) => slot,
      refusalOf: () => undefined,
      noteRefusal() {},
      noteWaiting() {},
      noteVerdict() {},
    },
    servers: { chance: () => "open", reclaim() {}, handsOutAgain: () => true },
    keptJobs: { giveWay() {} },
    replicas: { name: "me", isHolder: true, isAlive: (replica) => replica === "other" },
    tallies,
    observer: { noteVerdict() {}, notePhase() {}, noteAnswer() {} },
    settings: {
      manifest: { installation: "i", image: "i", checkout: { allowedUrls: [] } },
      worker: WORKER,
      buildUrl: (number) => `http://b/${number}`,
      resultStyle: "text",
      keepJobSeconds: 60,
    },
    clock,
    logger: silentLogger,
  });
  await builds.start();
  await turns();
  return {
    ...{ builds, tallies, world },
    async show(job: Job | undefined) {
      world.job = job;
      builds.wake(first.metadata.namespace ?? "", first.metadata.name);
      await turns();
    },
  };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await immediate();
}

describe("a build that another replica carries out", () => {
  const ends: [string, Job | undefined][] = [
    [
      "is delivered",
      jobOf("other", {
        "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z",
        "turbo-hipster.io/verdict": '{"result":"SUCCESS","class":"success","rule":"exit-0","message":"ok"}',
      }),
    ],
    [
      "is delivered with a verdict that nobody here can read",
      jobOf("other", {
        "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z",
        "turbo-hipster.io/verdict": '{"class":"of a newer version"}',
      }),
    ],
    ["loses its Job", undefined],
  ];
  for (const [name, last] of ends) {
    test(`is watched by the holder until it ${name}, and is begun once`, async () => {
      const { builds, tallies, world, show } = await startBuilds(jobOf("other"));
      assert.deepEqual([tallies.activeOf("ci/unit"), world.begun], [1, 1]);
      await show(last);
      assert.deepEqual([tallies.activeOf("ci/unit"), world.begun], [0, 1]);
      await builds.stop();
    });
  }

  test("is not begun where it is delivered already, whatever its verdict", async () => {
    for (const verdict of ["{}", '{"result":"SUCCESS","class":"success","rule":"exit-0","message":"ok"}']) {
      const done = { "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z", "turbo-hipster.io/verdict": verdict };
      const { builds, world } = await startBuilds(jobOf("other", done));
      assert.equal(world.begun, 0);
      await builds.stop();
    }
  });
});

describe("two Jobs of one request, of which the first one's answer was not written down", () => {
  const identity = { server: "s:1", functionName: "build:unit", unique: "u", payloadHash: payloadHash(Buffer.from("{}"), sha256Hex) };
  const roles = JSON.stringify({ test: "test", others: [], services: [], inits: [], checkout: false });
  const jobAt = (name: string, creationTimestamp: string, handle: string | null) => {
    const request = { ...identity, number: NUMBER, logPath: null, handle, replica: "gone", since: creationTimestamp };
    const annotations = { "turbo-hipster.io/request": JSON.stringify(request), "turbo-hipster.io/containers": roles };
    const job = jobOf("gone", annotations, name);
    return { ...job, metadata: { ...job.metadata, creationTimestamp } };
  };
  const podAt = (exitCode: number | undefined) =>
    exitCode === undefined
      ? makePod()
      : makePod({ status: { phase: exitCode ? "Failed" : "Succeeded", containerStatuses: [terminated("test", exitCode)] } });
  const before = jobAt(NUMBER, "2026-11-01T00:00:00Z", null);
  const after = jobAt(`${NUMBER}-r1`, "2026-11-01T00:01:00Z", null);
  const again = jobAt(NUMBER, "2026-11-01T00:02:00Z", null);

  for (const [name, older, newer, isNewerFirst] of [
    ["the older one listed first", before, after, false],
    ["the newer one listed first", before, after, true],
    ["the older one's name being free and taken again", after, again, false],
  ] as const) {
    test(`are both looked after, and the request is answered by the newer one, with ${name}`, async () => {
      const pods = new Map([
        [older.metadata.name, podAt(0)],
        [newer.metadata.name, podAt(undefined)],
      ]);
      const listed = isNewerFirst ? [newer, older] : [older, newer];
      const { builds, tallies, world } = await startBuilds(listed[0] as Job, listed.slice(1), (jobName) => [pods.get(jobName) as Pod]);
      const results: string[] = [];
      const never = new AbortController().signal;
      builds.assign({
        ...{ ...identity, handle: "H:s:2", payload: Buffer.from("{}"), payloadBytes: 2, slot: { release() {} } },
        ...{ lost: never, clientGone: never, sendData() {}, sendStatus() {} },
        complete: async (json) => {
          results.push(JSON.parse(json).result);
          return "delivered";
        },
        fail: async () => assert.fail("the request has no result"),
      });
      await turns();
      assert.deepEqual(results, []);
      pods.set(newer.metadata.name, podAt(1));
      builds.wake("ci", newer.metadata.name);
      await turns();
      assert.deepEqual(results, ["FAILURE"]);
      const ends = world.writes.map(([jobName, annotations]) => [jobName, annotations["turbo-hipster.io/verdict"], annotations]);
      const told = ends.flatMap(([jobName, verdict, annotations]) =>
        verdict ? [[jobName, JSON.parse(String(verdict)).result, "turbo-hipster.io/delivered" in Object(annotations)]] : [],
      );
      assert.deepEqual(told, [
        [older.metadata.name, "SUCCESS", true],
        [newer.metadata.name, "FAILURE", true],
      ]);
      assert.equal(tallies.activeOf("ci/unit"), 0);
      await builds.stop();
    });
  }

  test("are two builds where nobody can tell that the request is one", async () => {
    const first = jobOf("gone");
    const { builds, tallies } = await startBuilds(first, [jobOf("gone", {}, `${NUMBER}-r1`)]);
    assert.equal(tallies.activeOf("ci/unit"), 2);
    builds.noteReplicas();
    await turns();
    assert.equal(tallies.activeOf("ci/unit"), 2, "none is begun twice");
    await builds.stop();
  });
});

test("a stop that meets a defect of ours is told of to whoever passes it on", async () => {
  const { builds, world } = await startBuilds(jobOf("other"));
  world.job = { metadata: undefined } as unknown as Job;
  const payload = new TextEncoder().encode(JSON.stringify({ name: "unit", number: "unit-unknown" }));
  assert.throws(() => builds.requestStop(payload), TypeError);
  world.job = undefined;
  await builds.stop();
});
