import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import type { StoredObject } from "../../../support/fake-kube/resource-rules.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulBuildSpec, type ZuulLauncher } from "../../../support/zuul/zuul-launcher.ts";
import { answerOf, type LogLine, NAMESPACE, numberFor, type Stage, startStage } from "../../operator/stage.ts";
import { untilStatus, within } from "../worker/link-harness.ts";
import { protocolArea, SERVERS } from "./protocol-area.ts";

const area = protocolArea("zuul-builds");
const MANAGER = "turbo-hipster-turbo-hipster";

/** Zuul's own launcher, a real server and the real operator; the API server and its nodes are played. */
for (const { kind, start } of SERVERS) {
  describe(`Zuul over ${kind}`, { timeout: 240_000 }, () => {
    let stage: Stage;
    let zuul: ZuulLauncher;
    /** Ends the running test of a Job of those tasks whose tests wait for it. */
    const finish = new Map<string, () => void>();

    const script = (job: StoredObject) => {
      const task = job.metadata.labels?.["turbo-hipster.io/task"] ?? "";
      if (task === "fails") return { exitCode: 1, message: "2 of 3 tests failed" };
      if (task === "mute") return { exitCode: 7 };
      if (task === "pending") return { scheduled: new Promise(() => undefined) };
      if (!["long", "one", "doomed", "unlucky"].includes(task)) return {};
      return { finished: new Promise<void>((resolve) => finish.set(job.metadata.name, resolve)) };
    };

    before(async () => {
      stage = await startStage({
        start,
        script,
        tasks: {
          passes: { nodeLabels: [{ name: "bionic" }] },
          fails: {},
          mute: {},
          pending: {},
          long: {},
          // One each: a task that ends infrastructure again and again is taken slowly.
          doomed: {},
          unlucky: {},
          one: { maxConcurrent: 1 },
          paused: { suspend: true },
          deleted: {},
        },
      });
      zuul = await startZuulLauncher({ server: stage.server.address });
    });
    after(async () => {
      await zuul?.stop();
      await stage?.[Symbol.asyncDispose]();
    });

    const launch = (job: string, spec: Partial<ZuulBuildSpec> = {}) => zuul.launch({ job, ...spec });
    const completed = (build: ZuulBuild) => within(build.completed, () => `not completed: ${JSON.stringify(build.events.at(-1))}`, 60_000);
    const launches = (build: ZuulBuild) => build.events.filter((event) => event.event === "launched");
    /** How often the operator has logged this. */
    const said = (message: string) => stage.log.items.filter((line) => line.message === message).length;
    const isJudged = ({ message, fields }: LogLine, number: unknown) => message === "judged the build" && fields.build === number;
    /** Requests that were given a build that was there already. */
    const attached = () => stage.log.items.filter(({ message }) => message.startsWith("attaches ")).length;
    /** Nothing that Zuul or the server still waits for. */
    const settled = async () => {
      assert.deepEqual(await zuul.unfinished(), []);
      await untilStatus(stage.server, (status) => [...status.values()].every(({ total }) => total === 0));
    };

    area.row(kind, "the test exits 0", async () => {
      const end = await completed(launch("passes"));
      await settled();
      assert.match(String(end.number), /^passes-[0-9a-f]{16}$/);
      assert.equal(end.manager, MANAGER);
      assert.match(end.report ?? "", /^- http:\/\/\S+\/builds\/passes-\S+ : SUCCESS in \d+s\n$/);
      return `${end.result}, launches: ${end.attempts}, with url, number and manager`;
    });

    area.row(kind, "the test exits 1 and has written a sentence", async () => {
      const end = await completed(launch("fails"));
      await settled();
      return `${end.result}, launches: ${end.attempts}`;
    });

    area.row(kind, "the test exits 7 and has written nothing", async () => {
      const end = await completed(launch("mute"));
      await settled();
      return `${end.result}, launches: ${end.attempts}`;
    });

    area.row(kind, "the pod is deleted at each launch: no result", async () => {
      const build = launch("doomed");
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        const pod = await stage.until(() => stage.pods().find(isRunning), `pod ${attempt}`);
        stage.kube.delete(PODS, NAMESPACE, pod.metadata.name);
        await stage.until(() => !stage.pods().some(({ metadata }) => metadata.name === pod.metadata.name), "the end of the pod");
      }
      const end = await completed(build);
      await settled();
      assert.equal(new Set(end.uuids).size, end.uuids.length, "each launch has a uuid of its own");
      return `run again under a new uuid; launches: ${end.attempts}, then ${end.result}`;
    });

    area.row(kind, "the pod is deleted once: no result, then SUCCESS", async () => {
      const build = launch("unlucky");
      const first = await stage.until(() => stage.pods().find(isRunning), "the first pod");
      stage.kube.delete(PODS, NAMESPACE, first.metadata.name);
      const second = await stage.until(
        () => stage.pods().find((pod) => isRunning(pod) && pod.metadata.name !== first.metadata.name),
        "the second pod",
      );
      finish.get(second.metadata.labels?.["job-name"] ?? "")?.();
      const end = await completed(build);
      await settled();
      return `${end.result}, launches: ${end.attempts}`;
    });

    area.row(kind, "a build under way", async () => {
      const before = stage.jobs().length;
      const fault = stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
      const build = launch("long");
      const started = await within(build.started, () => "not started");
      const state = await build.waitFor("update", (event) => event.numerator !== null);
      const first = JSON.parse(state.data ?? "{}");
      const jobs = stage.jobs().length - before;
      fault.stop();
      await stage.running(String(started.number));
      finish.get(String(started.number))?.();
      const end = await completed(build);
      const starts = build.events.filter(({ event }) => event === "started").length;
      await settled();
      assert.equal("result" in first, false);
      assert.equal(end.number, started.number);
      const fields = Object.keys(first).filter((field) => !field.startsWith("worker_"));
      const hadStatus = build.events.findIndex(({ event }) => event === "started") > build.events.indexOf(state);
      const order = hadStatus ? "after WORK_STATUS" : "then WORK_STATUS";
      return `${starts} start event; WORK_DATA {${fields.join(", ")}, worker_...} without result, ${order}, when it has ${jobs} Jobs`;
    });

    area.row(kind, "ZUUL_NODE asks for a node label", async () => {
      const end = await completed(launch("passes", { params: { ZUUL_NODE: "bionic" } }));
      await settled();
      return `build:passes:bionic: ${end.result}, node_labels ${JSON.stringify(end.nodeLabels)}`;
    });

    area.row(kind, "builds of a branch, of a tag and of a timer", async () => {
      const items: ZuulBuildSpec["item"][] = [
        { kind: "ref", refname: "refs/heads/master", oldrev: "0".repeat(40), newrev: "1".repeat(40) },
        { kind: "ref", refname: "refs/tags/1.0", oldrev: "0".repeat(40), newrev: "2".repeat(40) },
        { kind: "timer" },
      ];
      const ends = await Promise.all(items.map((item) => completed(launch("passes", item ? { item } : {}))));
      await settled();
      return ends.map(({ result }) => result).join(", ");
    });

    area.row(kind, "parameters that are null, numbers, lists, objects, emoji, 100 kB", async () => {
      const params = {
        NULL: null,
        NUMBER: 1.5,
        LIST: [1, "a"],
        OBJECT: { a: { b: false } },
        TEXT: "\u{1f600} $(HOME) \"'\n",
        LARGE: "x".repeat(100_000),
      };
      const end = await completed(launch("passes", { params }));
      await settled();
      const pod = await stage.until(() => stage.pods().find(({ metadata }) => metadata.labels?.["job-name"] === end.number), "the pod");
      const received = JSON.parse(pod.metadata.annotations?.["turbo-hipster.io/parameters"] ?? "{}");
      for (const [name, value] of Object.entries(params)) assert.deepEqual(received[name], value, name);
      return `${end.result}, the pod has them as they were sent`;
    });

    area.row(kind, "parameters of 200 kB", async () => {
      const end = await completed(launch("passes", { params: { LARGE: "x".repeat(200_000) } }));
      await settled();
      return end.result.replace(/\d{6,}/, "N");
    });

    area.row(kind, "a job that nothing serves", async () => {
      const end = await completed(launch("unknown"));
      await settled();
      return `${end.result}, launches: ${end.attempts}`;
    });

    area.row(kind, "the task is suspended, and resumed later", async () => {
      const build = launch("paused");
      await untilStatus(stage.server, (status) => status.get("build:paused")?.total === 1);
      await build.waitFor("launched");
      const waited = build.events.map(({ event }) => event).join(", ");
      stage.kube.patch({ group: "turbo-hipster.io", version: "v1alpha1", plural: "testtasks" }, NAMESPACE, "paused", {
        spec: { suspend: false },
      });
      const end = await completed(build);
      await settled();
      return `${waited}, waits; then ${end.result}`;
    });

    area.row(kind, "the task is deleted", async () => {
      stage.untask("deleted");
      const end = await completed(launch("deleted"));
      await settled();
      return end.result;
    });

    area.row(kind, "more builds than the task takes at once", async () => {
      const builds = [launch("one"), launch("one"), launch("one")];
      let most = 0;
      for (let index = 0; index < builds.length; index += 1) {
        const pod = await stage.until(() => stage.pods().find((each) => isRunning(each) && finish.has(jobOf(each))), "a pod");
        most = Math.max(most, stage.pods().filter((each) => isRunning(each) && jobOf(each).startsWith("one-")).length);
        if (index === 0) await untilStatus(stage.server, (status) => status.get("build:one")?.total === 3);
        finish.get(jobOf(pod))?.();
        finish.delete(jobOf(pod));
      }
      const ends = await Promise.all(builds.map(completed));
      await settled();
      return `${ends.map(({ result }) => result).join(", ")}; ${most} at once, the others wait at the server`;
    });

    area.row(kind, "Zuul cancels a running build", async () => {
      const build = launch("long");
      const started = await within(build.started, () => "not started");
      await stage.running(String(started.number));
      await build.cancel();
      await within(build.waitFor("answered"), () => "no answer");
      const end = await completed(build);
      await settled();
      const job = await stage.recorded(String(started.number));
      const verdict = JSON.parse(job.metadata.annotations?.["turbo-hipster.io/verdict"] ?? "{}");
      const pod = stage.pods().find((each) => jobOf(each) === started.number);
      return `stop:${started.manager}; the build answers ${verdict.result}, its pod is kept (${pod?.status?.phase}); Zuul: ${end.result}`;
    });

    /** How a build that Zuul cancels now ends, as the operator judges it. */
    const cancelled = async (build: ZuulBuild, number: string) => {
      await build.cancel();
      await within(build.waitFor("answered"), () => "no answer");
      const end = await completed(build);
      await settled();
      const judged = stage.log.items.find(({ message, fields }) => message === "judged the build" && fields.build === number);
      return `the build answers ${judged?.fields.result}; Zuul: ${end.result}`;
    };

    area.row(kind, "Zuul cancels a build whose Job cannot be made yet", async () => {
      const fault = stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "status", code: 500 }, Number.POSITIVE_INFINITY);
      const build = launch("passes");
      const { number } = await within(build.started, () => "not started");
      const before = stage.jobs().length;
      const outcome = await cancelled(build, String(number)).finally(() => fault.stop());
      await stage.log.until((lines) => lines.some(({ message, fields }) => message === "recorded the build" && fields.build === number));
      return `${outcome}; ${stage.jobs().length === before ? "no Job" : "a Job"}`;
    });

    area.row(kind, "Zuul cancels a build whose pod waits for a node", async () => {
      const build = launch("pending");
      const { number } = await within(build.started, () => "not started");
      await stage.until(() => stage.pods().find((pod) => jobOf(pod) === number), "the pod");
      const outcome = await cancelled(build, String(number));
      await stage.until(() => !stage.pods().some((pod) => jobOf(pod) === number), "the end of the pod");
      const job = stage.jobs().find(({ metadata }) => metadata.name === number);
      return `${outcome}; the pod is gone, the Job ${job ? "stays" : "too"}`;
    });

    area.row(kind, "Zuul cancels a build whose test has just ended", async () => {
      const build = launch("long");
      const { number } = await within(build.started, () => "not started");
      await stage.running(String(number));
      // The stop arrives before anybody has told the operator of the end.
      stage.kube.watches.silence("pods");
      stage.kube.watches.silence("jobs");
      finish.get(String(number))?.();
      const ended = () => stage.pods().find((pod) => jobOf(pod) === number && pod.status?.phase === "Succeeded");
      await stage.until(ended, "the end of the test");
      const stopped = stage.logged("stops the build as Zuul asked", said("stops the build as Zuul asked"));
      await build.cancel();
      await stopped;
      stage.kube.watches.speak();
      stage.kube.patch(JOBS, NAMESPACE, String(number), { metadata: { labels: { shown: "again" } } });
      await within(build.waitFor("answered"), () => "no answer");
      const end = await completed(build);
      await stage.log.until((lines) => lines.some((line) => isJudged(line, number)));
      await settled();
      return `the build answers ${stage.log.items.find((line) => isJudged(line, number))?.fields.result}; Zuul: ${end.result}`;
    });

    area.row(kind, "a stop for a number that no build has, and one that is no JSON", async () => {
      const ignored = said("ignores a stop request that names no build");
      await stage.stop(Buffer.from("not JSON\0\xff", "latin1"));
      await stage.logged("ignores a stop request that names no build", ignored);
      const unique = "0e".repeat(16);
      await stage.stop(numberFor(stage, unique, {}, "passes"));
      const later = await answerOf(await stage.submit("passes", { unique }));
      const next = await answerOf(await stage.submit("passes", { unique }));
      return `answered (WORK_COMPLETE); the build of that number, when it comes, answers ${later.result}, the next one ${next.result}`;
    });

    area.row(kind, "Zuul cancels a build that waits at the server", async () => {
      const first = launch("one");
      const pod = await stage.until(() => stage.pods().find((each) => isRunning(each) && finish.has(jobOf(each))), "the first pod");
      const waiting = launch("one");
      await untilStatus(stage.server, (status) => status.get("build:one")?.total === 2);
      const before = stage.jobs().length;
      await waiting.cancel();
      const end = await completed(waiting);
      finish.get(jobOf(pod))?.();
      finish.delete(jobOf(pod));
      await completed(first);
      await untilStatus(stage.server, (status) => status.get("build:one")?.total === 0);
      assert.equal(stage.jobs().length, before);
      return `out of the queue, no Job; Zuul: ${end.result}`;
    });

    area.row(kind, "set_description", async () => {
      const status = await untilStatus(stage.server, (each) => each.has("build:passes"));
      const asked = [...status.keys()].filter((name) => name.startsWith("set_description"));
      return asked.length === 0 ? "not registered, so that Zuul never asks" : asked.join(", ");
    });

    area.row(kind, "the link is reset while a build of a change runs", async () => {
      const build = launch("long", { item: { kind: "change", ref: `Z${"1b".repeat(16)}` } });
      const started = await within(build.started, () => "not started");
      await stage.running(String(started.number));
      const before = stage.pods().length;
      const earlier = attached();
      stage.link.cut();
      await stage.log.until(() => attached() > earlier);
      finish.get(String(started.number))?.();
      const end = await completed(build);
      await settled();
      return `launches: ${launches(build).length}, pods: ${stage.pods().length - before + 1}; ${end.result}, number ${end.number === started.number ? "kept" : "changed"}`;
    });

    area.row(kind, "the operator is stopped and started while a build of a change runs", async () => {
      const build = launch("long", { item: { kind: "change", ref: `Z${"2c".repeat(16)}` } });
      const started = await within(build.started, () => "not started");
      await stage.running(String(started.number));
      const before = stage.pods().length;
      const earlier = attached();
      await stage.stopOperator();
      await stage.startOperator();
      await stage.log.until(() => attached() > earlier);
      finish.get(String(started.number))?.();
      const end = await completed(build);
      await settled();
      return `launches: ${launches(build).length}, pods: ${stage.pods().length - before + 1}; ${end.result}`;
    });
  });
}

function isRunning(pod: StoredObject): boolean {
  return pod.status?.phase === "Running" && pod.metadata.deletionTimestamp === undefined;
}

function jobOf(pod: StoredObject): string {
  return pod.metadata.labels?.["job-name"] ?? "";
}
