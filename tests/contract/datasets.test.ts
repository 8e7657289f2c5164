import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { datasetClaim, renderDatasetVolume } from "../../src/core/job/dataset-volume.ts";
import { renderReviewedObjects } from "../../src/core/job/template-review.ts";
import { PODS } from "../../src/kube/client/resource.ts";
import { TemplateReviewer } from "../../src/kube/objects/template-reviewer.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { defineSnapshots, SNAPSHOTS } from "../support/cluster/snapshot-definitions.ts";
import type { StoredObject } from "../support/fake-kube/resource-rules.ts";
import { makeTask } from "../support/objects/test-tasks.ts";
import { type ContractTarget, findRealKubeconfig, NO_REAL_SERVER, openRealTarget } from "./contract-target.ts";

interface Source {
  apiGroup: string;
  kind: string;
  name: string;
}

const CLAIMS = { group: "", version: "v1", plural: "persistentvolumeclaims" };
const NAMESPACES = { group: "", version: "v1", plural: "namespaces" };
const SETTINGS = { installation: "contract", image: "turbo-hipster:1", internalUrl: "http://operator:8081", checkout: { allowedUrls: [] } };

const TASK = makeTask({
  image: "i",
  services: [{ name: "db", image: "mysql:8" }],
  datasets: [
    { name: "clone", persistentVolumeClaim: { claimName: "nova" }, size: "20Gi", containers: ["test", "db"] },
    { name: "snapshot", volumeSnapshot: { name: "nova-2024" }, size: 21474836480, storageClassName: "fast", version: "2024-06-01" },
    { name: "read", persistentVolumeClaim: { claimName: "nova", readOnly: true } },
    { name: "user_001", image: { reference: "data:1" }, size: "5Gi" },
    { name: "settings", configMap: { name: "settings" } },
  ],
});
const kubeconfig = await findRealKubeconfig();

describe("what a build's dataset is in its pod, on a real API server", { skip: kubeconfig === undefined && NO_REAL_SERVER }, () => {
  let target: ContractTarget;
  let namespace: string;

  before(async () => {
    target = await openRealTarget(kubeconfig ?? "");
    namespace = await target.makeNamespace();
    const labels = { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted" };
    await target.client.mergePatch(NAMESPACES, undefined, namespace, { metadata: { labels } });
    await defineSnapshots(target.client);
  });
  after(() => target?.[Symbol.asyncDispose]());

  test("is taken, of each source, under the restricted Pod Security Standard", async () => {
    const rendered = renderReviewedObjects({ ...TASK, metadata: { name: "unit", namespace } }, SETTINGS);
    assert.ok(rendered.ok);
    assert.equal(rendered.objects.length, 6);
    const review = await new TemplateReviewer({ client: target.client }).review(rendered.objects, AbortSignal.timeout(30_000));
    assert.deepEqual(review, { kind: "accepted", warnings: [] });
  });

  for (const [name, kind] of [
    ["clone", "PersistentVolumeClaim"],
    ["snapshot", "VolumeSnapshot"],
  ] as const) {
    test(`is, of ${name}, a claim that keeps what it is to be made from`, async () => {
      const dataset = TASK.spec.datasets?.find((each) => each.name === name);
      assert.ok(dataset);
      const { volumeClaimTemplate } = renderDatasetVolume(dataset).ephemeral as { volumeClaimTemplate: object };
      // As the ephemeral volume controller makes it.
      const body = { ...volumeClaimTemplate, metadata: { name } };
      const claim = await target.client.create<{ spec: Record<string, unknown> }>(CLAIMS, namespace, body);
      const { dataSource, resources } = claim.spec as { dataSource: { kind: string }; resources: { requests: { storage: string } } };
      assert.deepEqual([dataSource.kind, resources.requests.storage], [kind, String(dataset.size)]);
    });
  }

  test("is made from what the cluster's own definition of snapshots has under that group and kind", async () => {
    const dataset = TASK.spec.datasets?.find(({ name }) => name === "snapshot");
    assert.ok(dataset);
    const { volumeClaimTemplate } = renderDatasetVolume(dataset).ephemeral as { volumeClaimTemplate: { spec: { dataSource: Source } } };
    const { apiGroup, kind, name } = volumeClaimTemplate.spec.dataSource;
    const snapshot = { apiVersion: `${apiGroup}/v1`, kind, metadata: { name } };
    const make = (spec: object) => target.client.create<StoredObject>(SNAPSHOTS, namespace, { ...snapshot, spec });
    await assert.rejects(make({}), { reason: "Invalid" }, "a definition that looks at nothing");
    assert.equal((await make({ source: { persistentVolumeClaimName: "nova" } })).metadata.name, dataset.volumeSnapshot?.name);
  });

  test("is, of a copy, a claim of the pod's, whose name follows from the pod's, and that goes with it", async () => {
    const dataset = TASK.spec.datasets?.find(({ name }) => name === "clone");
    assert.ok(dataset);
    const place = await target.makeNamespace();
    const spec = { containers: [{ name: "test", image: "i" }], volumes: [renderDatasetVolume(dataset)] };
    const { metadata: pod } = await target.client.create<StoredObject>(PODS, place, { metadata: { name: "copies" }, spec });
    const claims = async () => {
      const fieldSelector = `metadata.name=${datasetClaim("copies")}`;
      return (await target.client.list<StoredObject>(CLAIMS, place, { fieldSelector })).items;
    };
    await waitUntil("the claim", 30_000, async () => (await claims()).length === 1);
    const owners = (await claims())[0]?.metadata.ownerReferences?.map(({ kind, uid }) => [kind, uid]);
    assert.deepEqual(owners, [["Pod", pod.uid]]);
    await target.client.delete(PODS, place, "copies", { propagationPolicy: "Background" });
    await waitUntil("no claim", 30_000, async () => (await claims()).length === 0);
  });
});
