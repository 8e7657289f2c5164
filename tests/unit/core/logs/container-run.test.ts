import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerStatus } from "../../../../src/core/kubernetes/objects.ts";
import { observeContainerRun } from "../../../../src/core/logs/container-run.ts";

const AT = "2026-11-28T04:00:00Z";
const LATER = "2026-11-28T04:01:00Z";
const spec = { initContainers: [{ name: "db", restartPolicy: "Always" }, { name: "checkout" }], containers: [{ name: "test" }] };
const seen = (status: ContainerStatus, list: "initContainerStatuses" | "containerStatuses" = "initContainerStatuses") =>
  observeContainerRun({ metadata: { name: "p" }, spec, status: { [list]: [{ name: "other", restartCount: 9 }, status] } }, status.name);

describe("a container's run", () => {
  it("is the one that runs, or has ended", () => {
    const running = { name: "test", restartCount: 0, state: { running: { startedAt: AT } } };
    const expected = { attempt: 0, startedAt: new Date(AT), hasEnded: false, mayBeRepeated: false };
    assert.deepEqual(seen(running, "containerStatuses"), expected);
    const ended = { name: "test", state: { terminated: { exitCode: 1, startedAt: AT, finishedAt: LATER } } };
    assert.deepEqual(seen(ended, "containerStatuses"), { ...expected, hasEnded: true });
  });

  it("of a service is one of several", () => {
    const lastState = { terminated: { exitCode: 1, startedAt: AT } };
    const running = { name: "db", restartCount: 3, lastState, state: { running: { startedAt: LATER } } };
    assert.deepEqual(seen(running), { attempt: 3, startedAt: new Date(LATER), hasEnded: false, mayBeRepeated: true });
    const waiting = { name: "db", restartCount: 2, lastState, state: { waiting: { reason: "CrashLoopBackOff" } } };
    assert.deepEqual(seen(waiting), { attempt: 2, startedAt: new Date(AT), hasEnded: true, mayBeRepeated: true });
  });

  it("of an init container that is no service is its only one", () => {
    assert.equal(seen({ name: "checkout", state: { running: {} } })?.mayBeRepeated, false);
    assert.equal(seen({ name: "checkout", state: { running: {} } })?.startedAt, undefined);
  });

  it("is none before the first", () => {
    assert.equal(seen({ name: "test", state: { waiting: { reason: "PodInitializing" } } }), undefined);
    assert.equal(seen({ name: "test" }), undefined);
    assert.equal(observeContainerRun({ metadata: { name: "p" } }, "test"), undefined);
  });
});
