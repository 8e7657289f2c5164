import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import type { FaultEffect } from "../../../support/fake-kube/fault-plan.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberFor, numberOf, recordOf, type Stage, startStage } from "../stage.ts";

const CREATE = { verb: "create", resource: "jobs" };
const start = () => startGearmand();

describe("the creation of a build's Job", () => {
  const passing: [string, FaultEffect, number][] = [
    ["is tried again after a 500", { kind: "status", code: 500 }, 1],
    ["is tried again while the API server asks for patience", { kind: "status", code: 429, retryAfterSeconds: 1 }, 3],
    ["is tried again after a conflict, such as quota's", { kind: "status", code: 409, reason: "Conflict" }, 2],
    ["is tried again after a refused login", { kind: "status", code: 401, reason: "Unauthorized" }, 3],
    ["is tried again when the connection breaks before anything was done", { kind: "drop" }, 2],
    ["finds its own Job when the connection broke before the answer", { kind: "drop", afterwards: true }, 1],
    ["finds its own Job when the answer came in half", { kind: "truncate" }, 1],
    ["is tried again after an answer that is nonsense", { kind: "garbage", text: "<html>" }, 1],
  ];
  for (const [name, effect, times] of passing) {
    test(name, async () => {
      await using stage = await startStage({ start, tasks: { unit: {} } });
      const fault = stage.kube.misbehave(CREATE, effect, times);
      const build = await stage.submit("unit");
      assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.equal(fault.struck, times);
      assert.equal(stage.jobs().length, 1);
      assert.equal(stage.pods().length, 1);
      assert.equal(recordOf(await stage.recorded(await numberOf(build))).isDelivered, true);
    });
  }

  test("is tried again when no answer comes within the deadline", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    stage.kube.misbehave(CREATE, { kind: "hang" });
    const arrived = stage.kube.nextCall(CREATE, "answered");
    const build = await stage.submit("unit");
    await arrived;
    stage.clock.skip(31_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(stage.pods().length, 1);
  });

  test("waits as long as a webhook is broken", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const fault = stage.kube.misbehave(CREATE, { kind: "status", code: 500, message: "failed calling webhook" }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    await stage.skipTries("retries to create the Job", 20);
    assert.equal(build.kinds().includes("fail"), false);
    fault.stop();
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("waits as long as the namespace's quota is used up", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const message = 'jobs.batch "unit-1" is forbidden: exceeded quota: builds, requested: count/jobs.batch=1, used: 5, limited: 5';
    const fault = stage.kube.misbehave(CREATE, { kind: "status", code: 403, reason: "Forbidden", message }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    await stage.skipTries("retries to create the Job", 12);
    fault.stop();
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("is given back to Zuul when the operator has no right to it", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const message = 'jobs.batch is forbidden: User "x" cannot create resource "jobs" in API group "batch" in the namespace "ci"';
    const fault = stage.kube.misbehave(CREATE, { kind: "status", code: 403, reason: "Forbidden", message }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    await stage.skipTries("retries to create the Job", 7);
    assert.equal((await answerOf(build)).result, null);
    assert.equal(fault.struck, 8);
    const judged = await stage.logged("judged the build");
    assert.equal(judged.fields.rule, "job-not-created");
    assert.equal(stage.jobs().length, 0);
  });

  const refused: [string, FaultEffect & { kind: "status" }, string][] = [
    [
      "is refused by a policy",
      { kind: "status", code: 403, reason: "Forbidden", message: 'admission webhook "policy.example" denied the request: no latest tags' },
      "CONFIG_ERROR - no latest tags (by policy.example)",
    ],
    [
      "is refused by a policy in several lines",
      {
        kind: "status",
        code: 400,
        reason: "BadRequest",
        message:
          "admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Job/ci/unit-1 was blocked due to the following policies \n\nneeds-limits:\n  autogen-limits: 'validation error: limits are required. rule autogen-limits failed at path /spec/'\n",
      },
      "CONFIG_ERROR - policy needs-limits - limits are required",
    ],
    [
      "is refused as invalid",
      { kind: "status", code: 422, reason: "Invalid", message: "spec.template.spec.volumes[0].name: Duplicate value" },
      "CONFIG_ERROR - spec.template.spec.volumes[0].name - Duplicate value",
    ],
    [
      "has no namespace any more",
      { kind: "status", code: 404, reason: "NotFound", message: 'namespaces "ci" not found' },
      "CONFIG_ERROR - namespaces ci not found",
    ],
    [
      "has a namespace that is going away",
      {
        kind: "status",
        code: 403,
        reason: "Forbidden",
        message: 'jobs.batch "x" is forbidden: unable to create new content in namespace ci because it is being terminated',
      },
      "CONFIG_ERROR - unable to create new content in namespace ci because it is being terminated",
    ],
  ];
  for (const [name, effect, result] of refused) {
    test(`that ${name} is told to the reviewer at once`, async () => {
      await using stage = await startStage({ start, tasks: { unit: {} } });
      const fault = stage.kube.misbehave(CREATE, effect, Number.POSITIVE_INFINITY);
      assert.equal((await answerOf(await stage.submit("unit"))).result, result);
      assert.equal(fault.struck, 1);
      fault.stop();
      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    });
  }

  const template = { spec: { restartPolicy: "Never", containers: [{ name: "x", image: "x" }] } };
  const others: [string, (stage: Stage, number: string) => void][] = [
    ["another's", () => {}],
    ["going away", (stage, number) => stage.kube.delete(JOBS, NAMESPACE, number)],
  ];
  for (const [name, change] of others) {
    test(`takes another name when the Job of that name is ${name}`, async () => {
      await using stage = await startStage({ start, tasks: { unit: {} } });
      const unique = "ab".repeat(16);
      const number = numberFor(stage, unique);
      stage.kube.create(JOBS, NAMESPACE, { metadata: { name: number, finalizers: ["test/hold"] }, spec: { suspend: true, template } });
      change(stage, number);
      const build = await stage.submit("unit", { unique });
      assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.equal(await numberOf(build), number);
      await stage.recorded(`${number}-r1`);
      assert.equal(stage.jobs().length, 2);
      assert.equal(stage.pods().length, 1);
    });
  }

  test("says which field of the Job the API server does not take", async () => {
    await using stage = await startStage({ start });
    stage.kube.create(TEST_TASKS, NAMESPACE, {
      metadata: { name: "unit" },
      spec: { template: { spec: { containers: [{ name: "test", image: "a" }, { name: "db" }] } } },
    });
    const answer = await answerOf(await stage.submit("unit"));
    assert.equal(answer.result, "CONFIG_ERROR - spec.template.spec.containers[1].image - Required value");
  });
});
