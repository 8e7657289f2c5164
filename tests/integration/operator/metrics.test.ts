import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS } from "../../../src/kube/client/resource.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { answerOf, numberOf, type Stage, startStage } from "./stage.ts";

const gearmand = () => startGearmand();
const SECRET = "hunter2-is-no-word-of-ours";

/** The samples whose name begins so, without that beginning. */
async function scrape(stage: Stage, prefix: string): Promise<Record<string, number>> {
  const samples = Object.entries(await stage.scrape()).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(samples.map(([name, value]) => [name.slice(prefix.length), value]));
}

describe("the operator's metrics", () => {
  test("tell what became of its builds, how long they took, and what was asked of the API server", async () => {
    const script = (job: { metadata: { name: string } }) => ({ exitCode: job.metadata.name.startsWith("bad-") ? 1 : 0 });
    await using stage = await startStage({ start: gearmand, tasks: { unit: {}, bad: {}, picky: { pipelines: ["gate"] } }, script });
    const builds = await Promise.all(["unit", "unit", "bad"].map((job) => stage.submit(job)));
    for (const build of builds) await stage.recorded(await numberOf(build));
    await answerOf(await stage.submit("picky", { parameters: { ZUUL_PIPELINE: "check" } }));
    await stage.logged("refuses a request");
    for (const index of builds.keys()) await stage.logged("recorded the build", index);

    assert.deepEqual(await scrape(stage, "turbo_hipster_builds_total"), {
      '{task="ci/unit",class="success"}': 2,
      '{task="ci/bad",class="failure"}': 1,
      '{task="ci/picky",class="configuration"}': 1,
    });
    assert.deepEqual(await scrape(stage, "turbo_hipster_answers_total"), { '{outcome="delivered"}': 3 });
    const phases = await scrape(stage, "turbo_hipster_build_phase_seconds_count");
    assert.equal(phases['{phase="pending"}'], 3);
    assert.equal(phases['{phase="answer"}'], 3);
    const sums = await scrape(stage, "turbo_hipster_build_phase_seconds_sum");
    for (const [phase, seconds] of Object.entries(sums)) assert.ok(seconds >= 0 && seconds < 60, `${phase} ${seconds}`);

    const calls = await scrape(stage, "turbo_hipster_api_calls_total");
    const created = stage.kube.calls.filter(({ verb, resource, code }) => verb === "create" && resource === "jobs" && code === 201);
    assert.equal(calls['{verb="create",resource="jobs",code="201"}'], created.length);
    assert.ok(created.length >= 3);
    const timed = await scrape(stage, "turbo_hipster_api_call_seconds_count");
    assert.ok((timed['{verb="create",resource="jobs"}'] ?? 0) >= 3);
  });

  test("tell what it is at: builds, places, links, watches and TestTasks", async () => {
    const finished = Promise.withResolvers<void>();
    const tasks = { unit: {}, few: { maxConcurrent: 3 }, wrong: { image: 7 } };
    await using stage = await startStage({
      start: gearmand,
      config: { maxBuilds: 5 },
      tasks,
      script: () => ({ finished: finished.promise }),
    });
    const builds = await Promise.all(["unit", "few"].map((job) => stage.submit(job)));
    for (const build of builds) await stage.running(await numberOf(build));
    await stage.reached("running", 2);
    const registered = `turbo_hipster_gearman_registered_links{server="${stage.link.address}"}`;
    await waitUntil("the proof of the registrations", 10_000, async () => (await stage.scrape())[registered] === 1);
    const running = await stage.scrape();
    const samples: Record<string, number> = {
      'turbo_hipster_active_builds{task="ci/unit"}': 1,
      'turbo_hipster_active_builds{task="ci/few"}': 1,
      turbo_hipster_pending_builds: 0,
      turbo_hipster_undelivered_builds: 0,
      'turbo_hipster_pool_capacity_slots{pool="installation"}': 5,
      'turbo_hipster_pool_capacity_slots{pool="ci/few"}': 3,
      'turbo_hipster_pool_used_slots{pool="ci/few"}': 1,
      [`turbo_hipster_gearman_connected_links{server="${stage.link.address}"}`]: 1,
    };
    for (const [name, value] of Object.entries(samples)) assert.equal(running[name], value, name);
    assert.ok((running['turbo_hipster_pool_used_slots{pool="installation"}'] ?? 0) >= 2);
    for (const resource of ["testtasks", "jobs", "pods", "events"]) {
      const age = running[`turbo_hipster_watch_age_seconds{resource="${resource}"}`];
      assert.ok(age !== undefined && age >= 0 && age < 60, `${resource} ${age}`);
    }
    const readiness = await scrape(stage, "turbo_hipster_test_tasks");
    assert.equal(
      Object.values(readiness).reduce((sum, count) => sum + count, 0),
      3,
    );

    stage.clock.skip(40_000);
    assert.ok(((await stage.scrape())['turbo_hipster_watch_age_seconds{resource="pods"}'] ?? 0) >= 40, "silence is told");
    finished.resolve();
    for (const build of builds) await answerOf(build);
    for (const index of builds.keys()) await stage.logged("recorded the build", index);
    assert.deepEqual(await scrape(stage, "turbo_hipster_active_builds"), {}, "what is over is told no more");
  });

  test("count a build that waits for a node as pending, and one whose server is away as undelivered", async () => {
    const scheduled = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    const script = () => ({ scheduled: scheduled.promise, finished: finished.promise });
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} }, script });
    const number = await numberOf(await stage.submit("unit"));
    await stage.reached("unscheduled");
    assert.equal((await stage.scrape()).turbo_hipster_pending_builds, 1);
    scheduled.resolve();
    await stage.running(number);
    await stage.server.stop();
    await stage.logged("lost the link of running builds");
    const { turbo_hipster_pending_builds: pending, ...rest } = await stage.scrape();
    assert.equal(pending, 0);
    assert.equal(rest[`turbo_hipster_gearman_connected_links{server="${stage.link.address}"}`], 0);
    finished.resolve();
    await stage.logged("judged the build");
    assert.equal((await stage.scrape()).turbo_hipster_undelivered_builds, 1);
    const phases = await scrape(stage, "turbo_hipster_build_phase_seconds_count");
    assert.deepEqual([phases['{phase="pending"}'], phases['{phase="running"}'], phases['{phase="answer"}']], [1, 1, undefined]);
    stage.clock.skip(901_000);
    await stage.recorded(number);
    await stage.logged("recorded the build");
    assert.deepEqual(await scrape(stage, "turbo_hipster_answers_total"), { '{outcome="undelivered"}': 1 });
  });

  test("are answered, and the operator is healthy, while the API server and the Gearman server are away", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    await stage.server.stop();
    const outage = stage.outage();
    await stage.logged("follows the cluster again after a failure");
    const get = (path: string) => fetch(`http://127.0.0.1:${stage.operator.ports.internal}${path}`, { headers: { connection: "close" } });
    for (const path of ["/healthz", "/readyz", "/metrics"]) assert.equal((await get(path)).status, 200, path);
    outage.end();
  });

  test("hold nothing of what requests hold", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    await answerOf(await stage.submit("unit", { unique: SECRET, parameters: { ZUUL_PROJECT: SECRET, [`X_${SECRET}`]: SECRET } }));
    const text = JSON.stringify(await stage.scrape());
    assert.doesNotMatch(text, new RegExp(SECRET));
  });
});

describe("the operator's log", () => {
  test("has a line for each step of a build, with build, task, job and pod", async () => {
    await using stage = await startStage({ start: gearmand, tasks: { unit: {} } });
    const number = await numberOf(await stage.submit("unit"));
    await stage.recorded(number);
    await stage.logged("recorded the build");
    const lines = stage.log.items.filter(({ fields }) => fields.build === number);
    const steps = lines.map(({ message, fields }) => [message, fields.state ?? ""].join(" ").trim());
    for (const step of ["accepts a build", "build reached a new state exited", "judged the build", "recorded the build"])
      assert.equal(steps.filter((each) => each === step).length, 1, step);
    for (const { fields } of lines) assert.equal(fields.task, "ci/unit");
    for (const { fields } of lines.slice(1)) assert.equal(fields.job, number);
    const pod = stage.pods()[0]?.metadata.name;
    for (const { fields } of lines.filter(({ message }) => /judged|recorded/.test(message))) assert.equal(fields.pod, pod);
  });

  test("never holds a parameter's name or value, a payload or a script, whatever goes wrong", async () => {
    const tasks = { unit: { script: `echo ${SECRET}` }, picky: { pipelines: ["gate"] } };
    await using stage = await startStage({ start: gearmand, tasks, script: () => ({ exitCode: 1, log: [SECRET] }) });
    const parameters = { ZUUL_PROJECT: SECRET, PASSWORD: SECRET, [SECRET]: "a", LOG_PATH: SECRET, nested: { [SECRET]: [SECRET] } };
    stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, 1);
    stage.kube.misbehave({ verb: "patch", resource: "jobs" }, { kind: "status", code: 409, reason: "Conflict" }, 1);
    stage.kube.misbehave({ verb: "watch", resource: "jobs" }, { kind: "garbage", text: "no event" }, 1);
    await answerOf(await stage.submit("unit", { parameters }));
    await answerOf(await stage.submit("picky", { parameters }));
    await answerOf(await stage.submit("unit", { parameters: `{"PASSWORD": "${SECRET}"` }));
    await answerOf(await stage.submit("unit", { parameters: Buffer.from(`${SECRET}\xff`, "latin1") }));
    await answerOf(await stage.submit("unit", { parameters: `[${JSON.stringify(SECRET)}]` }));
    await stage.stop(Buffer.from(SECRET));
    await stage.stop(Buffer.from(JSON.stringify({ number: { [SECRET]: SECRET } })));
    await stage.logged("recorded the build");
    assert.ok(stage.kube.list(JOBS, "ci").length > 0);
    for (const line of stage.log.items) assert.doesNotMatch(JSON.stringify(line), new RegExp(SECRET), line.message);
  });
});
