import assert from "node:assert/strict";
import { test } from "node:test";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, numberOf, type Stage, startStage } from "../stage.ts";

const DATASETS = ["one", "two"].map((name) => ({ name, configMap: { name } }));

/** Cuts the operator off at the `moment`th change of a Job or pod that is not of an `earlier` build; `reached` resolves when that has come. */
function armKill(stage: Stage, earlier: readonly string[], moment: number): { reached: Promise<true>; disarm(): void } {
  const { promise: reached, resolve: reach } = Promise.withResolvers<true>();
  const faults: { stop(): void }[] = [];
  let count = 0;
  const leave = stage.kube.subscribe(({ rules, object }) => {
    const isOfBuild = ["jobs", "pods"].includes(rules.plural) && !earlier.some((number) => object.metadata.name.startsWith(number));
    if (!isOfBuild || ++count !== moment) return;
    // Nothing that it does from now on reaches anybody.
    stage.link.cut();
    for (const resource of ["jobs", "pods"]) faults.push(stage.kube.misbehave({ resource }, { kind: "drop" }, Number.POSITIVE_INFINITY));
    reach(true);
  });
  return {
    reached,
    disarm() {
      leave();
      for (const fault of faults) fault.stop();
    },
  };
}

/**
 * Waits until all of it is written down, and lets time pass meanwhile: the killed one may have answered, and then nobody asks the next one, which
 * waits two minutes for that.
 */
async function recorded(stage: Stage, number: string): Promise<void> {
  let isWritten = false;
  const written = Promise.all([...DATASETS.keys()].map((index) => stage.recorded(`${number}-${index}`))).finally(() => {
    isWritten = true;
  });
  while (!isWritten) await stage.skip(5_000);
  await written;
}

test("a build over two datasets whose operator is killed at any moment is run once, and leaves no Job that nobody writes down", async (t) => {
  await using stage = await startStage({ start: () => startGearmand(), tasks: { unit: { datasets: DATASETS } } });
  const earlier: string[] = [];
  for (let isKilled = true; isKilled; ) {
    const moment = earlier.length + 1;
    const kill = armKill(stage, earlier, moment);
    const build = await stage.submit("unit", { parameters: { ZUUL_UUID: `uuid-${moment}` } });
    isKilled = await Promise.race([kill.reached, build.end().then(() => false)]);
    if (isKilled) {
      const before = stage.log.items.filter(({ message }) => message === "takes builds").length;
      await stage.stopOperator();
      kill.disarm();
      await stage.startOperator();
      await stage.logged("takes builds", before);
    }
    kill.disarm();
    assert.equal((await answerOf(build)).result, "SUCCESS", `killed at change ${moment}`);
    const number = await numberOf(build);
    earlier.push(number);
    await recorded(stage, number);
    const jobs = stage.jobs().filter(({ metadata }) => metadata.name.startsWith(number));
    const lead = jobs.find(({ metadata }) => metadata.ownerReferences === undefined);
    const owners = jobs.flatMap(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? []);
    assert.deepEqual([jobs.length, owners], [2, [lead?.metadata.uid]], "the lead, and the other, which goes with it");
    const pods = stage.pods().filter(({ metadata }) => metadata.name.startsWith(number));
    assert.deepEqual([pods.length, new Set(pods.map(({ status }) => status?.phase))], [2, new Set(["Succeeded"])]);
  }
  t.diagnostic(`killed ${earlier.length - 1} times`);
  assert.ok(earlier.length > 8);
});
