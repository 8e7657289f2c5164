import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InputError, TurboHipsterError } from "../../../../src/runtime/errors.ts";
import { makeJob, makePod, terminated, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";
import type { Shown } from "../../../support/objects/pod-histories.ts";
import { type StagedBuild, stageBuild } from "./staged-build.ts";

const PASSED: Shown = {
  name: "passed",
  job: makeJob(),
  pods: [makePod({ spec: { containers: [{ name: "test" }] }, status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } })],
};
const LATE: Shown = {
  name: "passed beside a container that comes too late",
  job: makeJob(),
  pods: [
    makePod({
      spec: { containers: [{ name: "test" }, { name: "web" }] },
      status: { containerStatuses: [terminated("test", 0), waiting("web", "ImagePullBackOff")] },
    }),
  ],
};
/** No node takes its pod. */
const UNTAKEN: Shown = { name: "unscheduled", job: makeJob(), pods: [makePod(UNSCHEDULED)] };
const POD = "unit-0123456789abcdef-abcde";
const LEFT = {
  record: "leaves the build unrecorded, the API server refuses it",
  pod: "leaves the pod until its deadline, the API server refuses to end it",
  job: "leaves a Job behind, the API server refuses to delete it",
};
const TIMED_OUT = new TurboHipsterError("TH_TEST_TIMEOUT", "no answer", { retryable: true });
const REFUSED = new InputError("you must not");
/** Longer than the longest pause between two tries. */
const PAUSE_MS = 30_000;

async function passTries(staged: StagedBuild, tries: number): Promise<void> {
  for (let each = 0; each < tries && !staged.isOver; each += 1) await staged.show(PASSED, PAUSE_MS);
}

describe("a build that has been answered", () => {
  test("is recorded though the API server timed out eight times and then refused once", async () => {
    const staged = stageBuild();
    staged.failWrites([...Array.from({ length: 8 }, () => TIMED_OUT), REFUSED]);
    await passTries(staged, 20);
    assert.deepEqual([staged.answers, staged.isOver, staged.writes.length], [["SUCCESS"], true, 1]);
    assert.deepEqual([staged.logged("recorded the build"), staged.logged(LEFT.record)], [[{ delivered: true, pod: POD }], []]);
  });

  test("is left unrecorded when the API server refuses that for good, and is over all the same", async () => {
    const staged = stageBuild();
    staged.failWrites(Array.from({ length: 100 }, () => REFUSED));
    await passTries(staged, 20);
    assert.deepEqual([staged.answers, staged.isOver, staged.writes.length], [["SUCCESS"], true, 0]);
    assert.deepEqual([staged.logged("recorded the build"), staged.logged(LEFT.record)], [[], [{ err: REFUSED }]]);
  });
});

describe("the pod of a test that has ended beside a container that comes too late", () => {
  test("is ended before anybody has read the answer, and the verdict stands on the Job by then", async () => {
    const staged = stageBuild();
    const release = staged.holdAnswers();
    await staged.show(LATE, 0);
    assert.deepEqual([staged.answers, staged.deeds], [[], ["write", "end-pod"]]);
    assert.match(staged.writes[0]?.["turbo-hipster.io/verdict"] ?? "", /"rule":"exit-0"/);
    release();
    await staged.show(LATE, 0);
    assert.deepEqual([staged.answers, staged.deeds], [["SUCCESS"], ["write", "end-pod", "write"]]);
    await staged.stop();
  });

  test("is ended when the API server does that at last, and keeps no answer waiting", async () => {
    const staged = stageBuild();
    staged.failWrites([TIMED_OUT, TIMED_OUT]);
    staged.failEnds([TIMED_OUT]);
    await staged.show(LATE, 0);
    assert.deepEqual([staged.answers, staged.deeds], [["SUCCESS"], []]);
    for (let each = 0; each < 10 && !staged.isOver; each += 1) await staged.show(LATE, PAUSE_MS);
    assert.deepEqual([staged.isOver, staged.deeds], [true, ["write", "write", "end-pod", "write"]]);
    assert.deepEqual([staged.logged("ended what was left of the pod"), staged.logged(LEFT.pod)], [[{ pod: POD }], []]);
  });

  test("is left to its deadline when the API server refuses to end it, and the build is over all the same", async () => {
    const staged = stageBuild();
    staged.failEnds(Array.from({ length: 100 }, () => REFUSED));
    for (let each = 0; each < 20 && !staged.isOver; each += 1) await staged.show(LATE, PAUSE_MS);
    assert.deepEqual([staged.answers, staged.isOver, staged.deeds.includes("end-pod")], [["SUCCESS"], true, false]);
    assert.deepEqual([staged.logged("ended what was left of the pod"), staged.logged(LEFT.pod)], [[], [{ err: REFUSED, pod: POD }]]);
  });

  test("is told to end once, though the build is asked for again and answered twice", async () => {
    const staged = stageBuild();
    for (let step = 0; step < 40; step += 1) staged.rush.noteStep();
    await staged.show(LATE, 0);
    staged.askAgain();
    await staged.show(LATE, 0);
    await staged.show(LATE, PAUSE_MS);
    assert.deepEqual([staged.answers, staged.isOver], [["SUCCESS", "SUCCESS"], true]);
    assert.deepEqual(staged.deeds.filter((deed) => deed === "end-pod").length, 1);
  });
});

describe("the Job of a build that is stopped before a kubelet has its pod", () => {
  const stop = async (staged: StagedBuild) => {
    await staged.show(UNTAKEN, 0);
    staged.build.requestStop();
    for (let each = 0; each < 20 && !staged.isOver; each += 1) await staged.show(UNTAKEN, PAUSE_MS);
  };

  test("is deleted in the end though the API server did not answer at first, and nothing is said of it being left", async () => {
    const staged = stageBuild();
    staged.failDeletes([TIMED_OUT, TIMED_OUT]);
    await stop(staged);
    assert.deepEqual([staged.answers, staged.isOver, staged.deeds.includes("delete-job")], [["ABORTED"], true, true]);
    assert.deepEqual(staged.logged(LEFT.job), []);
  });

  test("is left, and that is told, where the API server refuses to delete it; the build is answered all the same", async () => {
    const staged = stageBuild();
    staged.failDeletes(Array.from({ length: 100 }, () => REFUSED));
    await stop(staged);
    assert.deepEqual([staged.answers, staged.isOver, staged.deeds.includes("delete-job")], [["ABORTED"], true, false]);
    assert.deepEqual(staged.logged(LEFT.job), [{ err: REFUSED }]);
  });
});
