import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DATASET_LABEL } from "../../../../src/core/kubernetes/labels.ts";
import { PODS } from "../../../../src/kube/client/resource.ts";
import type { PodScript } from "../../../support/fake-kube/play-node.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, numberOf, recordOf, type Stage, startStage } from "../stage.ts";

const NAMES = ["one", "two", "three", "four", "five"] as const;
type Name = (typeof NAMES)[number];
const DATASETS = NAMES.map((name) => ({ name, configMap: { name } }));
const SERVERS = [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const;

/** As Zuul sends it; `launch` differs with each launch of one build. */
const change = (launch: number) => ({
  ZUUL_UUID: `uuid-${launch}`,
  LOG_PATH: `1/1/check/unit/${launch}`,
  ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}`,
});

/** A build's tests end when this is told, each by its own exit code. */
async function startDatasets(start: (typeof SERVERS)[number][1], codes: Partial<Record<Name, number>> = {}) {
  const finishes = new Map(NAMES.map((name) => [name, Promise.withResolvers<void>()]));
  const script = (job: { metadata: { labels?: Record<string, string> } }): PodScript => {
    const name = job.metadata.labels?.[DATASET_LABEL] as Name;
    return { exitCode: codes[name] ?? 0, finished: finishes.get(name)?.promise ?? Promise.resolve() };
  };
  const stage = await startStage({ start, tasks: { unit: { datasets: DATASETS } }, script });
  const finish = (...names: readonly Name[]) => names.forEach((name) => void finishes.get(name)?.resolve());
  return { stage, finish };
}

const datasetsOf = (stage: Stage) => stage.pods().map(({ metadata }) => metadata.labels?.[DATASET_LABEL]);

/** Waits until all five run. */
async function allRunning(stage: Stage, number: string): Promise<void> {
  for (const index of NAMES.keys()) await stage.running(`${number}-${index}`);
}

async function verdictOf(stage: Stage, number: string, index: number): Promise<unknown> {
  return recordOf(await stage.recorded(`${number}-${index}`)).result;
}

async function startNext(stage: Stage): Promise<void> {
  const before = stage.log.items.filter(({ message }) => message === "takes builds").length;
  await stage.startOperator();
  await stage.logged("takes builds", before);
}

for (const [server, start] of SERVERS) {
  describe(`on ${server}, a build over five datasets`, () => {
    test("has one answer, the worst member's, when all have ended", async () => {
      const { stage, finish } = await startDatasets(start, { four: 1, five: 3 });
      await using _ = stage;
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      await allRunning(stage, number);
      finish("five", "one");
      await stage.until(
        () => recordOf(stage.jobs().find(({ metadata }) => metadata.name === `${number}-4`) ?? assert.fail()).rule,
        "a verdict",
      );
      finish("two", "three", "four");
      assert.equal((await answerOf(build)).result, "FAILURE (four, 2 of 5 datasets failed)");
      const results = await Promise.all([...NAMES.keys()].map((index) => verdictOf(stage, number, index)));
      assert.deepEqual(results, ["SUCCESS", "SUCCESS", "SUCCESS", "FAILURE", "FAILURE"]);
      assert.deepEqual([stage.jobs().length, stage.pods().length], [5, 5]);
    });

    test("whose operator is killed in the middle is gone on with by the next one: five verdicts, each run once", async () => {
      const { stage, finish } = await startDatasets(start, { two: 1 });
      await using _ = stage;
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      await allRunning(stage, number);
      finish("one", "two");
      await stage.reached("exited", 2);
      // Nothing that it would do when it is told to stop reaches anybody any more.
      stage.link.cut();
      await stage.stopOperator();
      finish("three");
      await startNext(stage);
      const asked = server === "geard" ? await stage.submit("unit", { parameters: change(2) }) : build;
      if (server === "geard") assert.equal((await answerOf(build)).result, null);
      await stage.logged(
        server === "geard" ? "attaches Zuul's relaunch to the build that it is of" : "attaches a request to the build that is under way",
      );
      finish("four", "five");
      assert.equal((await answerOf(asked)).result, "FAILURE (two, 1 of 5 datasets failed)");
      const results = await Promise.all([...NAMES.keys()].map((index) => verdictOf(stage, number, index)));
      assert.deepEqual(results, ["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"]);
      assert.deepEqual([stage.jobs().length, stage.pods().length, new Set(datasetsOf(stage))], [5, 5, new Set(NAMES)]);
    });

    test("is ended by Zuul's stop, all of it", async () => {
      const { stage, finish } = await startDatasets(start);
      await using _ = stage;
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      await allRunning(stage, number);
      finish("one");
      await stage.reached("exited");
      await stage.stop(number);
      assert.equal((await answerOf(build)).result, "ABORTED");
      const results = await Promise.all([...NAMES.keys()].map((index) => verdictOf(stage, number, index)));
      assert.deepEqual(results, ["SUCCESS", ...Array.from({ length: 4 }, () => "ABORTED")]);
      assert.ok(stage.pods().every(({ status }) => status?.phase !== "Running"));
    });

    test("one of which is lost has no result, and Zuul's relaunch runs that one alone", async () => {
      const { stage, finish } = await startDatasets(start, { five: 1 });
      await using _ = stage;
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      await allRunning(stage, number);
      const lost = stage.pods().find(({ metadata }) => metadata.labels?.[DATASET_LABEL] === "three");
      stage.kube.delete(PODS, NAMESPACE, lost?.metadata.name ?? "");
      finish("one", "two", "four", "five");
      assert.equal((await answerOf(build)).result, null);
      await stage.recorded(`${number}-0`);
      finish("three");
      const relaunch = await stage.submit("unit", { parameters: change(2) });
      const again = await numberOf(relaunch);
      assert.equal((await answerOf(relaunch)).result, "FAILURE (five, 1 of 5 datasets failed)");
      const made = stage.jobs().flatMap(({ metadata }) => (metadata.name.startsWith(again) ? [metadata.name] : []));
      assert.deepEqual(made, [`${again}-2`]);
    });

    test("whose link is lost goes on, and is whoever's asks for it again", async () => {
      const { stage, finish } = await startDatasets(start);
      await using _ = stage;
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      await allRunning(stage, number);
      await stage.logged("registered at the gearman server");
      finish("two");
      stage.link.cut();
      if (server === "geard") assert.equal((await answerOf(build)).result, null);
      const asked = server === "geard" ? await stage.submit("unit", { parameters: change(2) }) : build;
      finish(...NAMES);
      assert.equal((await answerOf(asked)).result, "SUCCESS");
      assert.equal(stage.jobs().length, 5);
    });

    test("whose operator ends between the first of its Jobs and the others has them made by the next one", async () => {
      const { stage, finish } = await startDatasets(start);
      await using _ = stage;
      // The API server takes no Jobs but the first.
      let fault: { stop(): void } | undefined;
      const leave = stage.kube.subscribe(() => {
        if (stage.jobs().length === 0) return;
        fault ??= stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
      });
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      await stage.running(`${number}-0`);
      leave();
      await stage.logged("retries to create the Job");
      const made = stage.jobs().length;
      stage.link.cut();
      await stage.stopOperator();
      fault?.stop();
      await startNext(stage);
      if (server === "geard") assert.equal((await answerOf(build)).result, null);
      const asked = server === "geard" ? await stage.submit("unit", { parameters: change(2) }) : build;
      await allRunning(stage, number);
      finish(...NAMES);
      assert.equal((await answerOf(asked)).result, "SUCCESS");
      assert.ok(made < 5, `${made} had been made before`);
      assert.deepEqual([stage.jobs().length, stage.pods().length, new Set(datasetsOf(stage))], [5, 5, new Set(NAMES)]);
    });
  });
}
