import assert from "node:assert/strict";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { performExplain } from "../../../src/commands/explain.ts";
import { DATASET_LABEL } from "../../../src/core/kubernetes/labels.ts";
import { parseBuildFile } from "../../../src/core/logs/build-file.ts";
import { JOBS, PODS } from "../../../src/kube/client/resource.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { answerOf, NAMESPACE, numberOf, startStage } from "./stage.ts";

const NAMES = ["user_001", "user_002"];

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "th-datasets-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe("a build over two datasets", () => {
  test("has a line for each on its page, in the API and in the terminal, while it runs, stored, and when its Jobs are gone", () =>
    withDirectory(async (directory) => {
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
      const { promise: hasPage, resolve: onPage } = Promise.withResolvers<void>();
      await using stage = await startStage({
        start: () => startGearmand(),
        tasks: { unit: { datasets: NAMES.map((name) => ({ name, configMap: { name: name.replace("_", "-") } })) } },
        makeStore: () => {
          const store = new FilesStore({ directory, publicUrl: "http://logs.example.org/", clock: systemClock, logger: silentLogger });
          const createText = store.createText.bind(store);
          store.createText = async (path, ...args) => {
            const isCreated = await createText(path, ...args);
            // Whoever has written it knows it by then.
            if (path === "logs/42/unit/index.html") setImmediate(onPage);
            return isCreated;
          };
          return store;
        },
        config: { logs: { store: "files", directory } },
        script: (job) => {
          const name = job.metadata.labels?.[DATASET_LABEL];
          const isSecond = name === NAMES[1];
          return {
            log: [`runs on ${name}`],
            exitCode: isSecond ? 1 : 0,
            message: isSecond ? "it is slow" : "",
            ...(isSecond ? { finished } : {}),
          };
        },
      });
      const base = `http://127.0.0.1:${stage.operator.ports.public}`;
      const get = async (path: string) => (await fetch(`${base}${path}`, { headers: { connection: "close" } })).text();
      // biome-ignore lint/suspicious/noExplicitAny: what the answers are is what is tested
      const json = async (path: string): Promise<any> => JSON.parse(await get(`/api/v1${path}`));
      const explain = async (number: string): Promise<string[]> => {
        const lines: string[] = [];
        const print = (line: string) => void lines.push(line);
        const world = { now: () => new Date(), signal: new AbortController().signal, print, printError: print };
        assert.equal(await performExplain(number, { url: base }, world), 0, lines.join("\n"));
        return lines;
      };
      const build = await stage.submit("unit", { parameters: { LOG_PATH: "logs/42/unit", ZUUL_PROJECT: "a/b" } });
      const number = await numberOf(build);
      await stage.running(`${number}-1`);
      await stage.reached("exited");

      const running = await json(`/builds/${number}`);
      const standings = running.members.map((each: { dataset: string; number: string; step: string }) => [
        each.dataset,
        each.number,
        each.step,
      ]);
      assert.deepEqual(standings, [
        ["user_001", `${number}-0`, "ended"],
        ["user_002", `${number}-1`, "running"],
      ]);
      assert.equal(running.verdict, undefined, "what came of one is not what comes of all");
      assert.equal((await json(`/builds/${number}-1`)).member.of, number);
      await hasPage;
      finish();

      const answer = await answerOf(build);
      assert.equal(answer.result, "it is slow (user_002, 1 of 2 datasets failed)");
      assert.equal(answer.data.url, "http://logs.example.org/logs/42/unit/index.html");
      const stored = (index: number) => {
        const job = stage.jobs().find(({ metadata }) => metadata.name === `${number}-${index}`);
        return job?.metadata.annotations?.["turbo-hipster.io/stored"];
      };
      await stage.until(() => stored(0) && stored(1), "the stored logs");
      for (const name of NAMES) {
        assert.equal(await readFile(join(directory, `logs/42/unit/${name}/console.log`), "utf8"), `runs on ${name}\n`);
      }
      const whole = parseBuildFile(await readFile(join(directory, "logs/42/unit/build.json"), "utf8"));
      assert.deepEqual(
        whole?.build.members?.map(({ dataset, verdict }) => [dataset, verdict?.result]),
        [
          ["user_001", "SUCCESS"],
          ["user_002", "it is slow"],
        ],
      );
      const index = await readFile(join(directory, "logs/42/unit/index.html"), "utf8");
      for (const name of NAMES) assert.ok(index.includes(`<a href="${name}/index.html">${name}</a>`), index);

      for (const areGone of [false, true]) {
        if (areGone) for (const member of [0, 1]) stage.kube.delete(JOBS, NAMESPACE, `${number}-${member}`);
        const page = await get(`/builds/${number}`);
        for (const words of [`<a href="${number}-0">user_001</a>`, `<a href="${number}-1">user_002</a>`, "It is slow (user_002"])
          assert.ok(page.includes(words), `${areGone} ${words}`);
        const own = await get(`/builds/${number}-1`);
        for (const words of ["runs on user_002", `<a href="${number}">`]) assert.ok(own.includes(words), `${areGone} ${words}`);
        assert.equal((await json(`/builds/${number}-0`)).verdict.result, "SUCCESS");
        const lines = await explain(number);
        assert.ok(lines.includes(`  user_002: Failed, It is slow (${number}-1)`), lines.join("\n"));
        const listed = (await json("/builds")).builds.map((each: { number: string }) => each.number);
        assert.deepEqual(listed, [number], "in lists it is one");
      }
    }));

  test("one of which never began has its pages in the store all the same, be it the first, and none of their links leads nowhere", () =>
    withDirectory(async (directory) => {
      await using stage = await startStage({
        start: () => startGearmand(),
        tasks: {
          unit: { datasets: NAMES.map((name) => ({ name, persistentVolumeClaim: { claimName: name.replace("_", "-"), readOnly: true } })) },
        },
        makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
        config: { logs: { store: "files", directory } },
        script: (job) => {
          const name = job.metadata.labels?.[DATASET_LABEL];
          return { log: [`runs on ${name}`], ...(name === NAMES[0] ? { scheduled: new Promise(() => {}) } : {}) };
        },
      });
      const build = await stage.submit("unit", { parameters: { LOG_PATH: "logs/42/unit" } });
      const number = await numberOf(build);
      await stage.reached("exited");
      const waiting = stage.pods().find(({ metadata }) => metadata.labels?.[DATASET_LABEL] === NAMES[0]);
      const message = '0/1 nodes are available: persistentvolumeclaim "user-001" not found. Preemption is not helpful.';
      stage.kube.patchStatus(PODS, NAMESPACE, waiting?.metadata.name ?? "", {
        conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
      });
      await stage.logged("build waits for what may not come");
      await stage.skip(31_000);
      const sentence = "CONFIG_ERROR - persistentvolumeclaim user-001 not found";
      assert.equal((await answerOf(build)).result, `${sentence} (user_001, 1 of 2 datasets failed)`);
      const jobs = [0, 1].map((index) => `${number}-${index}`);
      const stored = (name: string) =>
        stage.jobs().find(({ metadata }) => metadata.name === name)?.metadata.annotations?.["turbo-hipster.io/stored"];
      await stage.until(() => jobs.every(stored), "what is stored of both");
      const index = await readFile(join(directory, "logs/42/unit/index.html"), "utf8");
      for (const name of NAMES) {
        assert.ok(index.includes(`<a href="${name}/index.html">`), index);
        await access(join(directory, `logs/42/unit/${name}/index.html`));
      }
      for (const name of jobs) stage.kube.delete(JOBS, NAMESPACE, name);
      await stage.until(() => stage.jobs().length === 0, "no Jobs");
      const base = `http://127.0.0.1:${stage.operator.ports.public}`;
      for (const [path, words] of [
        [number, `${sentence} (user_001`],
        [`${number}-0`, sentence],
        [`${number}-1`, "runs on user_002"],
      ]) {
        const page = await (await fetch(`${base}/builds/${path}`, { headers: { connection: "close" } })).text();
        assert.ok(page.includes(words ?? ""), `${path}: ${page}`);
      }
    }));
});
