import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import type { StoredObject } from "../../../support/fake-kube/resource-rules.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { adminStatus, type GearmanServer } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { connectTestClient, type SubmittedBuild, submitBuild, untilStatus } from "../../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberOf, type Stage, startStage } from "../stage.ts";

const GONE = "CONFIG_ERROR - no TestTask serves this job any more";
const SERVERS: readonly [string, () => Promise<GearmanServer>][] = [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
];

/** Asks `status` again and again: a name that was there once must never be gone, or without a worker. */
function watchNames(server: GearmanServer): { stop(): Promise<{ looks: number; missing: string[] }> } & AsyncDisposable {
  const seen = new Set<string>();
  const missing = new Set<string>();
  let isStopped = false;
  let looks = 0;
  const watching = (async () => {
    while (!isStopped) {
      const status = await adminStatus(server.address);
      looks += 1;
      for (const [name, { workers }] of status) if (workers > 0) seen.add(name);
      for (const name of seen) if ((status.get(name)?.workers ?? 0) === 0) missing.add(name);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  const stop = async () => {
    isStopped = true;
    await watching;
    return { looks, missing: [...missing] };
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

/** Every third pod runs until the next `release`, so that builds go through each edit; the others end at once. */
function holdingScript() {
  let held: (() => void)[] = [];
  let count = 0;
  return {
    release() {
      for (const finish of held) finish();
      held = [];
    },
    script: () => {
      count += 1;
      return count % 3 === 0 ? { finished: new Promise<void>((resolve) => held.push(resolve)) } : {};
    },
  };
}

type Edit = (stage: Stage) => void;
const patch =
  (name: string, spec: object): Edit =>
  (stage) =>
    void stage.kube.patch(TEST_TASKS, NAMESPACE, name, { spec });

/** What is done to the TestTasks, and the jobs that only some of the builds may find served from then on. */
const EDITS: readonly [what: string, edit: Edit, unsettled?: readonly string[], added?: readonly string[]][] = [
  ["a task is added", (stage) => stage.task("added"), [], ["added"]],
  ["a job is renamed", patch("renamed", { jobs: ["new-name", "kept"] }), ["old-name"], ["new-name"]],
  ["a task is suspended", patch("paused", { suspend: true })],
  [
    "node labels change",
    patch("labelled", { nodeLabels: [{ name: "focal" }, { name: "jammy" }] }),
    ["labelled:bionic"],
    ["labelled:jammy"],
  ],
  ["a task gets a limit, and a lane of its own", patch("moved", { maxConcurrent: 2 })],
  ["the limit is raised", patch("moved", { maxConcurrent: 4 })],
  ["a task is resumed", patch("paused", { suspend: false })],
  ["a task loses its limit, and goes back to the shared lane", patch("moved", { maxConcurrent: null })],
  ["a limited task is renamed", patch("limited", { jobs: ["limited-too"] }), ["limited"], ["limited-too"]],
  ["a task is deleted", (stage) => stage.untask("deleted"), ["deleted"]],
  ["a deleted task comes back", (stage) => stage.task("deleted"), ["deleted"]],
  ["a limited task is deleted", (stage) => stage.untask("limited"), ["limited", "limited-too"]],
];

for (const [kind, start] of SERVERS) {
  describe(`TestTasks that change under load, through ${kind}`, () => {
    test("lose no build, double none, and no name leaves status", { timeout: 180_000 }, async (context) => {
      const pods = holdingScript();
      await using stage = await startStage({
        start,
        config: { maxBuilds: 20 },
        script: pods.script,
        tasks: {
          steady: {},
          renamed: { jobs: ["old-name", "kept"] },
          paused: {},
          labelled: { nodeLabels: [{ name: "bionic" }, { name: "focal" }] },
          moved: {},
          limited: { maxConcurrent: 2 },
          deleted: {},
        },
      });
      const jobs = ["steady", "old-name", "kept", "paused", "labelled", "labelled:bionic", "labelled:focal", "moved", "limited", "deleted"];
      await untilStatus(stage.server, (status) => jobs.every((job) => (status.get(`build:${job}`)?.workers ?? 0) > 0));
      await using watch = watchNames(stage.server);
      const builds: { job: string; build: SubmittedBuild }[] = [];
      const unsettled = new Set<string>();
      for (const [, edit, lost = [], added = []] of EDITS) {
        const batch = await Promise.all([...jobs, ...jobs].map(async (job) => ({ job, build: await stage.submit(job) })));
        builds.push(...batch);
        // In the middle of it: some run, some wait, some have not been looked at.
        await Promise.any(batch.map(({ build }) => build.end()));
        for (const job of lost) unsettled.add(job);
        edit(stage);
        await untilStatus(stage.server, (status) => added.every((job) => (status.get(`build:${job}`)?.workers ?? 0) > 0));
        jobs.push(...added);
        pods.release();
      }
      // Whatever is held now is let go as it comes.
      const letGo = stage.kube.subscribe(() => setImmediate(() => pods.release()));
      pods.release();
      const answers = await Promise.all(builds.map(async ({ job, build }) => ({ job, answer: await answerOf(build) }))).finally(letGo);
      const { looks, missing } = await watch.stop();
      assert.deepEqual(missing, [], "no name is ever gone or without a worker");

      const wrong = answers.filter(({ job, answer }) => answer.result !== "SUCCESS" && !(answer.result === GONE && unsettled.has(job)));
      assert.deepEqual(wrong.slice(0, 3), []);
      const ran = answers.filter(({ answer }) => answer.result === "SUCCESS");
      assert.equal(new Set(ran.map(({ answer }) => answer.data.number)).size, ran.length, "each has a Job of its own");
      assert.equal(stage.jobs().length, ran.length, "no Job that nobody asked for");
      assert.equal(stage.pods().length, ran.length, "no build ran twice");
      context.diagnostic(
        `${builds.length} builds, ${ran.length} ran, ${answers.length - ran.length} told that nobody serves them, ${looks} looks at status`,
      );

      // What is left serves as it says now.
      const expected: Record<string, string> = {
        "new-name": "SUCCESS",
        "old-name": GONE,
        limited: GONE,
        deleted: "SUCCESS",
        "labelled:jammy": "SUCCESS",
        "labelled:bionic": GONE,
      };
      for (const [job, result] of Object.entries(expected)) {
        const build = await stage.submit(job);
        pods.release();
        const release = stage.kube.subscribe(() => setImmediate(() => pods.release()));
        assert.equal((await answerOf(build).finally(release)).result, result, job);
      }
    });

    test("and are deleted, are answered for after a restart of the operator and of the server", async () => {
      await using stage = await startStage({
        start,
        tasks: { kept: {}, gone: { jobs: ["gone", "gone-too"] }, limited: { maxConcurrent: 1 } },
      });
      assert.equal((await answerOf(await stage.submit("gone"))).result, "SUCCESS");
      stage.untask("gone");
      stage.untask("limited");
      assert.equal((await answerOf(await stage.submit("gone"))).result, GONE);
      await stage.stopOperator();
      await stage.server.restart();
      await stage.startOperator();
      await untilStatus(stage.server, (status) =>
        ["gone", "gone-too", "limited"].every((job) => (status.get(`build:${job}`)?.workers ?? 0) > 0),
      );
      for (const [job, result] of [
        ["gone", GONE],
        ["gone-too", GONE],
        ["limited", GONE],
        ["kept", "SUCCESS"],
      ] as const) {
        assert.equal((await answerOf(await stage.submit(job))).result, result, job);
      }
    });
  });
}

describe("two servers", () => {
  test("share maxConcurrent and maxBuilds exactly, under load, and both are served", { timeout: 120_000 }, async () => {
    await using second = await startGeard();
    const running = new Map<string, number>();
    let freeStarted = 0;
    const most = { limited: 0, all: 0 };
    const finish: (() => void)[] = [];
    const script = (job: StoredObject) => {
      const task = job.metadata.labels?.["turbo-hipster.io/task"] ?? "";
      running.set(task, (running.get(task) ?? 0) + 1);
      if (task === "free") freeStarted += 1;
      most.limited = Math.max(most.limited, running.get("limited") ?? 0);
      most.all = Math.max(
        most.all,
        [...running.values()].reduce((sum, count) => sum + count, 0),
      );
      const finished = new Promise<void>((resolve) => finish.push(resolve));
      return { finished: finished.then(() => void running.set(task, (running.get(task) ?? 1) - 1)) };
    };
    await using stage = await startStage({
      start: () => startGearmand({ extraArgs: ["--round-robin"] }),
      startsOperator: false,
      script,
      tasks: { limited: { maxConcurrent: 3 }, free: {} },
    });
    await stage.startOperator({ gearman: { servers: [stage.link.address, second.address] }, maxBuilds: 5 });
    await using other = await connectTestClient(second);
    const builds: { server: string; build: SubmittedBuild }[] = [];
    for (const job of ["limited", "free"]) {
      for (let index = 0; index < 25; index += 1) {
        builds.push({ server: "gearmand", build: await stage.submit(job) });
        builds.push({ server: "geard", build: submitBuild(other, `build:${job}`, crypto.randomUUID()) });
      }
      // The limited ones have all their places before the others come; how many they keep is the servers' turn-taking.
      if (job === "limited") await stage.until(() => most.limited === 3, "as many limited builds as may be");
    }
    for (let pods = 0; pods < builds.length; pods += 1) {
      await stage.until(() => finish.length > pods, `pod ${pods + 1} of ${builds.length}`);
      // As many as may be, at each moment; the limited ones that are left in the end are not that many.
      await stage.until(() => finish.length >= pods + 5 || freeStarted === 50, `five at once after ${pods}`);
      finish[pods]?.();
    }
    for (const { build } of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.deepEqual(most, { limited: 3, all: 5 });
    assert.equal(stage.jobs().length, builds.length);
  });

  test("that offer the same request are two builds", async () => {
    await using second = await startGeard();
    await using stage = await startStage({ start: () => startGearmand(), startsOperator: false, tasks: { unit: {} } });
    await stage.startOperator({ gearman: { servers: [stage.link.address, second.address] } });
    await using other = await connectTestClient(second);
    const unique = "0123456789abcdef0123456789abcdef";
    const builds = [await stage.submit("unit", { unique }), submitBuild(other, "build:unit", unique)];
    const numbers = await Promise.all(builds.map((build) => numberOf(build)));
    for (const build of builds) assert.equal((await answerOf(build)).result, "SUCCESS");
    assert.equal(new Set(numbers).size, 2);
    assert.equal(stage.jobs().length, 2);
  });

  test("are independent: one that is down, and one that stands still, hold nothing up at the other", async () => {
    await using second = await startGeard();
    await second.kill9();
    await using stage = await startStage({ start: () => startGearmand(), startsOperator: false, tasks: { unit: {} } });
    await stage.startOperator({ gearman: { servers: [second.address, stage.link.address] } });
    for (let count = 0; count < 5; count += 1) assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    await second.restart();
    await untilStatus(second, (status) => (status.get("build:unit")?.workers ?? 0) === 2);
    second.suspend();
    try {
      for (let count = 0; count < 5; count += 1) assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
    } finally {
      second.resume();
    }
  });
});
