import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONTAINERS_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import type { ContainerStatus, Job, Pod } from "../../../../src/core/kubernetes/objects.ts";
import { makeJob, makePod, running, service, terminated } from "../../../support/objects/build-objects.ts";
import { stageBuild } from "./staged-build.ts";

const ROLES = { test: "test", others: [], services: [], inits: [], checkout: false, collector: true, marked: false };
const COLLECT_MS = 600_000;

function job(annotations: Record<string, string> = {}): Job {
  return makeJob({ metadata: { annotations: { [CONTAINERS_ANNOTATION]: JSON.stringify(ROLES), ...annotations } } });
}

function pod(containers: ContainerStatus[], collector: ContainerStatus, metadata: Partial<Pod["metadata"]> = {}): Pod {
  return makePod({
    metadata,
    spec: { containers: containers.map(({ name }) => ({ name })), initContainers: [{ name: "collector", restartPolicy: "Always" }] },
    status: { phase: "Running", startTime: "2026-01-01T00:00:00Z", containerStatuses: containers, initContainerStatuses: [collector] },
  });
}

const PASSED = terminated("test", 0);
const collecting = { name: "collects", job: job(), pods: [pod([PASSED], service("collector"))] };

describe("a build with artifacts", () => {
  test("is answered when they are stored, though its pod goes on", async () => {
    const staged = stageBuild(ROLES);
    await staged.show(collecting, 60_000);
    assert.deepEqual(staged.answers, []);
    await staged.show({ ...collecting, job: job({ "turbo-hipster.io/collected": "2026-01-01T00:00:00Z" }) }, 0);
    assert.deepEqual(staged.answers, ["SUCCESS"]);
    await staged.stop();
  });

  test("is answered when its collector has ended without them", async () => {
    const staged = stageBuild(ROLES);
    await staged.show(collecting, 60_000);
    await staged.show({ ...collecting, pods: [pod([PASSED], terminated("collector", 1))] }, 0);
    assert.deepEqual(staged.answers, ["SUCCESS"]);
    await staged.stop();
  });

  test("is answered without them when their time is over, and with the same verdict", async () => {
    const staged = stageBuild(ROLES);
    await staged.show(collecting, COLLECT_MS - 1000);
    assert.deepEqual(staged.answers, []);
    await staged.show(collecting, 2000);
    assert.deepEqual(staged.answers, ["SUCCESS"]);
    assert.equal(staged.logged("answers without the artifacts, they were not stored in time").length, 1);
    await staged.stop();
  });

  test("is answered at once where Zuul runs it again", async () => {
    const staged = stageBuild(ROLES);
    const deleted = pod([running("test")], service("collector"), { deletionTimestamp: "2026-01-01T00:00:20Z" });
    await staged.show({ name: "deleted", job: job(), pods: [deleted] }, 0);
    assert.deepEqual(staged.answers, ["none"]);
    await staged.stop();
  });

  test("is answered at once when Zuul stops it meanwhile, with the verdict that it has: nobody waits for its artifacts, and its place is free", async () => {
    const staged = stageBuild(ROLES);
    await staged.show(collecting, 1000);
    staged.build.requestStop();
    await staged.show(collecting, 0);
    assert.deepEqual(staged.answers, ["SUCCESS"]);
    await staged.stop();
  });

  test("that Zuul has stopped before its test ended does not wait for them", async () => {
    const staged = stageBuild(ROLES);
    await staged.show({ name: "runs", job: job(), pods: [pod([running("test")], service("collector"))] }, 1000);
    staged.build.requestStop();
    await staged.show({ ...collecting, pods: [pod([terminated("test", 143)], service("collector"))] }, 0);
    assert.deepEqual(staged.answers, ["ABORTED"]);
    await staged.stop();
  });

  test("has its verdict written down once before it is waited for: the pod that tells it may go meanwhile", async () => {
    const staged = stageBuild(ROLES);
    await staged.show(collecting, 30_000);
    await staged.show(collecting, 30_000);
    assert.deepEqual(staged.deeds, ["write"]);
    assert.equal(JSON.parse(staged.writes[0]?.["turbo-hipster.io/verdict"] ?? "{}").result, "SUCCESS");
    await staged.stop();
  });

  test("has what would keep its collector waiting ended meanwhile, its verdict being written down before", async () => {
    const staged = stageBuild(ROLES);
    await staged.show({ name: "beside", job: job(), pods: [pod([PASSED, running("beside")], service("collector"))] }, 1000);
    assert.deepEqual([staged.answers, staged.deeds.slice(0, 2)], [[], ["write", "end-pod"]]);
    await staged.stop();
  });
});
