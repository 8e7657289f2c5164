import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EVENTS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { untilStatus } from "../../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberOf, type Stage, startStage } from "../stage.ts";

const SERVERS = [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const;

/** Nothing that this version takes; the API server of the stage has no rules, as that of an older version had not this one. */
const BROKEN = { template: { spec: { restartPolicy: "OnFailure", containers: [{ name: "test", image: "test:1" }] } } };
const MENDED = { template: null };
const PROBLEM =
  "spec.template.spec.restartPolicy must be Never or left out: the pod of a build runs once; Zuul has attempts for what is to be tried again";
const RESULT = "CONFIG_ERROR - TestTask unit is invalid - spec.template.spec.restartPolicy must be Never or left out - the pod of a...";

/** Waits until a new connection takes builds of functions without a valid task, or of those with one. */
async function lane(stage: Stage, name: "retired" | "shared", times = 1): Promise<void> {
  await stage.log.until(
    (lines) => lines.filter(({ message, fields }) => message === "opened a connection" && fields.role === `lane/${name}`).length >= times,
  );
}

async function registered(stage: Stage, ...names: string[]): Promise<void> {
  await untilStatus(stage.server, (status) => names.every((name) => (status.get(`build:${name}`)?.workers ?? 0) > 0));
}

describe("a stored TestTask that this version's rules refuse", () => {
  for (const [kind, start] of SERVERS) {
    test(`keeps its jobs known to Zuul, whose builds are told what is wrong with it, over ${kind}`, async () => {
      await using stage = await startStage({
        start,
        tasks: { unit: { jobs: ["unit", "gate"], nodeLabels: [{ name: "large" }], ...BROKEN } },
      });
      await registered(stage, "unit", "unit:large", "gate", "gate:large");
      for (const job of ["unit", "gate:large"]) {
        const build = await stage.submit(job);
        assert.equal((await answerOf(build)).result, RESULT);
        assert.match(await numberOf(build), /^refused-/);
      }
      assert.deepEqual(stage.jobs(), []);
      const { conditions, functions } = await stage.until(() => stage.kube.find(TEST_TASKS, NAMESPACE, "unit")?.status, "its status");
      const [ready, isRegistered] = ["Ready", "Registered"].map((type) => conditions.find((each: { type: string }) => each.type === type));
      assert.deepEqual([ready.status, ready.reason, ready.message], ["False", "Invalid", PROBLEM]);
      assert.deepEqual([isRegistered.status, isRegistered.reason, functions], ["False", "Invalid", []]);
      const refused = await stage.until(
        () => stage.kube.list(EVENTS, NAMESPACE).find(({ reason, message }) => reason === "BuildRefused" && message.includes("gate")),
        "its event",
      );
      assert.equal(refused.message, `refuses a build of gate: TestTask unit is invalid: ${PROBLEM}`);
      const line = await stage.logged("refuses a request");
      assert.deepEqual([line.fields.task, line.fields.rule], ["ci/unit", "invalid-task"]);
    });

    test(`leaves its running build alone, and serves again once it is mended, over ${kind}`, async () => {
      const finished = Promise.withResolvers<void>();
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
      const running = await stage.submit("unit");
      await stage.running(await numberOf(running));
      stage.kube.patch(TEST_TASKS, NAMESPACE, "unit", { spec: BROKEN });
      await lane(stage, "retired");
      assert.equal((await answerOf(await stage.submit("unit"))).result, RESULT);
      finished.resolve();
      assert.equal((await answerOf(running)).result, "SUCCESS");
      stage.kube.patch(TEST_TASKS, NAMESPACE, "unit", { spec: MENDED });
      await lane(stage, "shared", 2);
      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
      assert.equal(stage.jobs().length, 2);
    });
  }

  test("takes no job from a valid one, however old it is, and answers for it when that goes", async () => {
    await using stage = await startStage({ start: () => startGearmand(), tasks: { unit: BROKEN } });
    await lane(stage, "retired");
    stage.task("other", { jobs: ["unit"] });
    await lane(stage, "shared");
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.match(await numberOf(build), /^other-/);
    stage.untask("other");
    await lane(stage, "retired", 2);
    assert.equal((await answerOf(await stage.submit("unit"))).result, RESULT);
  });

  test("leaves its builds waiting while it is suspended, though its name is what is wrong", async () => {
    await using stage = await startStage({ start: () => startGearmand(), tasks: { "unit.old": { jobs: ["unit"], suspend: true } } });
    await registered(stage, "unit");
    const build = await stage.submit("unit");
    stage.task("other", {});
    assert.equal((await answerOf(await stage.submit("other"))).result, "SUCCESS");
    assert.deepEqual(build.kinds(), ["created"]);
    stage.kube.patch(TEST_TASKS, NAMESPACE, "unit.old", { spec: { suspend: false } });
    assert.match((await answerOf(build)).result ?? "", /^CONFIG_ERROR - TestTask unit\.old is invalid - metadata\.name must consist of/);
  });

  test("is answered for after a restart, and when it is deleted as any other", async () => {
    await using stage = await startStage({ start: () => startGearmand(), tasks: { unit: BROKEN } });
    await lane(stage, "retired");
    await stage.stopOperator();
    const build = await stage.submit("unit");
    await stage.startOperator();
    assert.equal((await answerOf(build)).result, RESULT);
    stage.untask("unit");
    await stage.until(() => !stage.kube.find(TEST_TASKS, NAMESPACE, "unit"), "the deletion");
    let result: string | null = RESULT;
    // The operator hears of it a moment later.
    for (let count = 0; result === RESULT && count < 100; count += 1) ({ result } = await answerOf(await stage.submit("unit")));
    assert.equal(result, "CONFIG_ERROR - no TestTask serves this job any more");
  });
});
