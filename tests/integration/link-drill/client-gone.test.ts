import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startGeard } from "../../support/gearman/geard.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { connectTestClient, submitBuild } from "../gearman/worker/link-harness.ts";
import { answerOf, numberOf, recordOf, startStage } from "../operator/stage.ts";

/** A build that runs until `finish`, whose client goes without a word. */
async function startAbandoned(start: () => Promise<GearmanServer>, clientGoneAfter: string) {
  const finished = Promise.withResolvers<void>();
  const stage = await startStage({
    start,
    startsOperator: false,
    tasks: { unit: {} },
    script: () => ({ finished: finished.promise }),
  });
  await stage.startOperator({ gearman: { servers: [stage.link.address], clientGoneAfter } });
  await stage.operator.ready();
  const client = await connectTestClient(stage.server);
  const build = submitBuild(client, "build:unit", "unique-1", JSON.stringify(launchParameters(1)));
  const number = await numberOf(build);
  await stage.running(number);
  await client.stop();
  return { stage, number, finish: () => finished.resolve() };
}

/** Of a change's build, as Zuul launches it for the `attempt`th time. */
function launchParameters(attempt: number): object {
  return { ZUUL_UUID: `uuid-${attempt}`, ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}`, ZUUL_COMMIT: "c0ffee" };
}

for (const [kind, start] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const) {
  describe(`a build whose client has left ${kind}`, () => {
    test("is ended when nobody has waited for it for the configured time", async () => {
      const { number, ...rest } = await startAbandoned(start, "1s");
      await using stage = rest.stage;
      await stage.logged("nobody waits for the build at the server any more");
      assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
    });

    test("goes on within that time, and answers Zuul's relaunch", async () => {
      const { number, finish, ...rest } = await startAbandoned(start, "60s");
      await using stage = rest.stage;
      const relaunch = await stage.submit("unit", { parameters: launchParameters(2) });
      assert.equal(await numberOf(relaunch), number);
      finish();
      assert.equal((await answerOf(relaunch)).result, "SUCCESS");
      assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
      assert.equal(stage.pods().length, 1);
    });

    test("and ends then keeps its answer for Zuul's relaunch", async () => {
      const { number, finish, ...rest } = await startAbandoned(start, "60s");
      await using stage = rest.stage;
      finish();
      await stage.logged("recorded the build");
      const relaunch = await stage.submit("unit", { parameters: launchParameters(2) });
      assert.equal((await answerOf(relaunch)).result, "SUCCESS");
      assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
      assert.equal(stage.pods().length, 1);
    });

    test("after its server has read the answer, but before the client has, answers Zuul's relaunch", async () => {
      await using stage = await startStage({ start, tasks: { unit: {} } });
      const build = await stage.submit("unit", { parameters: launchParameters(1) });
      const number = await numberOf(build);
      await build.end();
      await stage.recorded(number);
      await stage.logged("recorded the build");
      const relaunch = await stage.submit("unit", { parameters: launchParameters(2) });
      assert.equal(await numberOf(relaunch), number);
      assert.equal((await answerOf(relaunch)).result, "SUCCESS");
      assert.equal(stage.pods().length, 1);
    });
  });
}
