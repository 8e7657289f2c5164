import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { makeJob, makePod, observe, terminated } from "../../../support/objects/build-objects.ts";
import { histories, namesOf, type Shown, type Step, showsSuccess } from "../../../support/objects/pod-histories.ts";
import { stageBuild } from "./staged-build.ts";

const NOTHING: Shown = { name: "nothing", job: undefined, pods: [] };
const ENDED: Shown = {
  name: "ended as it was told",
  job: makeJob(),
  pods: [
    makePod({
      spec: { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1 },
      status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [terminated("test", 143)] },
    }),
  ],
};

/** Plays a history before a real build; resolves to the answers that its requester got. */
async function play(steps: readonly Step[]): Promise<{ answers: readonly string[]; seen: readonly Shown[] }> {
  const staged = stageBuild();
  for (const { shown, passMs, isStop } of steps) {
    if (isStop) staged.build.requestStop();
    await staged.show(shown, passMs);
  }
  // However it went on so far: Zuul stops it, the kubelet does as it is told, and at last nothing is left.
  staged.build.requestStop();
  const last = staged.seen.at(-1);
  if (last && observe(last.job, last.pods).kind !== "absent") await staged.show(last, 1000);
  if (staged.isToldToEnd && !staged.isOver) await staged.show(ENDED, 1000);
  for (let hours = 0; hours < 3 && !staged.isOver; hours += 1) await staged.show(NOTHING, 3_600_000);
  await staged.stop();
  return staged;
}

describe("2,000 generated histories of a pod, played before a real build", () => {
  test("each get one answer, and SUCCESS only where exit code 0 of the test's container was seen", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const { answers, seen } = await play(steps);
        assert.equal(answers.length, 1, `${answers.length} answers (${answers}): ${namesOf(steps)}`);
        if (answers[0] === "SUCCESS") assert.ok(seen.some(showsSuccess), `SUCCESS without exit code 0: ${namesOf(steps)}`);
      }),
      { numRuns: 2000 },
    );
  });
});
