import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { payloadHash } from "../../../../src/core/job/name.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import { type StagedBuilds, stageBuilds } from "./staged-builds.ts";

const NUMBER = "unit-0123456789abcdef";

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

/** The builds of the holder `me`, beside another replica that lives, which find these Jobs. */
async function stageFound(...found: readonly Job[]): Promise<StagedBuilds> {
  const stage = stageBuilds();
  for (const job of found) stage.put(job);
  await stage.builds.start();
  await stage.settle();
  return stage;
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
      await using stage = await stageFound(jobOf("other"));
      assert.deepEqual([stage.tallies.activeOf("ci/unit"), stage.begun.count], [1, 1]);
      if (last) stage.put(last);
      else stage.remove(NUMBER);
      await stage.settle();
      assert.deepEqual([stage.tallies.activeOf("ci/unit"), stage.begun.count], [0, 1]);
    });
  }

  test("is not begun where it is delivered already, whatever its verdict", async () => {
    for (const verdict of ["{}", '{"result":"SUCCESS","class":"success","rule":"exit-0","message":"ok"}']) {
      const done = { "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z", "turbo-hipster.io/verdict": verdict };
      await using stage = await stageFound(jobOf("other", done));
      assert.equal(stage.begun.count, 0);
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
  const before = jobAt(NUMBER, "2026-11-01T00:00:00Z", null);
  const after = jobAt(`${NUMBER}-r1`, "2026-11-01T00:01:00Z", null);
  const again = jobAt(NUMBER, "2026-11-01T00:02:00Z", null);

  for (const [name, older, newer, isNewerFirst] of [
    ["the older one listed first", before, after, false],
    ["the newer one listed first", before, after, true],
    ["the older one's name being free and taken again", after, again, false],
  ] as const) {
    test(`are both looked after, and the request is answered by the newer one, with ${name}`, async () => {
      await using stage = await stageFound(...(isNewerFirst ? [newer, older] : [older, newer]));
      await stage.play(older.metadata.name, "passed");
      const { answers } = await stage.request("u", { unique: "u", payload: "{}", handle: "H:s:2" });
      assert.deepEqual(answers, []);
      await stage.play(newer.metadata.name, "failed");
      assert.deepEqual(answers, ["FAILURE"]);
      const told = [older, newer].map(({ metadata: { name: jobName } }) => stage.record(jobName));
      assert.deepEqual(
        told.map(({ verdict, isDelivered }) => [verdict?.result, isDelivered]),
        [
          ["SUCCESS", true],
          ["FAILURE", true],
        ],
      );
      assert.equal(stage.tallies.activeOf("ci/unit"), 0);
    });
  }

  test("are two builds where nobody can tell that the request is one", async () => {
    await using stage = await stageFound(jobOf("gone"), jobOf("gone", {}, `${NUMBER}-r1`));
    assert.equal(stage.tallies.activeOf("ci/unit"), 2);
    stage.builds.noteReplicas();
    await stage.settle();
    assert.equal(stage.tallies.activeOf("ci/unit"), 2, "none is begun twice");
  });
});

test("a stop that meets a defect of ours is told of to whoever passes it on", async () => {
  await using stage = await stageFound(jobOf("other"));
  stage.jobs.set("spoilt", { metadata: undefined } as unknown as Job);
  const payload = new TextEncoder().encode(JSON.stringify({ name: "unit", number: "unit-unknown" }));
  assert.throws(() => stage.builds.requestStop(payload), TypeError);
  stage.jobs.delete("spoilt");
});
