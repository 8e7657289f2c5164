import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EVENTS, JOBS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import type { FaultEffect } from "../../../support/fake-kube/fault-plan.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import type { SubmittedBuild } from "../../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberFor, numberOf, recordOf, type Stage, startStage } from "../stage.ts";

const DENIED = 'admission webhook "policy.example" denied the request';
const CREATE = { verb: "create", resource: "jobs" };
const start = () => startGearmand();
const forbids = (why: string) =>
  ({ kind: "status", code: 403, reason: "Forbidden", message: `jobs.batch "unit-1" is forbidden: ${why}` }) as const;

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
    ["is tried again after a proxy's page of 404", { kind: "page", code: 404, text: "<html>404 Not Found" }, 2],
    ["is tried again after a proxy's page of 403", { kind: "page", code: 403, text: "<html>Forbidden" }, 2],
    ["is tried again after a proxy's page of 400", { kind: "page", code: 400, text: "<html>Bad Request" }, 2],
    ["is tried again while a quota is not counted yet", forbids("status unknown for quota: team, resources: count/jobs.batch"), 3],
    ["is tried again while admission is not ready", forbids("not yet ready to handle request"), 3],
    [
      "is tried again while the namespace is going away",
      forbids("unable to create new content in namespace ci because it is being terminated"),
      3,
    ],
    [
      "is tried again while a policy's parameters can't be read",
      {
        ...forbids("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed to configure binding: no params found"),
        ...{ code: 422, reason: "Invalid" },
      },
      3,
    ],
    [
      "is tried again while the authorizer has not heard of its right",
      forbids('User "x" cannot create resource "jobs" in API group "batch" in the namespace "ci"'),
      3,
    ],
    ["is tried again after a webhook's own error", { kind: "status", code: 500, message: `${DENIED}: it has crashed` }, 2],
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

  const FULL = forbids("exceeded quota: builds, requested: count/jobs.batch=1, used: count/jobs.batch=5, limited: count/jobs.batch=5");
  const always = (stage: Stage, effect: FaultEffect) => stage.kube.misbehave(CREATE, effect, Number.POSITIVE_INFINITY);
  const refusedAgain = (stage: Stage) => stage.kube.nextCall(CREATE, "answered");
  const skipRefusals = async (stage: Stage, times: number) => {
    for (let count = 0; count < times; count += 1) {
      const again = refusedAgain(stage);
      await stage.skip(16_000);
      await again;
    }
  };

  /** In seconds. */
  const skipUntilEnd = async (stage: Stage, build: SubmittedBuild) => {
    for (let seconds = 0; ; seconds += 1) {
      if (build.kinds().some((kind) => kind === "fail" || kind === "complete")) return seconds;
      assert.ok(seconds < 600, "it never ends");
      await stage.skip(1_000);
    }
  };

  test("waits as long as the namespace's quota of Jobs is used up, says so once, and holds a place among what waits", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, config: { maxPending: 1 } });
    const fault = always(stage, FULL);
    const first = refusedAgain(stage);
    const build = await stage.submit("unit");
    await first;
    const waits = await stage.logged("build waits for what may not come");
    assert.deepEqual([waits.fields.rule, /exceeded quota: builds/.test(String(waits.fields.text))], ["quota-full", true]);
    assert.equal((await stage.scrape()).turbo_hipster_pending_builds, 1);
    const told = await stage.until(() => stage.kube.list(EVENTS, NAMESPACE).find(({ reason }) => reason === "QuotaFull"), "the Event");
    assert.match(String(told.message), /^a build waits for room: exceeded quota: builds, requested: count\/jobs\.batch=1, /);
    await skipRefusals(stage, 12);
    const { length } = stage.log.items.filter(({ message }) => message === "build waits for what may not come");
    assert.equal(length, 1);
    fault.stop();
    await stage.skip(16_000);
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });

  test("that a full quota does not let happen within timeouts.schedule is given back to Zuul, in the quota's words", async () => {
    await using stage = await startStage({ start, tasks: { unit: { timeouts: { schedule: "1m" } } } });
    always(stage, FULL);
    const first = refusedAgain(stage);
    const build = await stage.submit("unit");
    await first;
    const seconds = await skipUntilEnd(stage, build);
    assert.ok(seconds >= 59 && seconds < 75, `${seconds} s`);
    assert.equal((await answerOf(build)).result, null);
    const { fields } = await stage.logged("judged the build");
    assert.equal(fields.rule, "schedule-timeout");
    assert.match(String(fields.text), /^no room for its Job in time - exceeded quota: builds, /);
    assert.equal(stage.jobs().length, 0);
  });

  test("that waits for a full quota is stopped at once when Zuul asks", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    always(stage, FULL);
    const first = refusedAgain(stage);
    const build = await stage.submit("unit");
    await first;
    await stage.stop(await numberOf(build));
    assert.equal((await answerOf(build)).result, "ABORTED");
    assert.equal(stage.jobs().length, 0);
  });

  test("makes Jobs that are only kept give way to it, oldest first, not those that ended just now", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    const kept: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      const build = await stage.submit("unit");
      assert.equal((await answerOf(build)).result, "SUCCESS");
      kept.push((await stage.recorded(await numberOf(build))).metadata.name);
      await stage.skip(40_000);
    }
    // As the API server counts: two at most.
    const fault = always(stage, FULL);
    const leave = stage.kube.subscribe(({ rules, type }) => {
      if (rules.plural === "jobs" && type === "DELETED") fault.stop();
    });
    const first = refusedAgain(stage);
    const build = await stage.submit("unit");
    await first;
    await stage.skip(6_000);
    await stage.until(() => stage.jobs().every(({ metadata }) => metadata.name !== kept[0]), "room");
    leave();
    await skipUntilEnd(stage, build);
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual(new Set(stage.jobs().map(({ metadata }) => metadata.name)), new Set([kept[1], await numberOf(build)]));
  });

  test("is given back to Zuul when the operator has no right to it for minutes", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    always(stage, forbids('User "x" cannot create resource "jobs" in API group "batch" in the namespace "ci"'));
    const build = await stage.submit("unit");
    await stage.skipTries("retries to create the Job", 15);
    assert.equal(build.kinds().includes("fail"), false);
    await stage.skip(5 * 60_000);
    assert.equal((await answerOf(build)).result, null);
    const judged = await stage.logged("judged the build");
    assert.equal(judged.fields.rule, "job-not-created");
    assert.match(String(judged.fields.text), /cannot create resource "jobs"/);
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
        // As the API server makes it of a webhook that gives neither (pkg/admission/plugin/webhook/errors/statuserror.go).
        code: 400,
        reason: "",
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
      { kind: "status", code: 404, reason: "NotFound", message: 'namespaces "ci" not found', details: { name: "ci", kind: "namespaces" } },
      "CONFIG_ERROR - namespaces ci not found",
    ],
    [
      "is more than a quota allows at all",
      forbids("exceeded quota: small, requested: requests.storage=2Gi, used: requests.storage=0, limited: requests.storage=1Gi"),
      "CONFIG_ERROR - more than quota small allows - requests.storage 2Gi is requested, the limit is 1Gi",
    ],
    [
      "is too large",
      { kind: "status", code: 413, reason: "RequestEntityTooLarge", message: "Request entity too large: limit is 3145728" },
      "CONFIG_ERROR - Request entity too large - limit is 3145728",
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
