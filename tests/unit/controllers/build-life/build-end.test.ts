import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InputError, TurboHipsterError } from "../../../../src/runtime/errors.ts";
import { makeJob, makePod, terminated, waiting } from "../../../support/objects/build-objects.ts";
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
  });

  test("is left unrecorded when the API server refuses that for good, and is over all the same", async () => {
    const staged = stageBuild();
    staged.failWrites(Array.from({ length: 100 }, () => REFUSED));
    await passTries(staged, 20);
    assert.deepEqual([staged.answers, staged.isOver, staged.writes.length], [["SUCCESS"], true, 0]);
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
  });

  test("is left to its deadline when the API server refuses to end it, and the build is over all the same", async () => {
    const staged = stageBuild();
    staged.failEnds(Array.from({ length: 100 }, () => REFUSED));
    for (let each = 0; each < 20 && !staged.isOver; each += 1) await staged.show(LATE, PAUSE_MS);
    assert.deepEqual([staged.answers, staged.isOver, staged.deeds.includes("end-pod")], [["SUCCESS"], true, false]);
  });
});
