import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildNumber } from "../../../../src/core/job/name.ts";
import { JOBS } from "../../../../src/kube/client/resource.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";
import type { FakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, startStage } from "../stage.ts";

const start = () => startGearmand();

/** Names of finished Jobs of builds that were delivered, the oldest, which ended an hour ago, first. */
function createDelivered(kube: FakeKube, count: number): string[] {
  const names: string[] = [];
  const labels = {
    "app.kubernetes.io/managed-by": "turbo-hipster",
    "turbo-hipster.io/installation": "turbo-hipster",
    "turbo-hipster.io/task": "unit",
    "turbo-hipster.io/recorded": "1",
  };
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "test", image: "test:1" }] } };
  for (let index = 0; index < count; index += 1) {
    const identity = { server: "zuul:4730", functionName: "build:unit", unique: `old-${index}`, payloadHash: "00ff" };
    const name = buildNumber({ namespace: NAMESPACE, name: "old" }, identity, sha256Hex);
    names.push(name);
    const request = { ...identity, number: name, logPath: null, replica: null, since: "2026-01-01T00:00:00Z" };
    const annotations = {
      "turbo-hipster.io/function": "build:unit",
      "turbo-hipster.io/request": JSON.stringify(request),
      "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
      "turbo-hipster.io/verdict": '{"result":"SUCCESS","class":"success","rule":"passed","message":"ok"}',
      "turbo-hipster.io/delivered": "2026-01-01T00:00:00Z",
    };
    kube.create(JOBS, NAMESPACE, { metadata: { name, labels, annotations }, spec: { suspend: true, template } });
    const lastTransitionTime = new Date(Date.now() - 3_600_000 + index * 1000).toISOString();
    kube.patchStatus(JOBS, NAMESPACE, name, { conditions: [{ type: "Complete", status: "True", lastTransitionTime }] });
  }
  return names;
}

describe("an operator that finds many Jobs of builds that are done", () => {
  test("reads them in pages, asks and writes nothing else about them, and takes builds", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, startsOperator: false });
    createDelivered(stage.kube, 600);
    await stage.startOperator();
    await stage.logged("takes builds");
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    const calls = stage.kube.calls.filter(({ resource, name = "" }) => ["jobs", "pods"].includes(resource) && !name.startsWith("unit-"));
    assert.deepEqual(new Set(calls.map(({ verb }) => verb)), new Set(["list", "watch"]));
    const pages = calls.filter(({ verb, resource }) => verb === "list" && resource === "jobs").map(({ query }) => query.get("limit"));
    assert.deepEqual(new Set(pages), new Set(["250"]));
    // Three at its start; once it is the holder, one for builds that are not over, and one for the latest that are.
    assert.equal(pages.length, 5);
    assert.equal((await stage.scrape()).turbo_hipster_undelivered_builds, 0);
  });

  test("deletes the oldest of those that are too many", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, startsOperator: false, config: { maxKeptJobs: 180 } });
    const names = createDelivered(stage.kube, 220);
    await stage.startOperator();
    await stage.logged("takes builds");
    await stage.until(() => stage.jobs().length === 180, "the end of all but the newest hundred and eighty");
    assert.deepEqual(new Set(stage.jobs().map(({ metadata }) => metadata.name)), new Set(names.slice(40)));
  });
});
