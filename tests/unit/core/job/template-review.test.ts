import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isQuotaFull, renderReviewedObjects } from "../../../../src/core/job/template-review.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";

const SETTINGS = { installation: "test", image: "turbo-hipster:1", checkout: { allowedUrls: [] } };

describe("what the API server is asked about", () => {
  const parsed = parseTestTask({
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "n".repeat(40), namespace: "ci" },
    spec: {
      image: "i",
      nodeLabels: [{ name: "large", resources: { limits: { memory: "64Gi" } } }],
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "test" }], dnsPolicy: "Default" } },
    },
  });
  assert.ok(parsed.ok);
  const objects = renderReviewedObjects(parsed.task, SETTINGS);

  test("is the Job, its pod, and the pod of each node label", () => {
    assert.deepEqual(
      objects.map(({ kind, of }) => `${kind}${of}`),
      ["Job", "Pod", "Pod for node label large"],
    );
    const memory = objects.map(({ kind, object }) =>
      kind === "Pod" ? object.spec?.containers[0]?.resources?.limits?.memory : object.spec?.template.spec.containers[0]?.resources,
    );
    assert.deepEqual(memory, [undefined, undefined, "64Gi"]);
  });

  test("is whole, in the task's namespace, under a name that no build has and every pod can have", () => {
    for (const { object } of objects) {
      assert.equal(object.metadata.namespace, "ci");
      assert.match(object.metadata.name, /^n{40}-template-review$/);
      assert.ok(object.metadata.name.length <= 63);
    }
    const [, pod] = objects;
    assert.equal(pod?.object.metadata.labels?.a, "b");
    assert.equal((pod?.object.spec as { dnsPolicy?: string } | undefined)?.dnsPolicy, "Default");
  });
});

describe("a quota", () => {
  const says = (requested: string, used: string, limited: string) =>
    `create pods ci/a: pods "a" is forbidden: exceeded quota: builds, requested: ${requested}, used: ${used}, limited: ${limited} (Forbidden, 403)`;

  test("that is used up is full: it empties by itself", () => {
    assert.equal(isQuotaFull(says("pods=1", "pods=5", "pods=5")), true);
    assert.equal(
      isQuotaFull(says("limits.cpu=500m,limits.memory=2Gi", "limits.cpu=2,limits.memory=7Gi", "limits.cpu=2,limits.memory=8Gi")),
      true,
    );
  });

  test("whose limit is below what one build asks for is none that could ever be met", () => {
    assert.equal(isQuotaFull(says("limits.memory=2Gi", "limits.memory=0", "limits.memory=1Gi")), false);
    assert.equal(
      isQuotaFull(says("limits.cpu=1,limits.memory=2Gi", "limits.cpu=4,limits.memory=0", "limits.cpu=4,limits.memory=2047Mi")),
      false,
    );
    assert.equal(isQuotaFull(says("count/jobs.batch=1", "count/jobs.batch=0", "count/jobs.batch=0")), false);
  });

  test("that wants limits to be given is no full quota, nor is anything else", () => {
    assert.equal(isQuotaFull('pods "a" is forbidden: failed quota: builds: must specify limits.memory for: test'), false);
    assert.equal(isQuotaFull("violates PodSecurity"), false);
  });
});
