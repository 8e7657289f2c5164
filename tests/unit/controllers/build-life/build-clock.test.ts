import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeJob, makePod, running, waiting } from "../../../support/objects/build-objects.ts";
import type { Shown } from "../../../support/objects/pod-histories.ts";
import { stageBuild } from "./staged-build.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const RUNS: Shown = { name: "runs", job: makeJob(), pods: [makePod()] };
const ENDS: Shown = {
  name: "ends",
  job: makeJob(),
  pods: [
    makePod({
      spec: { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 30 },
    }),
  ],
};
const WAITS: Shown = {
  name: "waits",
  job: makeJob(),
  pods: [
    makePod({
      status: {
        phase: "Pending",
        startTime: "1970-01-01T00:00:00Z",
        containerStatuses: [waiting("test", "CreateContainerConfigError", 'secret "x" not found')],
      },
    }),
  ],
};

describe("a build whose machine's clock is set", () => {
  test("on by two hours runs on for all of its time", async () => {
    const staged = stageBuild();
    await staged.show(RUNS, 10_000);
    staged.jumpClock(2 * HOUR_MS);
    await staged.show(RUNS, 59 * MINUTE_MS);
    assert.equal(staged.isToldToEnd, false);
    await staged.show(RUNS, MINUTE_MS);
    assert.equal(staged.isToldToEnd, true);
    await staged.stop();
  });

  test("back by two hours is ended when its time is over", async () => {
    const staged = stageBuild();
    await staged.show(RUNS, 10_000);
    staged.jumpClock(-2 * HOUR_MS);
    await staged.show(RUNS, 59 * MINUTE_MS);
    assert.equal(staged.isToldToEnd, false);
    await staged.show(RUNS, MINUTE_MS);
    assert.equal(staged.isToldToEnd, true);
    await staged.stop();
  });

  test("on by a minute waits as long as always for what may still come", async () => {
    const staged = stageBuild();
    await staged.show(WAITS, 500);
    staged.jumpClock(MINUTE_MS);
    await staged.show(WAITS, 29_000);
    assert.deepEqual(staged.answers, []);
    await staged.show(WAITS, 1000);
    assert.deepEqual(staged.answers, ["CONFIG_ERROR - secret x not found"]);
    await staged.stop();
  });

  test("on by an hour while its pod ends keeps the Job, and the log with it", async () => {
    const staged = stageBuild();
    await staged.show(RUNS, 10_000);
    staged.build.requestStop();
    await staged.show(RUNS, 10);
    await staged.show(ENDS, 1000);
    staged.jumpClock(HOUR_MS);
    await staged.show(ENDS, 1000);
    assert.deepEqual([staged.deeds.includes("end-pod"), staged.deeds.includes("delete-job"), staged.answers], [true, false, []]);
    await staged.stop();
  });
});

/** Its pod was made, placed and taken at midnight; an hour is its limit, and the API server says two o'clock. */
function runsSince(stamps: { scheduled?: string; taken?: string; started: string }): Shown {
  const { scheduled = "2026-01-01T00:00:00Z", taken = scheduled, started } = stamps;
  const conditions = [{ type: "PodScheduled", status: "True" as const, lastTransitionTime: scheduled }];
  return {
    name: "ran",
    job: makeJob(),
    pods: [makePod({ status: { phase: "Running", startTime: taken, conditions, containerStatuses: [running("test", started)] } })],
  };
}

describe("a build that ran already when the process started", () => {
  // What clocks say of a test that began twenty minutes before.
  const rows: [string, Shown][] = [
    ["with right clocks", runsSince({ scheduled: "2026-01-01T01:39:00Z", started: "2026-01-01T01:40:00Z" })],
    [
      "on a node that is two hours behind",
      runsSince({ scheduled: "2026-01-01T01:39:00Z", taken: "2025-12-31T23:39:00Z", started: "2025-12-31T23:40:00Z" }),
    ],
    [
      "in a pod that waited an hour for its kubelet",
      runsSince({ scheduled: "2026-01-01T00:39:00Z", taken: "2026-01-01T01:40:00Z", started: "2026-01-01T01:40:00Z" }),
    ],
  ];
  for (const [name, ran] of rows) {
    test(`${name} has what is left of its time, whatever this machine's clock says`, async () => {
      const staged = stageBuild(undefined, ran);
      staged.askAgain();
      await staged.show(ran, 10_000);
      staged.jumpClock(2 * HOUR_MS);
      await staged.show(ran, 39 * MINUTE_MS);
      assert.equal(staged.isToldToEnd, false);
      await staged.show(ran, MINUTE_MS);
      assert.equal(staged.isToldToEnd, true);
      await staged.stop();
    });
  }
});
