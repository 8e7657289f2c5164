import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InputError, TurboHipsterError } from "../../../../src/runtime/errors.ts";
import { makeJob, makePod, terminated } from "../../../support/objects/build-objects.ts";
import type { Shown } from "../../../support/objects/pod-histories.ts";
import { type StagedBuild, stageBuild } from "./staged-build.ts";

const PASSED: Shown = {
  name: "passed",
  job: makeJob(),
  pods: [makePod({ spec: { containers: [{ name: "test" }] }, status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } })],
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
