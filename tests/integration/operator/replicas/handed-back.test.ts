import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StoredObject } from "../../../support/fake-kube/resource-rules.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { adminStatus } from "../../../support/gearman/gearman-server.ts";
import type { SubmittedBuild } from "../../gearman/worker/link-harness.ts";
import { answerOf, dataOf, numberOf, type StagedReplica, startStage } from "../stage.ts";
import { gearmand, handOver, requestOf } from "./replica-stage.ts";

const IN_LINE = "lets a build wait for a slot, as the request of another one may be behind it";
const WAITING = ["b", "c", "d"];

/** As Zuul asks for a build of one change; `attempt` differs with each launch. */
function change(name: string, attempt = 1): object {
  const hex = Buffer.from(name.padEnd(16, "0")).toString("hex");
  return { ZUUL_UUID: `${name}-${attempt}`, LOG_PATH: `${name}/${attempt}`, ZUUL_REF: `refs/zuul/master/Z${hex}` };
}

/**
 * A holder whose full task `unit` runs one build and, since its link was reset, holds the requests of three more in line; that runs one build of
 * another lane, too; and a standby. Tests run until they are let go by their number.
 */
async function startWithLine(start: typeof gearmand | typeof startGeard) {
  const ends = new Map<string, () => void>();
  let [running, most] = [0, 0];
  const script = ({ metadata: { name } }: StoredObject) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    ends.set(name, resolve);
    if (!name.startsWith("unit-")) return { finished: promise };
    running += 1;
    most = Math.max(most, running);
    return {
      finished: promise.then(() => {
        running -= 1;
      }),
    };
  };
  const stage = await startStage({ start, proxiesApi: true, tasks: { unit: { maxConcurrent: 1 }, other: {} }, script });
  const holder = stage.replicas[0] as StagedReplica;
  const standby = await stage.startReplica();
  const submit = async (name: string, attempt = 1) => {
    const build = await stage.submit("unit", { parameters: change(name, attempt) });
    await build.handle;
    return build;
  };
  let first = await submit("a");
  const number = await numberOf(first);
  await stage.running(number);
  const waiting: SubmittedBuild[] = [];
  for (const name of WAITING) waiting.push(await submit(name));
  holder.link.cut();
  for (let count = 0; count < WAITING.length; count += 1) await holder.logged(IN_LINE, count);
  if (start !== gearmand) {
    assert.equal((await answerOf(first)).result, null);
    first = await submit("a", 2);
    await holder.logged("attaches Zuul's relaunch to the build that it is of");
  } else await holder.logged("attaches a request to the build that is under way");
  const other = await stage.submit("other", { parameters: change("o") });
  const otherNumber = await numberOf(other);
  await stage.running(otherNumber);
  return {
    ...{ stage, holder, standby, submit, number, first, waiting, other, otherNumber },
    most: () => most,
    async finish(buildNumber: string) {
      await stage.running(buildNumber);
      ends.get(buildNumber)?.();
    },
  };
}

describe("a replica with requests that wait for a slot, which is the holder no more", () => {
  for (const how of ["told to stop", "cut off from the API server", "cut off from the API server for a while, and alone"] as const) {
    test(`lets gearmand take them back when it is ${how}: the next holder runs each, and none has lost an attempt`, async () => {
      const { holder, standby, number, first, waiting, other, otherNumber, finish, most, ...rest } = await startWithLine(gearmand);
      await using stage = rest.stage;
      const numbers = await Promise.all(waiting.map(numberOf));
      let drained: Promise<number> | undefined;
      let next = standby;
      if (how === "told to stop") ({ drained } = await handOver(holder, standby));
      else {
        if (how.endsWith("alone")) {
          await stage.stopOperator(standby.operator);
          next = holder;
        }
        holder.api.close();
        await holder.logged("takes no more builds");
        if (next === holder) holder.api.open();
        await next.logged("takes builds", next === holder ? 1 : 0);
      }
      // The build that runs was given back with them.
      await next.logged("attaches a request to the build that is under way", next === holder ? 1 : 0);
      const { workers = 0 } = (await adminStatus(stage.server.address)).get("build:unit") ?? {};
      assert.ok(workers >= stage.replicas.length, "all have it registered");
      assert.equal(requestOf(stage, otherNumber).replica, holder.name, "another lane is as before");
      await finish(number);
      const answers = [first, ...waiting].map(answerOf);
      const left = new Set(numbers);
      while (left.size > 0) {
        const begun = () => [...left].find((each) => stage.jobs().some(({ metadata }) => metadata.name === each));
        const one = await stage.until(begun, "the next Job");
        left.delete(one);
        await finish(one);
      }
      for (const { result } of await Promise.all(answers)) assert.equal(result, "SUCCESS");
      // Zuul keeps to the first number and manager that it is told.
      for (const build of [first, ...waiting]) assert.equal(new Set(dataOf(build).map((data) => `${data.number} ${data.manager}`)).size, 1);
      holder.api.open();
      await finish(otherNumber);
      if (!drained) await stage.skip(31_000);
      assert.equal((await answerOf(other)).result, "SUCCESS");
      await drained;
      assert.deepEqual([stage.pods().length, stage.jobs().length, most()], [5, 5, 1]);
    });
  }

  test("fails them on geard, which takes nothing back, and keeps the one that runs", async () => {
    const { holder, standby, submit, number, first, waiting, other, otherNumber, finish, most, ...rest } = await startWithLine(startGeard);
    await using stage = rest.stage;
    const { drained } = await handOver(holder, standby);
    for (const build of waiting) assert.equal((await answerOf(build)).result, null);
    assert.equal(requestOf(stage, number).replica, holder.name);
    const again: SubmittedBuild[] = [];
    for (const name of WAITING) again.push(await submit(name, 2));
    for (const each of [number, otherNumber]) await finish(each);
    for (const build of [first, other]) assert.equal((await answerOf(build)).result, "SUCCESS");
    await drained;
    for (const build of again) {
      const next = await numberOf(build);
      await finish(next);
      assert.equal((await answerOf(build)).result, "SUCCESS");
    }
    assert.deepEqual([stage.pods().length, most()], [5, 1]);
  });
});
