import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { Builds } from "../../../../src/controllers/builds/builds.ts";
import { Tallies } from "../../../../src/controllers/builds/tallies.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
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

/** The builds of the holder `me`, beside another replica that lives; the cache shows one Job. */
async function startBuilds(first: Job) {
  const world = { job: first as Job | undefined, looks: 0, begun: 0 };
  const clock = makeManualClock();
  const tallies = new Tallies({ onActivity() {}, onPending: (count) => (world.begun += count > 0 ? 1 : 0) });
  const builds = new Builds({
    cluster: {
      now: () => clock.now(),
      cachedJob() {
        world.looks += 1;
        assert.ok(world.looks < MAX_LOOKS, "looks at the cache again and again");
        return world.job;
      },
      cachedJobs: () => (world.job ? [world.job] : []),
      cachedPods: () => [],
      killOf: () => undefined,
      createJob: async () => ({ kind: "exists" }),
      getJob: async () => world.job,
      readPods: async () => [],
      annotateJob: async () => true,
      deleteJob: async () => {},
      endPod: async () => {},
      readEvents: async () => [],
    },
    tasks: {
      find: () => undefined,
      occupy: () => ({ release() {} }),
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
  for (let turn = 0; turn < 3; turn += 1) await immediate();
  return {
    ...{ builds, tallies, world },
    async show(job: Job | undefined) {
      world.job = job;
      builds.wake(first.metadata.namespace ?? "", first.metadata.name);
      for (let turn = 0; turn < 3; turn += 1) await immediate();
    },
  };
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

test("a stop that meets a defect of ours is told of to whoever passes it on", async () => {
  const { builds, world } = await startBuilds(jobOf("other"));
  world.job = { metadata: undefined } as unknown as Job;
  const payload = new TextEncoder().encode(JSON.stringify({ name: "unit", number: "unit-unknown" }));
  assert.throws(() => builds.requestStop(payload), TypeError);
  world.job = undefined;
  await builds.stop();
});
