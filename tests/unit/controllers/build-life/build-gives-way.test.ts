import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeJob, makePod, running, terminated } from "../../../support/objects/build-objects.ts";
import type { Shown } from "../../../support/objects/pod-histories.ts";
import { type StagedBuild, stageBuild } from "./staged-build.ts";

const STEPS_OF_A_RUSH = 40;
const VERDICT = "turbo-hipster.io/verdict";

function ended(exitCode: number): Shown {
  const spec = { containers: [{ name: "test" }], nodeName: "node-1" };
  const phase = exitCode === 0 ? "Succeeded" : "Failed";
  return { name: "ended", job: makeJob(), pods: [makePod({ spec, status: { phase, containerStatuses: [terminated("test", exitCode)] } })] };
}

const created = (): Shown => ({ name: "created", job: makeJob(), pods: [] });

/** The pod of a node that has gone: Zuul runs the build again. */
const LOST: Shown = {
  name: "lost",
  job: makeJob(),
  pods: [makePod({ metadata: { deletionTimestamp: "2026-11-01T00:00:00Z" }, status: { phase: "Failed", reason: "NodeLost" } })],
};

/** The test has ended, what runs beside it goes on. */
const OUTLIVED: Shown = {
  name: "outlived",
  job: makeJob(),
  pods: [
    makePod({
      spec: { containers: [{ name: "test" }, { name: "beside" }] },
      status: { phase: "Running", containerStatuses: [terminated("test", 0), running("beside")] },
    }),
  ],
};

function rush({ rush }: StagedBuild): void {
  for (let step = 0; step < STEPS_OF_A_RUSH; step++) rush.noteStep();
}

function isRecorded({ writes }: StagedBuild): boolean {
  return writes.some((annotations) => annotations[VERDICT] !== undefined);
}

describe("a build that has been answered, while many others come and go", () => {
  test("is written down when the rush is over", async () => {
    const staged = stageBuild();
    rush(staged);
    await staged.show(ended(0), 1_000);
    assert.deepEqual([staged.answers, isRecorded(staged), staged.isOver], [["SUCCESS"], false, false]);
    rush(staged);
    await staged.show(ended(0), 1_999);
    assert.equal(isRecorded(staged), false);
    await staged.show(ended(0), 1);
    assert.deepEqual([isRecorded(staged), staged.isOver], [true, true]);
  });

  test("is written down after a minute, however long the rush takes", async () => {
    const staged = stageBuild();
    rush(staged);
    await staged.show(ended(1), 0);
    for (let second = 1; second < 60; second++) {
      await staged.show(ended(1), 1_000);
      rush(staged);
    }
    assert.equal(isRecorded(staged), false);
    await staged.show(ended(1), 1_000);
    assert.equal(isRecorded(staged), true);
  });

  test("is written down at once when it is asked for again, and answered again", async () => {
    const staged = stageBuild();
    rush(staged);
    await staged.show(ended(0), 0);
    staged.askAgain();
    await staged.show(ended(0), 0);
    assert.deepEqual([staged.answers, isRecorded(staged)], [["SUCCESS", "SUCCESS"], true]);
    await staged.stop();
  });

  test("is written down at once when Zuul runs it again: whether its Job may answer the next request is in there", async () => {
    const staged = stageBuild();
    rush(staged);
    await staged.show(LOST, 0);
    assert.deepEqual([staged.answers, isRecorded(staged), staged.isOver], [["none"], true, true]);
  });

  test("is written down at once when containers outlive its test, so that they are ended at once", async () => {
    const staged = stageBuild();
    rush(staged);
    await staged.show(OUTLIVED, 0);
    assert.deepEqual([staged.answers, isRecorded(staged), staged.isToldToEnd], [["SUCCESS"], true, true]);
    await staged.stop();
  });

  test("is one of them itself: its own steps count", async () => {
    const staged = stageBuild();
    await staged.show(created(), 0);
    for (let step = 2; step < STEPS_OF_A_RUSH; step++) staged.rush.noteStep();
    await staged.show(ended(0), 0);
    assert.deepEqual([staged.answers, isRecorded(staged)], [["SUCCESS"], false]);
    await staged.stop();
  });

  test("is written down at once when nobody has its answer", async () => {
    const staged = stageBuild(undefined, created());
    await staged.show(ended(0), 119_999);
    rush(staged);
    await staged.show(ended(0), 0);
    assert.deepEqual([isRecorded(staged), staged.isOver], [false, false]);
    await staged.show(ended(0), 1);
    assert.deepEqual([staged.answers, isRecorded(staged), staged.isOver], [[], true, true]);
    assert.deepEqual(staged.logged("recorded the build"), [{ delivered: false, pod: "unit-0123456789abcdef-abcde" }]);
  });

  test("is left as it is when the replica stops", async () => {
    const staged = stageBuild();
    rush(staged);
    await staged.show(ended(0), 0);
    await staged.stop();
    assert.deepEqual([staged.answers, isRecorded(staged)], [["SUCCESS"], false]);
  });
});
