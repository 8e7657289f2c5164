import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Pod } from "../../../../src/core/kubernetes/objects.ts";
import { makeJob, makePod, running, terminated } from "../../../support/objects/build-objects.ts";
import { stageBuild } from "./staged-build.ts";

/** A pod of the Job with this uid, as the Job controller labels it. */
function podOf(uid: string, status: NonNullable<Pod["status"]>): Pod {
  return makePod({ metadata: { name: `unit-0123456789abcdef-${uid}`, labels: { "batch.kubernetes.io/controller-uid": uid } }, status });
}

const FORMER = makeJob({ metadata: { uid: "former" } });
const PASSED = podOf("former", { phase: "Succeeded", containerStatuses: [terminated("test", 0)] });

describe("a build whose Job has the name of one that is gone", () => {
  test("is not judged by that one, nor by its pod, as long as the watches show them", async () => {
    const staged = stageBuild();
    await staged.show({ name: "the former Job and its pod", job: FORMER, pods: [PASSED] }, 0);
    await staged.show({ name: "the Job, and the former one's pod", job: makeJob(), pods: [PASSED] }, 0);
    const runs = podOf("job-uid", { phase: "Running", containerStatuses: [running("test")] });
    await staged.show({ name: "the Job with its pod, and the former one's", job: makeJob(), pods: [PASSED, runs] }, 0);
    assert.deepEqual(staged.answers, []);
    const failed = podOf("job-uid", { phase: "Failed", containerStatuses: [terminated("test", 1)] });
    await staged.show({ name: "the end of its own pod", job: makeJob(), pods: [PASSED, failed] }, 0);
    assert.deepEqual(staged.answers, ["FAILURE"]);
    await staged.stop();
  });

  test("has none any more when the API server shows another one under its name", async () => {
    const staged = stageBuild();
    const next = { name: "another Job", job: makeJob({ metadata: { uid: "next" } }), pods: [] };
    await staged.show(next, 31_000);
    await staged.show(next, 0);
    assert.deepEqual(staged.answers, ["none"]);
    await staged.stop();
  });
});
