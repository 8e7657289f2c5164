import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job, Pod, PodSpec } from "../../../../src/core/kubernetes/objects.ts";
import { maskValues } from "../../../../src/core/logs/masked-values.ts";
import { readMasker } from "../../../../src/logs/recording/secret-masker.ts";

const BUILD = { namespace: "ci", jobName: "unit-1", uid: "uid-1" };

function podSpec(secret: string): PodSpec {
  return { containers: [{ name: "test", envFrom: [{ secretRef: { name: secret } }] }] } as unknown as PodSpec;
}

function makeJob(uid: string, secret: string): Job {
  return { metadata: { name: "unit-1", uid }, spec: { template: { spec: podSpec(secret) } } } as unknown as Job;
}

function makePod(jobUid: string, secret: string): Pod {
  const labels = { "batch.kubernetes.io/controller-uid": jobUid };
  return { metadata: { name: "unit-1-x", labels }, spec: podSpec(secret) } as unknown as Pod;
}

/** Each Secret has one value: that it is the one of this name. */
async function maskIn(job: Job | undefined, pods: Pod[]): Promise<string> {
  const masker = await readMasker(
    {
      getJob: async () => job,
      readWholePods: async () => pods,
      secretValues: async (namespace, name) => new Map([["key", Buffer.from(`${namespace}-value-of-${name}`)]]),
    },
    BUILD,
  );
  return maskValues("ci-value-of-mine ci-value-of-other", masker);
}

describe("what a build prints is masked", () => {
  test("by the Secrets of its Job", async () => {
    assert.equal(await maskIn(makeJob("uid-1", "mine"), []), "*** ci-value-of-other");
  });

  test("where its Job is gone and its pod still runs, by the pod's", async () => {
    assert.equal(await maskIn(undefined, [makePod("uid-1", "mine"), makePod("uid-2", "other")]), "*** ci-value-of-other");
  });

  test("where another Job has its name, by those of its own pod", async () => {
    assert.equal(await maskIn(makeJob("uid-2", "other"), [makePod("uid-1", "mine")]), "*** ci-value-of-other");
  });

  test("by nothing where nothing of it is left", async () => {
    assert.equal(await maskIn(undefined, []), "ci-value-of-mine ci-value-of-other");
  });
});
