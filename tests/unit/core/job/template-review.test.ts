import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderReviewedObjects } from "../../../../src/core/job/template-review.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";

const SETTINGS = { installation: "test", image: "turbo-hipster:1", internalUrl: "http://operator:8081", checkout: { allowedUrls: [] } };

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
  const rendered = renderReviewedObjects(parsed.task, SETTINGS);
  assert.ok(rendered.ok);
  const { objects } = rendered;

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

  test("is the Job and its pod alone where the task has no node labels, and nothing where a label's pod cannot be rendered", () => {
    const { nodeLabels: _, ...spec } = parsed.task.spec;
    const plain = renderReviewedObjects({ ...parsed.task, spec }, SETTINGS);
    assert.equal(plain.ok && plain.objects.length, 2);
    const broken = { ...parsed.task, spec: { ...spec, nodeLabels: [{ name: "large", tolerations: 1 as never }] } };
    const refused = renderReviewedObjects(broken, SETTINGS);
    assert.match(refused.ok ? "" : refused.problem, /look at spec\.nodeLabels/);
  });

  test("is the Job with the first dataset, and the pod of each other one", () => {
    const configMap = { name: "c" };
    const base = { configMap, path: "/dataset", containers: ["test"] };
    const datasets = ["a", "b", "c"].map((name) => ({ ...base, name }));
    const reviewed = renderReviewedObjects({ ...parsed.task, spec: { ...parsed.task.spec, datasets } }, SETTINGS);
    assert.ok(reviewed.ok);
    assert.deepEqual(
      reviewed.objects.map(({ kind, of, object }) => `${kind}${of} with ${object.metadata.labels?.["turbo-hipster.io/dataset"]}`),
      ["Job with a", "Pod with a", "Pod for node label large with a", "Pod for dataset b with b", "Pod for dataset c with c"],
    );
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
