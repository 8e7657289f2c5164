import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Pod } from "../../../../src/core/kubernetes/objects.ts";
import { ageMs, ranAtMostMs, surelyRanMs } from "../../../../src/core/observation/run-time.ts";
import { makeJob, makePod, observe, running, terminated } from "../../../support/objects/build-objects.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const at = (ms: number) => new Date(Date.parse("2026-01-01T12:00:00Z") + ms).toISOString().replace(".000", "");

/** When things really happened, from noon on, and by how much the node's clock was off then. */
interface World {
  scheduledMs: number;
  takenMs: number;
  startedMs: number;
  nodeOffMs?: number;
}

function runningPod({ scheduledMs, takenMs, startedMs, nodeOffMs = 0 }: World): Pod {
  return makePod({
    metadata: { creationTimestamp: at(0) },
    status: {
      phase: "Running",
      startTime: at(takenMs + nodeOffMs),
      conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: at(scheduledMs) }],
      containerStatuses: [running("test", at(startedMs + nodeOffMs))],
    },
  });
}

function surelyRan(pod: Pod, nowMs: number): number {
  const state = observe(makeJob(), [pod]);
  assert.ok(state.kind === "running");
  return surelyRanMs(state, new Date(at(nowMs)));
}

describe("how long a test that is found running has surely run", () => {
  const SOON = { scheduledMs: MINUTE_MS, takenMs: MINUTE_MS, startedMs: 2 * MINUTE_MS };
  const rows: [string, World, number, number][] = [
    ["by right clocks, from its start", SOON, 12 * MINUTE_MS, 10 * MINUTE_MS],
    ["by a node that is hours behind, the same", { ...SOON, nodeOffMs: -5 * HOUR_MS }, 12 * MINUTE_MS, 10 * MINUTE_MS],
    ["by a node that is a little ahead, less", { ...SOON, nodeOffMs: 4 * MINUTE_MS }, 12 * MINUTE_MS, 6 * MINUTE_MS],
    ["by a node that is hours ahead, nothing", { ...SOON, nodeOffMs: 5 * HOUR_MS }, 12 * MINUTE_MS, 0],
    [
      "not the time in which its kubelet had not taken the pod yet",
      { scheduledMs: 0, takenMs: HOUR_MS, startedMs: HOUR_MS + MINUTE_MS },
      HOUR_MS + 11 * MINUTE_MS,
      10 * MINUTE_MS,
    ],
    ["nothing, where the API server's clock was set back", SOON, -2 * HOUR_MS, 0],
  ];
  for (const [name, world, nowMs, ranMs] of rows) {
    test(name, () => {
      const counted = surelyRan(runningPod(world), nowMs);
      assert.ok(counted <= ranMs && counted >= ranMs - 1000, `${counted} ms`);
    });
  }

  test("nothing, where the objects do not say when", () => {
    const pod = runningPod(SOON);
    for (const status of [
      { ...pod.status, conditions: [] },
      { ...pod.status, startTime: undefined },
      { ...pod.status, containerStatuses: [running("test", "soon")] },
    ])
      assert.equal(surelyRan({ ...pod, status } as Pod, HOUR_MS), 0);
  });
});

describe("how long a test that has ended ran at most", () => {
  const ended = (startedMs: number, finishedMs: number, jobEndedMs?: number) => {
    const end = terminated("test", 143, { startedAt: at(startedMs), finishedAt: at(finishedMs) });
    const conditions = jobEndedMs === undefined ? [] : [{ type: "Failed", status: "True" as const, lastTransitionTime: at(jobEndedMs) }];
    const pod = makePod({ metadata: { creationTimestamp: at(0) }, status: { phase: "Failed", containerStatuses: [end] } });
    const state = observe(makeJob({ status: { conditions } }), [pod]);
    assert.ok(state.kind === "exited");
    return (now: Date | undefined) => ranAtMostMs(state, now);
  };

  test("is what its node says", () => {
    assert.equal(ended(MINUTE_MS, HOUR_MS)(new Date(at(2 * HOUR_MS))), 59 * MINUTE_MS);
    assert.equal(ended(MINUTE_MS, HOUR_MS)(undefined), 59 * MINUTE_MS);
  });

  test("and no longer than its pod has been there, if its node's clock was set on meanwhile", () => {
    assert.equal(ended(MINUTE_MS, 5 * HOUR_MS)(new Date(at(10 * MINUTE_MS))), 10 * MINUTE_MS + 1000);
  });

  test("nor than until its Job was over, however late one looks", () => {
    assert.equal(ended(MINUTE_MS, 5 * HOUR_MS, 10 * MINUTE_MS)(new Date(at(9 * HOUR_MS))), 10 * MINUTE_MS + 1000);
  });

  test("is not known where the node does not say", () => {
    const end = terminated("test", 1, { startedAt: null, finishedAt: null });
    const state = observe(makeJob(), [makePod({ status: { phase: "Failed", containerStatuses: [end] } })]);
    assert.ok(state.kind === "exited");
    assert.ok(Number.isNaN(ranAtMostMs(state, new Date(at(0)))));
  });
});

test("an object's age is by the API server's clock, and 0 where that does not tell", () => {
  const now = new Date(at(HOUR_MS));
  assert.deepEqual([ageMs(at(0), now), ageMs(at(2 * HOUR_MS), now), ageMs(undefined, now)], [HOUR_MS, 0, 0]);
});
