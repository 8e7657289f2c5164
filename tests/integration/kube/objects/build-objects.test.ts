import assert from "node:assert/strict";
import { test } from "node:test";
import { buildNumber } from "../../../../src/core/job/name.ts";
import { readJobRecord } from "../../../../src/core/job/record.ts";
import {
  INSTALLATION_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  RECORDED_LABEL,
  REQUEST_ANNOTATION,
  unrecordedSelectors,
} from "../../../../src/core/kubernetes/labels.ts";
import { loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { JOBS } from "../../../../src/kube/client/resource.ts";
import { BuildObjects } from "../../../../src/kube/objects/build-objects.ts";
import { ServedNamespaces } from "../../../../src/kube/watch/served-namespaces.ts";
import { sha256Hex } from "../../../../src/runtime/sha256.ts";
import { type FakeKube, startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const TWO = ["one", "two"];

/** Jobs of the installation `test` in these namespaces, undefined: in all; `told` has each change. */
async function startBuildObjects(
  prepare: (kube: FakeKube) => void,
  { namespaces }: { namespaces: string[] | undefined } = { namespaces: TWO },
) {
  const kube = await startFakeKube();
  prepare(kube);
  const clock = makeSkippingClock();
  const client = await loadKubeClient({ kubeconfig: kube.kubeconfig, clock });
  const told: string[] = [];
  let next = Promise.withResolvers<void>();
  const served = new ServedNamespaces({ namespaces, logger: silentLogger });
  const objects = new BuildObjects({
    ...{ client, namespaces, served, installation: "test", clock, logger: silentLogger },
    onChange(namespace, jobName) {
      // Told as it is seen through the cache at that moment.
      told.push(`${namespace}/${jobName} ${objects.cachedJob(namespace, jobName) ? "there" : "hidden"}`);
      next.resolve();
      next = Promise.withResolvers();
      if (jobName === "bad") throw new Error("a handler's own trouble");
    },
  });
  await objects.start();
  return {
    ...{ kube, clock, objects, told },
    async until(line: string): Promise<void> {
      while (!told.includes(line)) await next.promise;
    },
    async [Symbol.asyncDispose]() {
      await objects.stop();
      await client.close();
      assert.equal(clock.pending, 0);
      await kube.disconnected();
      await kube[Symbol.asyncDispose]();
    },
  };
}

function createJob(kube: FakeKube, namespace: string, name: string, spec: object = {}): void {
  const labels = { [MANAGED_BY_LABEL]: MANAGED_BY, [INSTALLATION_LABEL]: "test" };
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "test", image: "i" }] } };
  kube.create(JOBS, namespace, { metadata: { name, labels }, spec: { ...spec, template } });
}

const names = (objects: BuildObjects) => Array.from(objects.cachedJobs(), ({ metadata }) => metadata.name);

test("the Jobs of a namespace whose pods may not be read are not there until they are known, and are all told then", async () => {
  let end = () => {};
  await using stage = await startBuildObjects((kube) => {
    for (const name of ["a", "bad", "c"]) createJob(kube, "two", name);
    createJob(kube, "one", "b");
    const effect = { kind: "status", code: 403, reason: "Forbidden" } as const;
    end = kube.misbehave({ verb: "list", resource: "pods", namespace: "two" }, effect, Number.POSITIVE_INFINITY).stop;
  });
  await stage.objects.synced();
  await stage.until("two/c hidden");
  assert.deepEqual(names(stage.objects), ["b"]);
  end();
  stage.clock.skip(31_000);
  await stage.until("two/c there");
  assert.deepEqual(stage.told.slice(-3), ["two/a there", "two/bad there", "two/c there"]);
  assert.deepEqual(new Set(names(stage.objects)), new Set(["a", "bad", "b", "c"]));
});

test("with every namespace served, the Jobs of all are told when the pods of all may be read", async () => {
  let end = () => {};
  await using stage = await startBuildObjects(
    (kube) => {
      for (const namespace of TWO) createJob(kube, namespace, "a");
      const effect = { kind: "status", code: 403, reason: "Forbidden" } as const;
      end = kube.misbehave({ verb: "list", resource: "pods" }, effect, Number.POSITIVE_INFINITY).stop;
    },
    { namespaces: undefined },
  );
  for (const namespace of TWO) await stage.until(`${namespace}/a hidden`);
  assert.deepEqual(names(stage.objects), []);
  end();
  stage.clock.skip(31_000);
  await stage.objects.synced();
  assert.deepEqual(new Set(stage.told.slice(2)), new Set(TWO.map((namespace) => `${namespace}/a there`)));
});

test("a Job that names itself after another namespace's build says nothing, and that build's own says all", async () => {
  const identity = { server: "zuul:4730", functionName: "build:unit", unique: "ab", payloadHash: "00ff" };
  const number = buildNumber({ namespace: "one", name: "unit" }, identity, sha256Hex);
  const timeouts = '{"pull":"10m","run":"1h"}';
  const annotations = {
    "turbo-hipster.io/request": JSON.stringify({ ...identity, number }),
    "turbo-hipster.io/function": identity.functionName,
    "turbo-hipster.io/timeouts": timeouts,
  };
  await using stage = await startBuildObjects((kube) => {
    for (const [namespace, name] of [
      ["one", number],
      ["one", `${number}-r1`],
      // Whoever may create Jobs there has copied all of it.
      ["two", number],
      // And elsewhere, a build's number under another name.
      ["one", "mine"],
    ] as const) {
      createJob(kube, namespace, name);
      kube.patch(JOBS, namespace, name, { metadata: { annotations, labels: { "turbo-hipster.io/task": "unit" } } });
    }
  });
  await stage.objects.synced();
  const read = (namespace: string, name: string) => readJobRecord(stage.objects.cachedJob(namespace, name) ?? assert.fail())?.jobName;
  assert.deepEqual([read("one", number), read("one", `${number}-r1`)], [number, `${number}-r1`]);
  assert.deepEqual([read("two", number), read("one", "mine")], [undefined, undefined]);
});

test("Jobs and pods that are not known when the operator stops end its waiting", async () => {
  await using stage = await startBuildObjects((kube) => {
    kube.misbehave({ verb: "list" }, { kind: "hang" }, Number.POSITIVE_INFINITY);
  });
  const synced = assert.rejects(stage.objects.synced(), { code: "TH_KUBE_CLOSED" });
  await stage.objects.stop();
  await synced;
});

test("of a Job the cache keeps what is looked at, and of its template no more than names", async () => {
  await using stage = await startBuildObjects((kube) => createJob(kube, "one", "a", { suspend: true, ttlSecondsAfterFinished: 60 }));
  await stage.objects.synced();
  const spec = { template: { spec: { containers: [{ name: "test" }] } }, suspend: true, ttlSecondsAfterFinished: 60 };
  assert.deepEqual(stage.objects.cachedJob("one", "a")?.spec, spec);
});

test("of a Job that was created no more is held than of one in the cache", async () => {
  await using stage = await startBuildObjects(() => {});
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "test", image: "i" }] } };
  const creation = await stage.objects.createJob({ metadata: { name: "a", namespace: "one" }, spec: { backoffLimit: 0, template } });
  assert.ok(creation.kind === "created");
  assert.deepEqual(creation.job.spec, { template: { spec: { containers: [{ name: "test" }] } } });
  assert.equal(creation.job.metadata.uid, stage.kube.get(JOBS, "one", "a").metadata.uid);
});

test("what is written down after an answer waits in line behind eight others, and keeps nothing else waiting", async () => {
  const jobs = Array.from({ length: 12 }, (_, index) => `job-${index}`);
  const request = "{}";
  await using stage = await startBuildObjects((kube) => {
    for (const name of jobs) {
      createJob(kube, "one", name);
      kube.patch(JOBS, "one", name, { metadata: { annotations: { [REQUEST_ANNOTATION]: request } } });
    }
  });
  const release = Promise.withResolvers<void>();
  const fault = stage.kube.misbehave(
    { verb: "patch", resource: "jobs" },
    { kind: "delay", until: release.promise },
    Number.POSITIVE_INFINITY,
  );
  const write = (name: string) => stage.objects.annotateJob("one", name, { done: "yes" }, { request, ttlSecondsAfterFinished: 60 });
  const writes = jobs.map(write);
  // Each is a round trip: what was to arrive meanwhile has arrived.
  for (let trips = 0; fault.struck < 8 || trips < 20; trips++) await stage.objects.getJob("one", "job-0");
  assert.equal(fault.struck, 8);
  release.resolve();
  assert.deepEqual(new Set(await Promise.all(writes)), new Set([true]));
});

test("a Job is annotated by its uid, and another one that has its name by now is left alone", async () => {
  await using stage = await startBuildObjects((kube) => {
    createJob(kube, "one", "a");
    kube.patch(JOBS, "one", "a", { metadata: { annotations: { present: "yes" } } });
  });
  const { uid } = stage.kube.get(JOBS, "one", "a").metadata;
  const write = (job: string) => stage.objects.annotateJob("one", "a", { by: job }, { uid: job });
  assert.deepEqual([await write("00000000-0000-0000-0000-000000000000"), await write(uid)], [false, true]);
  assert.deepEqual(stage.kube.get(JOBS, "one", "a").metadata.annotations, { present: "yes", by: uid });
});

test("a build that was written down just now is found again by who lists, however wrong the clocks of both machines are", async () => {
  await using writer = await startBuildObjects((kube) => createJob(kube, "one", "a"));
  await writer.objects.synced();
  writer.clock.jump(3 * 3_600_000);
  await writer.objects.annotateJob("one", "a", {}, { ttlSecondsAfterFinished: 60 });
  const label = Number(writer.kube.get(JOBS, "one", "a").metadata.labels?.[RECORDED_LABEL]);
  assert.ok(Math.abs(label - Date.now() / 600_000) <= 2, String(label));
  writer.clock.jump(-9 * 3_600_000);
  assert.ok(unrecordedSelectors(writer.objects.now())[1]?.includes(String(label)));
});

test("a Job is deleted by its uid, and another one that has its name by now stays", async () => {
  await using stage = await startBuildObjects((kube) => createJob(kube, "one", "a"));
  await stage.objects.synced();
  await stage.objects.deleteJob("one", "a", "00000000-0000-0000-0000-000000000000");
  const { metadata } = stage.kube.get(JOBS, "one", "a");
  await stage.objects.deleteJob("one", "a", metadata.uid);
  assert.equal(stage.kube.find(JOBS, "one", "a"), undefined);
  await stage.objects.deleteJob("one", "a", metadata.uid);
});
