import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EVENTS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberOf, type Stage, startStage } from "../stage.ts";

const start = () => startGearmand();
const DRY_RUN = { verb: "create", dryRun: true } as const;

function dryRuns(stage: Stage): string[] {
  return stage.kube.calls
    .filter(({ verb, query }) => verb === "create" && query.get("dryRun") === "All")
    .map(({ resource, name }) => `${resource} ${name}`);
}

/** The condition TemplateValid once the task was reviewed and it has this status; waiting times of the operator are skipped meanwhile. */
async function templateValid(stage: Stage, name: string, status: string, generation = 1): Promise<{ reason: string; message: string }> {
  const leave = stage.clock.onSchedule((delayMs) => {
    if (delayMs > 400 && delayMs <= 5000) setImmediate(() => stage.clock.skip(delayMs));
  });
  stage.clock.skip(5000);
  const find = () =>
    stage.kube
      .find(TEST_TASKS, NAMESPACE, name)
      ?.status?.conditions?.find(
        (each: { type: string; status: string; reason: string; observedGeneration: number }) =>
          each.type === "TemplateValid" &&
          each.status === status &&
          each.reason !== "ReviewPending" &&
          each.observedGeneration === generation,
      );
  return stage.until(find, `TemplateValid=${status} of ${name}`).finally(leave);
}

describe("the review of a TestTask", () => {
  test("asks once for each generation, not again when builds and statuses come and go", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    await templateValid(stage, "unit", "True");
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await stage.recorded(await numberOf(build));
    stage.kube.patchStatus(TEST_TASKS, NAMESPACE, "unit", { active: 7 });
    assert.deepEqual(dryRuns(stage), ["jobs unit-template-review", "pods unit-template-review"]);
    stage.kube.patch(TEST_TASKS, NAMESPACE, "unit", { spec: { nodeLabels: [{ name: "large" }] } });
    await templateValid(stage, "unit", "True", 2);
    assert.equal(dryRuns(stage).length, 5);
  });

  test("stores nothing", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} } });
    await templateValid(stage, "unit", "True");
    assert.deepEqual([stage.jobs(), stage.pods()], [[], []]);
  });

  test("that the API server does not answer leaves it unknown, and the task ready; it is told later", async () => {
    await using stage = await startStage({ start, startsOperator: false });
    const fault = stage.kube.misbehave(DRY_RUN, { kind: "status", code: 500, message: "webhook down" }, Number.POSITIVE_INFINITY);
    stage.task("unit");
    await stage.startOperator();
    const { reason, message } = await templateValid(stage, "unit", "Unknown");
    assert.deepEqual([reason, message.includes("webhook down")], ["ReviewFailed", true]);
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    fault.stop();
    await templateValid(stage, "unit", "True");
  });

  const unknown: [string, string, number][] = [
    [
      "the operator's right is missing",
      'pods is forbidden: User "x" cannot create resource "pods" in API group "" in the namespace "ci"',
      403,
    ],
    ["a webhook cannot be asked", 'admission webhook "x" does not support dry run', 400],
    ["the API server is busy", "slow down", 429],
  ];
  for (const [name, message, code] of unknown) {
    test(`says nothing against the task when ${name}`, async () => {
      await using stage = await startStage({ start, startsOperator: false });
      stage.kube.misbehave(DRY_RUN, { kind: "status", code, reason: code === 403 ? "Forbidden" : "BadRequest", message }, 1000);
      stage.task("unit");
      await stage.startOperator();
      assert.ok((await templateValid(stage, "unit", "Unknown")).message.includes(message));
    });
  }

  test("says nothing against the task when a quota is used up", async () => {
    await using stage = await startStage({ start, startsOperator: false });
    const message = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5';
    const fault = stage.kube.misbehave({ ...DRY_RUN, resource: "pods" }, { kind: "status", code: 403, reason: "Forbidden", message }, 1);
    stage.task("unit");
    await stage.startOperator();
    await templateValid(stage, "unit", "True");
    assert.equal(fault.struck, 1);
  });

  test("that ends in a refusal is told in an event, once, also after a restart of the operator", async () => {
    await using stage = await startStage({ start, startsOperator: false });
    const refusal = { kind: "status", code: 403, reason: "Forbidden", message: 'pods "x" is forbidden: violates PodSecurity' } as const;
    stage.kube.misbehave({ ...DRY_RUN, resource: "pods" }, refusal, Number.POSITIVE_INFINITY);
    stage.task("unit");
    const events = () =>
      stage.kube
        .list(EVENTS, NAMESPACE)
        .map(({ involvedObject, type, reason, message, count }) => `${involvedObject.name}: ${type} ${reason} ${message} x${count}`);
    const written = stage.kube.nextCall({ verb: "create", resource: "events" }, "answered");
    await stage.startOperator();
    await templateValid(stage, "unit", "False");
    await written;
    await stage.stopOperator();
    const asked = stage.kube.nextCall({ ...DRY_RUN, resource: "pods" }, "answered");
    await stage.startOperator();
    await asked;
    // Its own event comes after whatever would be said of the first task.
    stage.task("younger", { jobs: ["unit"] });
    await stage.until(() => events().some((event) => event.includes("FunctionConflict")), "the event about the conflict");
    assert.deepEqual(
      events().filter((event) => event.startsWith("unit: Warning")),
      ["unit: Warning TemplateRefused the API server refuses its Pod: violates PodSecurity x1"],
    );
  });

  test("keeps no build waiting: events and reviews that hang do not hold the operator's other work", async () => {
    await using stage = await startStage({ start, startsOperator: false });
    stage.kube.misbehave(DRY_RUN, { kind: "hang" }, Number.POSITIVE_INFINITY);
    stage.kube.misbehave({ resource: "events" }, { kind: "hang" }, Number.POSITIVE_INFINITY);
    stage.task("unit");
    await stage.startOperator();
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
  });
});

describe("a build of another pipeline", () => {
  test("is refused, and makes one event with a count however often it comes", async () => {
    await using stage = await startStage({ start, tasks: { unit: { pipelines: ["gate"] } } });
    const written = stage.kube.nextCall({ verb: "create", resource: "events" }, "answered");
    for (let index = 0; index < 5; index += 1) {
      const { result } = await answerOf(await stage.submit("unit", { parameters: { ZUUL_PIPELINE: "check" } }));
      assert.equal(result, "CONFIG_ERROR - pipeline check is none of those that TestTask unit takes builds of");
    }
    await written;
    const repeated = stage.kube.nextCall({ verb: "patch", resource: "events" }, "answered");
    stage.clock.skip(61_000);
    await repeated;
    const refusals = stage.kube.list(EVENTS, NAMESPACE).filter(({ reason }) => reason === "BuildRefused");
    assert.deepEqual(
      refusals.map(({ count, involvedObject }) => [count, involvedObject.name]),
      [[5, "unit"]],
    );
    assert.deepEqual(stage.jobs(), []);
    assert.equal((await answerOf(await stage.submit("unit", { parameters: { ZUUL_PIPELINE: "gate" } }))).result, "SUCCESS");
  });

  test("that was accepted before an edit is not touched by it", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
    const build = await stage.submit("unit", { parameters: { ZUUL_PIPELINE: "check" } });
    await stage.running(await numberOf(build));
    const asked = stage.kube.nextCall(DRY_RUN, "answered");
    stage.kube.patch(TEST_TASKS, NAMESPACE, "unit", { spec: { pipelines: ["gate"] } });
    await asked;
    finished.resolve();
    assert.equal((await answerOf(build)).result, "SUCCESS");
  });
});
