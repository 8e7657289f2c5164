import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PACKET } from "../../../src/gearman/wire/packet.ts";
import { TEST_TASKS } from "../../../src/kube/client/resource.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { untilStatus } from "../gearman/worker/link-harness.ts";
import { answerOf, dataOf, NAMESPACE, numberOf, recordOf, type Stage, startStage } from "./stage.ts";

const UNCLAIMED_MS = 121_000;
/** Registrar, manager and lane, before the link was cut and after it. */
const OPENED_AGAIN = 6;
const gearmand = () => startGearmand();
const geard = () => startGeard();

/** A build whose test runs until `finish` is called, on a stage of its own. */
async function startRunning(start: () => ReturnType<typeof startGearmand>, parameters: object = {}, config: object = {}) {
  const finished = Promise.withResolvers<void>();
  const stage = await startStage({ start, config, tasks: { unit: {} }, script: () => ({ finished: finished.promise }) });
  const unique = crypto.randomUUID().replaceAll("-", "");
  const build = await stage.submit("unit", { unique, parameters });
  const number = await numberOf(build);
  await stage.running(number);
  // A build may run before the server has told on another connection that it knows all functions: a link that is lost then was no link.
  await stage.logged("registered at the gearman server");
  return { stage, build, number, unique, finish: () => finished.resolve() };
}

/** A request as Zuul makes it for a change; `attempt` differs with each launch. */
function changeBuild(attempt: number): object {
  return {
    ZUUL_UUID: `uuid-${attempt}`,
    LOG_PATH: `1/1/check/unit/${attempt}`,
    ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}`,
    ZUUL_COMMIT: "c0ffee",
  };
}

/** Plays two minutes in which nobody asks, after the link was cut: they count from when the new lane asks the server. */
async function nobodyAsks(stage: Stage): Promise<void> {
  await stage.logged("registered at the gearman server", 1);
  await stage.logged("opened a connection", OPENED_AGAIN - 1);
  await stage.skip(UNCLAIMED_MS + 20_000);
}

/** Cuts all links as soon as the operator sends a packet of this type; `before` it has left, or once the server's client has its answer. */
function cutAt(stage: Stage, type: number, after?: Promise<unknown>): Promise<void> {
  const cut = Promise.withResolvers<void>();
  const magic = Buffer.from([0, 0x52, 0x45, 0x51, 0, 0, 0, type]);
  stage.link.onChunk = (chunk, from) => {
    if (from !== "client" || !chunk.includes(magic)) return;
    stage.link.onChunk = undefined;
    if (after === undefined) {
      stage.link.cut();
      cut.resolve();
    } else {
      // What the server says to it stays on the way until then.
      stage.link.hold("server");
      void after.then(() => {
        stage.link.cut();
        cut.resolve();
      });
    }
  };
  return cut.promise;
}

describe("a build whose link is lost", () => {
  test("on gearmand goes on, and its requeued request is answered by the same Job", async () => {
    const { build, number, finish, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    stage.link.cut();
    await stage.logged("attaches a request to the build that is under way");
    finish();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual([...new Set(dataOf(build).map((data) => data.number))], [number]);
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  test("on geard fails there without a result, and Zuul's relaunch of the change is answered by the same Job", async () => {
    const { build, number, finish, ...rest } = await startRunning(geard, changeBuild(1));
    await using stage = rest.stage;
    stage.link.cut();
    assert.equal((await answerOf(build)).result, null);
    const relaunch = await stage.submit("unit", { parameters: changeBuild(2) });
    assert.equal(await numberOf(relaunch), number);
    finish();
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
    const job = await stage.recorded(number);
    assert.equal(recordOf(job).isDelivered, true);
    assert.equal(JSON.parse(job.metadata.annotations?.["turbo-hipster.io/request"] ?? "").logPath, "1/1/check/unit/2");
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  test("on geard is run anew for a request that is no relaunch of a change, and the old one ends after two minutes", async () => {
    const { build, number, finish, ...rest } = await startRunning(geard, { ZUUL_REF: "refs/heads/master" });
    await using stage = rest.stage;
    stage.link.cut();
    assert.equal((await answerOf(build)).result, null);
    const again = await stage.submit("unit", { parameters: { ZUUL_REF: "refs/heads/master" } });
    const other = await numberOf(again);
    assert.notEqual(other, number);
    await stage.running(other);
    await nobodyAsks(stage);
    const job = await stage.recorded(number);
    assert.deepEqual(recordOf(job), { rule: "unclaimed", result: null, isDelivered: false });
    finish();
    assert.equal((await answerOf(again)).result, "SUCCESS");
  });

  test("on geard is ended at once when Zuul's relaunch differs in a parameter, which the log names", async () => {
    const { build, number, finish, ...rest } = await startRunning(geard, { ...changeBuild(1), STAMP: "17:01", KEPT: "1" });
    await using stage = rest.stage;
    stage.link.cut();
    assert.equal((await answerOf(build)).result, null);
    const relaunch = await stage.submit("unit", { parameters: { ...changeBuild(2), STAMP: "17:04", KEPT: "1", NEW: null } });
    const other = await numberOf(relaunch);
    assert.notEqual(other, number);
    const line = await stage.logged("ends a build that Zuul has launched again: the relaunch cannot have its Job");
    assert.deepEqual([line.fields.build, line.fields.relaunch, line.fields.parameters], [number, other, ["NEW", "STAMP"]]);
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
    await stage.running(other);
    finish();
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
  });

  test("on geard is ended at once when its TestTask was edited before Zuul's relaunch; so is one of the operator before", async () => {
    const { build, number, finish, ...rest } = await startRunning(geard, changeBuild(1));
    await using stage = rest.stage;
    await stage.stopOperator();
    assert.equal((await answerOf(build)).result, null);
    stage.kube.patch(TEST_TASKS, NAMESPACE, "unit", { spec: { image: "test:2" } });
    await stage.startOperator();
    const relaunch = await stage.submit("unit", { parameters: changeBuild(2) });
    const line = await stage.logged("ends a build that Zuul has launched again: the relaunch cannot have its Job");
    assert.deepEqual([line.fields.build, line.fields.parameters], [number, []]);
    await stage.logged("finds another replica gone");
    const pod = () => stage.pods().find(({ metadata }) => metadata.labels?.["job-name"] === number);
    await stage.until(() => pod()?.spec.activeDeadlineSeconds === 1, "the end of its pod");
    finish();
    assert.equal((await answerOf(relaunch)).result, "SUCCESS");
  });

  test("just before the server has read the answer is answered once more, and the client has one answer", async () => {
    const { build, number, finish, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    const cut = cutAt(stage, PACKET.WORK_COMPLETE);
    finish();
    await cut;
    assert.equal((await build.end()).kind, "complete");
    assert.equal(dataOf(build).at(-1)?.result, "SUCCESS");
    assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
    assert.equal(stage.pods().length, 1);
  });

  test("just after the server has read the answer is recorded as not delivered when nobody asks again", async () => {
    const { build, number, unique, finish, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    const cut = cutAt(stage, PACKET.WORK_COMPLETE, build.end());
    finish();
    await cut;
    assert.equal((await answerOf(build)).result, "SUCCESS");
    await stage.logged("lost the link to whoever asked for the build");
    await nobodyAsks(stage);
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "exit-0", result: "SUCCESS", isDelivered: false });
    // Whoever uses its unique again has another handle, which tells that the server had read the answer.
    assert.equal((await answerOf(await stage.submit("unit", { unique }))).result, "SUCCESS");
    assert.equal(stage.pods().length, 2);
  });

  test("while the Job cannot be made yet is claimed again, and made once", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    const fault = stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    await stage.logged("retries to create the Job");
    stage.link.cut();
    await stage.logged("attaches a request to the build that is under way");
    fault.stop();
    assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
  });

  test("and that nobody claims before its Job could be made never becomes a Job", async () => {
    await using stage = await startStage({ start: geard, tasks: { unit: {} } });
    const fault = stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
    const build = await stage.submit("unit");
    await numberOf(build);
    await stage.logged("retries to create the Job");
    await stage.logged("registered at the gearman server");
    stage.link.cut();
    assert.equal((await answerOf(build)).result, null);
    await stage.logged("lost the link to whoever asked for the build");
    await nobodyAsks(stage);
    const judged = await stage.logged("judged the build");
    assert.equal(judged.fields.rule, "unclaimed");
    fault.stop();
    await stage.skip(UNCLAIMED_MS);
    await stage.logged("recorded the build");
    assert.deepEqual(stage.jobs(), []);
  });

  test("while its task is at its limit runs to its end, and is answered when its request comes through", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await startStage({
      start: gearmand,
      tasks: { unit: { maxConcurrent: 1 } },
      script: () => ({ finished: finished.promise }),
    });
    const build = await stage.submit("unit");
    const number = await numberOf(build);
    await stage.running(number);
    // Ahead of the requeued request, and no room for either.
    const other = await stage.submit("unit");
    await other.handle;
    await stage.logged("registered at the gearman server");
    stage.link.cut();
    await stage.logged("lost the link to whoever asked for the build");
    await stage.logged("registered at the gearman server", 1);
    await stage.skip(10 * 60_000);
    assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds > 1, true);
    finished.resolve();
    assert.deepEqual([(await answerOf(build)).result, (await answerOf(other)).result], ["SUCCESS", "SUCCESS"]);
    assert.equal(stage.pods().length, 2);
  });

  test("on geard is ended when nobody asks for it, though a TestTask comes every half minute and links are lost", async () => {
    const { build, number, ...rest } = await startRunning(geard, changeBuild(1));
    await using stage = rest.stage;
    stage.link.cut();
    assert.equal((await answerOf(build)).result, null);
    await stage.logged("registered at the gearman server", 1);
    for (let count = 0; count < 4; count += 1) {
      stage.task(`other-${count}`);
      await untilStatus(stage.server, (status) => status.has(`build:other-${count}`));
      const links = stage.log.items.filter(({ message }) => message === "registered at the gearman server").length;
      if (count === 2) {
        stage.link.cut();
        await stage.logged("registered at the gearman server", links);
      }
      await stage.skip(30_000);
    }
    await stage.skip(20_000);
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
  });

  test("is kept while its server is away, for a quarter of an hour", async () => {
    const { number, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    stage.link.close();
    await stage.logged("lost the link to whoever asked for the build");
    await stage.skip(14 * 60_000);
    assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds > 1, true);
    await stage.skip(60_000);
    await stage.until(() => stage.pods()[0]?.spec.activeDeadlineSeconds === 1, "the end of its pod");
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
    stage.link.open();
  });

  test("is ended when its server has been back for two minutes and nobody claims it", async () => {
    const { number, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    stage.link.close();
    await stage.logged("lost the link to whoever asked for the build");
    await stage.skip(5 * 60_000);
    await stage.server.restart();
    const lanes = () => stage.log.items.filter(({ message, fields }) => message === "opened a connection" && fields.role === "lane/shared");
    const before = lanes().length;
    const registered = stage.logged("registered at the gearman server", 1);
    stage.link.open();
    await stage.skip(3000);
    await registered;
    // Without a lane nobody can ask for it, and its two minutes have not begun.
    await stage.until(() => lanes().length > before, "the lane's connection");
    await stage.skip(UNCLAIMED_MS - 10_000);
    assert.equal(stage.pods()[0]?.spec.activeDeadlineSeconds > 1, true);
    await stage.skip(12_000);
    await stage.until(() => stage.pods()[0]?.spec.activeDeadlineSeconds === 1, "the end of its pod");
    assert.deepEqual(recordOf(await stage.recorded(number)), { rule: "unclaimed", result: null, isDelivered: false });
  });

  test("and whose server comes back empty is answered by the same Job when the same request comes again", async () => {
    const { build, unique, finish, ...rest } = await startRunning(gearmand);
    await using stage = rest.stage;
    await stage.server.restart();
    assert.equal((await build.end()).kind, "lost");
    const again = await stage.submit("unit", { unique });
    await stage.logged("attaches a request to the build that is under way");
    finish();
    assert.equal((await answerOf(again)).result, "SUCCESS");
    assert.equal(stage.pods().length, 1);
  });

  for (const [name, change] of [
    ["deleted", (stage: Stage) => stage.untask("unit")],
    [
      "replaced by one of another name",
      (stage: Stage) => {
        stage.untask("unit");
        stage.task("renamed", { jobs: ["unit"] });
      },
    ],
  ] as const) {
    test(`is claimed again although its TestTask was ${name} meanwhile`, async () => {
      const { build, number, finish, ...rest } = await startRunning(gearmand);
      await using stage = rest.stage;
      change(stage);
      stage.link.cut();
      await stage.logged("lost the link to whoever asked for the build");
      finish();
      assert.equal((await answerOf(build)).result, "SUCCESS");
      assert.equal(recordOf(await stage.recorded(number)).isDelivered, true);
      assert.deepEqual([stage.jobs().length, stage.pods().length], [1, 1]);
    });
  }
});

describe("two requests of one unique", () => {
  for (const [kind, start] of [
    ["gearmand", gearmand],
    ["geard", geard],
  ] as const) {
    test(`are both answered through ${kind}, and run once`, async () => {
      const { build, unique, finish, ...rest } = await startRunning(start);
      await using stage = rest.stage;
      const second = await stage.submit("unit", { unique });
      await second.handle;
      if (kind === "geard") await numberOf(second);
      finish();
      const ends = [(await build.end()).kind, (await second.end()).kind];
      assert.ok(ends.includes("complete"), `one of them has the result: ${ends}`);
      assert.equal(stage.pods().length, 1);
    });
  }
});
