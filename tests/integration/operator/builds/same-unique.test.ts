import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS } from "../../../../src/kube/client/resource.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberFor, numberOf, recordOf, startStage } from "../stage.ts";

const SERVERS = [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const;
const UNIQUE = "check";
/** Longer than a watch may be silent. */
const SILENCE_MS = 151_000;

for (const [kind, start] of SERVERS) {
  describe(`a request whose unique was used before, through ${kind}`, () => {
    test("is a new build each time once the answer before it was delivered, and has the result of its own run", async () => {
      let runs = 0;
      const exitCode = () => (runs++ % 2 === 0 ? 0 : 1);
      await using stage = await startStage({ start, tasks: { probe: {} }, script: () => ({ exitCode: exitCode() }) });
      const results: unknown[] = [];
      for (let count = 0; count < 7; count += 1) {
        const build = await stage.submit("probe", { unique: UNIQUE });
        results.push((await answerOf(build)).result);
      }
      assert.deepEqual(results, ["SUCCESS", "FAILURE", "SUCCESS", "FAILURE", "SUCCESS", "FAILURE", "SUCCESS"]);
      const number = await numberOf(await stage.submit("probe", { unique: UNIQUE }));
      await stage.recorded(`${number}-r7`);
      const suffixes = stage.jobs().map(({ metadata: { name } }) => name.slice(number.length));
      assert.deepEqual(new Set(suffixes), new Set(["", "-r1", "-r2", "-r3", "-r4", "-r5", "-r6", "-r7"]));
      for (const job of stage.jobs()) assert.equal(recordOf(job).isDelivered, true);
    });

    test("is a new build though the end of the one before it cannot be written down yet", async () => {
      await using stage = await startStage({ start, tasks: { unit: {} } });
      const fault = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
      assert.equal((await answerOf(await stage.submit("unit", { unique: UNIQUE }))).result, "SUCCESS");
      await stage.logged("retries to record the build");
      assert.equal((await answerOf(await stage.submit("unit", { unique: UNIQUE }))).result, "SUCCESS");
      assert.equal(stage.pods().length, 2);
      fault.stop();
      await stage.skip(31_000);
      const number = numberFor(stage, UNIQUE);
      for (const name of [number, `${number}-r1`]) assert.equal(recordOf(await stage.recorded(name)).isDelivered, true);
    });

    test("is a new build though the operator ended between the answer and its record", async () => {
      let runs = 0;
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ exitCode: runs++ }) });
      const fault = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
      assert.equal((await answerOf(await stage.submit("unit", { unique: UNIQUE }))).result, "SUCCESS");
      await stage.logged("retries to record the build");
      await stage.stopOperator();
      fault.stop();
      await stage.startOperator();
      assert.equal((await answerOf(await stage.submit("unit", { unique: UNIQUE }))).result, "FAILURE");
      const number = numberFor(stage, UNIQUE);
      const records = [await stage.recorded(number), await stage.recorded(`${number}-r1`)].map(recordOf);
      assert.deepEqual(
        records.map(({ result, isDelivered }) => [result, isDelivered]),
        [
          ["SUCCESS", true],
          ["FAILURE", true],
        ],
      );
    });

    test("is looked after by the next operator, where one ended while it ran and the answer before it was not written down", async () => {
      const finished = Promise.withResolvers<void>();
      let runs = 0;
      const script = () => (runs++ === 0 ? {} : { exitCode: 1, finished: finished.promise });
      await using stage = await startStage({ start, tasks: { unit: {} }, script });
      const fault = stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
      assert.equal((await answerOf(await stage.submit("unit", { unique: UNIQUE }))).result, "SUCCESS");
      await stage.logged("retries to record the build");
      let second = await stage.submit("unit", { unique: UNIQUE });
      const number = await numberOf(second);
      await stage.running(`${number}-r1`);
      await stage.stopOperator();
      fault.stop();
      await stage.startOperator();
      if (kind === "geard") {
        assert.equal((await answerOf(second)).result, null);
        second = await stage.submit("unit", { unique: UNIQUE });
      }
      await stage.logged("attaches a request to the build that is under way");
      finished.resolve();
      assert.equal((await answerOf(second)).result, "FAILURE");
      const records = [await stage.recorded(number), await stage.recorded(`${number}-r1`)].map(recordOf);
      assert.deepEqual(
        records.map(({ result, isDelivered }) => [result, isDelivered]),
        [
          ["SUCCESS", true],
          ["FAILURE", true],
        ],
      );
      assert.equal(stage.pods().length, 2);
    });

    test("and whose parameters are others is a build of its own, any number of them", async () => {
      await using stage = await startStage({ start, tasks: { unit: {} } });
      for (let probe = 1; probe <= 6; probe += 1) {
        const build = await stage.submit("unit", { unique: UNIQUE, parameters: { probe } });
        assert.equal((await answerOf(build)).result, "SUCCESS");
        assert.equal(await numberOf(build), numberFor(stage, UNIQUE, { probe }));
      }
      assert.equal(stage.pods().length, 6);
    });

    test("has the result of its own run though the watches still show the Job and the pod of the one before, which are gone", async () => {
      let runs = 0;
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ exitCode: runs++ }) });
      const first = await stage.submit("unit", { unique: UNIQUE });
      assert.equal((await answerOf(first)).result, "SUCCESS");
      const number = await numberOf(first);
      await stage.recorded(number);
      for (const plural of ["jobs", "pods"]) stage.kube.watches.silence(plural);
      stage.kube.delete(JOBS, NAMESPACE, number);
      const second = await stage.submit("unit", { unique: UNIQUE });
      await stage.until(() => stage.jobs()[0]?.status?.failed === 1, "the end of the second Job");
      assert.equal(await numberOf(second), number);
      await stage.skip(SILENCE_MS);
      assert.equal((await answerOf(second)).result, "FAILURE");
    });

    test("is answered by the operator that takes over, by a run of its own", async () => {
      let runs = 0;
      await using stage = await startStage({ start, tasks: { unit: {} }, script: () => ({ exitCode: runs++ }) });
      const first = await stage.submit("unit", { unique: UNIQUE });
      assert.equal((await answerOf(first)).result, "SUCCESS");
      await stage.recorded(await numberOf(first));
      await stage.stopOperator();
      const second = await stage.submit("unit", { unique: UNIQUE });
      await stage.startOperator();
      assert.equal((await answerOf(second)).result, "FAILURE");
    });
  });
}

describe("two requests of one unique at once, through geard", () => {
  test("with other parameters are two builds, each with its own answer", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({
      start: () => startGeard(),
      tasks: { unit: {} },
      script: () => ({ finished: finished.promise }),
    });
    const builds = [
      await stage.submit("unit", { unique: UNIQUE, parameters: { probe: 1 } }),
      await stage.submit("unit", { unique: UNIQUE, parameters: { probe: 2 } }),
    ];
    for (const build of builds) await stage.running(await numberOf(build));
    finished.resolve();
    for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(stage.pods().length, 2);
  });
});
