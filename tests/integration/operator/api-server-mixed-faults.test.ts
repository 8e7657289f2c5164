import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import fc from "fast-check";
import type { FaultEffect } from "../../support/fake-kube/fault-plan.ts";
import { expired, StatusError } from "../../support/fake-kube/status-error.ts";
import { fuzzParameters } from "../../support/fuzz.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { makeRandom } from "../../support/random.ts";
import { answerOf, numberOf, type Stage, startStage } from "./stage.ts";

const BUILDS = 6;
const OVERLOADED: FaultEffect = { kind: "status", code: 500, reason: "InternalError" };

/** Each takes effect, and all but the outage are over by themselves. */
const FAULTS: Record<string, (stage: Stage, outages: { end(): void }[]) => void> = {
  "the API server goes away": (stage, outages) => void outages.push(stage.outage()),
  "the API server comes back": (_stage, outages) => outages.pop()?.end(),
  "all watches are cut": ({ kube }) => kube.watches.cut(),
  "the watch of pods ends": ({ kube }) => kube.watches.end("pods"),
  "the watch of Jobs sends nonsense": ({ kube }) => kube.watches.write("{]", "jobs"),
  "history is compacted": ({ kube }) => {
    kube.compact();
    kube.watches.fail(expired());
  },
  "etcd is away for the watches": ({ kube }) => kube.watches.fail(new StatusError(500, "InternalError", "etcd is away")),
  "creates take effect and lose their answers": ({ kube }) =>
    void kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "drop", afterwards: true }, 2),
  "patches take effect and lose their answers": ({ kube }) => void kube.misbehave({ verb: "patch" }, { kind: "drop", afterwards: true }, 2),
  "lists fail": ({ kube }) => void kube.misbehave({ verb: "list" }, OVERLOADED, 3),
  "lists break off": ({ kube }) => void kube.misbehave({ verb: "list" }, { kind: "truncate" }, 2),
  "reads fail": ({ kube }) => void kube.misbehave({ verb: "get" }, OVERLOADED, 3),
  "everything fails for a while": ({ kube }) => void kube.misbehave({}, OVERLOADED, 8),
  "a proxy answers": ({ kube }) => void kube.misbehave({}, { kind: "page", code: 404, text: "<html>404</html>" }, 5),
};

async function play(faults: readonly string[], seed: number): Promise<void> {
  const random = makeRandom(seed);
  const finished = Array.from({ length: BUILDS }, () => Promise.withResolvers<void>());
  const exitCodes = finished.map(() => (random() < 0.5 ? 0 : 1));
  const indexOf = (job: { metadata: { labels?: Record<string, string> } }) =>
    Number(job.metadata.labels?.["turbo-hipster.io/task"]?.slice(1));
  await using stage = await startStage({
    start: () => startGearmand(),
    tasks: Object.fromEntries(finished.map((_, index) => [`t${index}`, {}])),
    script: (job) => ({ finished: finished[indexOf(job)]?.promise as Promise<void>, exitCode: exitCodes[indexOf(job)] as number }),
  });
  const builds = await Promise.all(finished.map((_, index) => stage.submit(`t${index}`)));
  const outages: { end(): void }[] = [];
  const ends = finished.map((end) => end.resolve);
  for (const [index, fault] of faults.entries()) {
    FAULTS[fault]?.(stage, outages);
    if (index % 2 === 0) ends.pop()?.();
    for (let turns = Math.floor(random() * 40); turns > 0; turns -= 1) await immediate();
    if (random() < 0.3) stage.clock.skip(random() * 31_000);
  }
  for (const end of ends) end();
  for (const outage of outages) outage.end();
  const answered = Promise.all(builds.map(answerOf));
  let isOver = false;
  void answered.finally(() => {
    isOver = true;
  });
  while (!isOver) await stage.skip(10_000);
  const results = (await answered).map(({ result }) => result);
  assert.deepEqual(
    results,
    exitCodes.map((code) => (code === 0 ? "SUCCESS" : "FAILURE")),
  );
  assert.equal(stage.pods().length, BUILDS, "each build ran once");
  assert.equal(new Set(await Promise.all(builds.map(numberOf))).size, BUILDS);
}

describe("builds that begin and end while the API server fails in any way and order", () => {
  test("have their own results, each of one run", async (context) => {
    const faults = fc.array(fc.constantFrom(...Object.keys(FAULTS)), { minLength: 2, maxLength: 14 });
    await fc.assert(fc.asyncProperty(faults, fc.integer(), play), { ...fuzzParameters(context, 8), endOnFailure: true });
  });
});
