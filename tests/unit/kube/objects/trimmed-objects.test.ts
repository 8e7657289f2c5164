import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readRoles } from "../../../../src/core/job/record.ts";
import { CONTAINERS_ANNOTATION, MEMBER_ANNOTATION, TEST_TASK_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { trimJob, trimPod } from "../../../../src/kube/objects/trimmed-objects.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import { historyPlans } from "../../../support/objects/history-plan.ts";
import { PodWorld } from "../../../support/objects/pod-world.ts";

const TEMPLATE = {
  spec: {
    containers: [{ name: "proxy" }, { name: "unit", image: "i", env: [{ name: "A", value: "b" }] }],
    initContainers: [
      { name: "setup", image: "i" },
      { name: "db", image: "i", restartPolicy: "Always" },
    ],
  },
};

describe("a Job as it is kept", () => {
  for (const written of [undefined, "{", JSON.stringify({ test: "unit", others: [], services: [], inits: [], checkout: false })]) {
    test(`tells what its containers are there for as the whole one does, where it says ${written}`, () => {
      const annotations = written === undefined ? {} : { [CONTAINERS_ANNOTATION]: written };
      const job = makeJob({ metadata: { annotations }, spec: { template: TEMPLATE } });
      assert.deepEqual(readRoles(trimJob(job)), readRoles(job));
    });
  }

  test("has not the TestTask that a lead was made of, and what it says of its datasets", () => {
    const annotations = { [TEST_TASK_ANNOTATION]: "{}", [MEMBER_ANNOTATION]: "{}" };
    assert.deepEqual(trimJob(makeJob({ metadata: { annotations } })).metadata.annotations?.[MEMBER_ANNOTATION], "{}");
    assert.equal(trimJob(makeJob({ metadata: { annotations } })).metadata.annotations?.[TEST_TASK_ANNOTATION], undefined);
  });

  test("has no more of its template than that", () => {
    const kept = trimJob(makeJob({ spec: { template: TEMPLATE } }));
    assert.deepEqual(kept.spec?.template.spec.containers, [{ name: "proxy" }, { name: "unit" }]);
    const annotations = { [CONTAINERS_ANNOTATION]: JSON.stringify(readRoles(kept)) };
    assert.deepEqual(trimJob(makeJob({ metadata: { annotations }, spec: { template: TEMPLATE } })).spec?.template.spec, { containers: [] });
  });
});

describe("Job and pods as they are kept", () => {
  test("are the same to who observes a build as the whole ones", () => {
    fc.assert(
      fc.property(historyPlans, (plan) => {
        const world = new PodWorld(plan);
        for (let looks = 0; looks < 60 && world.nextMs !== undefined; looks += 1) {
          world.passTo(world.nextMs);
          const { job, pods, killOf } = world.show();
          const kept = observeBuild(job && trimJob(job), pods.map(trimPod), world.roles, killOf);
          assert.deepEqual(kept, observeBuild(job, pods, world.roles, killOf));
        }
      }),
      { numRuns: 500 },
    );
  });
});
