import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { parseBuildFile } from "../../../src/core/logs/build-file.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { keepBuild, keptCheck } from "../../support/logs/kept-build.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { answerOf, NAMESPACE, numberOf, type Stage, type StageOptions, startStage } from "./stage.ts";

const SLOW = {
  name: "migrations",
  message: "WARNING - Migration {step} took too long",
  steps: { start: "^Running upgrade (\\d+) -> (\\d+)", key: "{1}->{2}", limit: "30s" },
};
const CHECKS = [{ name: "no-traceback", pattern: { regex: "^Traceback" } }, SLOW];
const LINES = [
  [0, "Running upgrade 204 -> 205"],
  [20, "Running upgrade 205 -> 206"],
  [50, "done"],
] as const;

describe("the checks of a task", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-checks-"));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  function start(checks: readonly object[], options: Partial<StageOptions> = {}): Promise<Stage> {
    return startStage({
      ...{ start: () => startGearmand(), tasks: { unit: { checks } } },
      makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
      config: { logs: { store: "files", directory } },
      ...options,
    });
  }

  async function storedFile(stage: Stage, number: string) {
    const stored = (name: string) =>
      stage.jobs().find(({ metadata }) => metadata.name === name)?.metadata.annotations?.["turbo-hipster.io/stored"];
    const { directory: folder } = JSON.parse(await stage.until(() => stored(number), "the stored build"));
    return parseBuildFile(await readFile(join(directory, folder, "build.json"), "utf8"));
  }

  /** Lines with the seconds at which a node has read them; then the test ends. */
  async function play(stage: Stage, number: string, lines: readonly (readonly [second: number, line: string])[]): Promise<void> {
    const pod = await stage.running(number);
    const beginMs = Date.now();
    for (const [second, line] of lines) {
      stage.kube.logs.append(NAMESPACE, pod.metadata.name, "test", [line], new Date(beginMs + second * 1000));
    }
  }

  for (const [name, startServer] of [
    ["gearmand", startGearmand],
    ["geard", startGeard],
  ] as const) {
    test(`pass a log that is as they want it, and fail one that is not, by the kubelet's times; on ${name}`, async () => {
      const finished: PromiseWithResolvers<void>[] = [];
      const script = () => {
        const one = Promise.withResolvers<void>();
        finished.push(one);
        return { finished: one.promise };
      };
      await using stage = await start(CHECKS, { script, start: () => startServer() });
      for (const [lastSecond, result, outcome, rule] of [
        [50, "SUCCESS", "passed", "checks-passed"],
        [81, "WARNING - Migration 205->206 took too long", "failed", "check-failed"],
      ] as const) {
        const build = await stage.submit("unit", { parameters: { LOG_PATH: outcome } });
        const number = await numberOf(build);
        await play(stage, number, [...LINES.slice(0, 2), [lastSecond, "done"]]);
        finished.at(-1)?.resolve();
        assert.equal((await answerOf(build)).result, result);
        const file = await storedFile(stage, number);
        assert.deepEqual(
          file?.checks?.map((check) => [check.name, check.outcome]),
          [
            ["no-traceback", "passed"],
            ["migrations", outcome],
          ],
        );
        assert.equal(file?.build.verdict?.rule, rule);
        const last = file?.checks?.[1]?.steps?.at(-1);
        assert.deepEqual([last?.name, last?.line, last?.seconds, last?.limitSeconds], ["205->206", 2, lastSecond - 20, 30]);
        assert.deepEqual(
          file?.checks?.[1]?.findings.map(({ line, isBad }) => [line, isBad]),
          [
            [1, undefined],
            [2, outcome === "failed" ? true : undefined],
          ],
        );
      }
    });
  }

  test("fail a step that is slower than usual in kept builds of its branch, and say both numbers; few builds fail nothing", async () => {
    const usual = { ...SLOW, message: "WARNING - Migration {step} took {found}, usually {usual}" };
    const { limit: _, ...steps } = SLOW.steps;
    const finished: PromiseWithResolvers<void>[] = [];
    const script = () => {
      const one = Promise.withResolvers<void>();
      finished.push(one);
      return { finished: one.promise };
    };
    await using stage = await start([{ ...usual, steps: { ...steps, baseline: {} } }], { script });
    const store = new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger });
    for (let index = 0; index < 7; index += 1) await keepBuild(store, "unit", index, { checks: [keptCheck("migrations", 14, "204->205")] });
    store.close();
    for (const [branch, seconds, result, finding] of [
      ["master", 14, "SUCCESS", "204->205 took 14s, 7 builds of master kept that have it, 8 needed"],
      ["stable", 61, "SUCCESS", "204->205 took 61s, 0 builds of stable kept that have it, 8 needed"],
      [
        "master",
        61,
        "WARNING - Migration 204->205 took 61s, usually 14s",
        "204->205 took 61s, usually 14s in 8 builds of master, allowed 18.2s",
      ],
    ] as const) {
      const build = await stage.submit("unit", { parameters: { ZUUL_PROJECT: "nova", ZUUL_BRANCH: branch } });
      const number = await numberOf(build);
      await play(stage, number, [
        [0, "Running upgrade 204 -> 205"],
        [seconds, "done"],
      ]);
      finished.at(-1)?.resolve();
      assert.equal((await answerOf(build)).result, result);
      const file = await storedFile(stage, number);
      assert.equal(file?.checks?.[0]?.findings[0]?.text, finding);
    }
  });

  test("change nothing of a test that fails by itself", async () => {
    await using stage = await start([{ name: "a", pattern: { regex: "x" } }], {
      script: () => ({ exitCode: 3, message: "it broke", log: ["x"] }),
    });
    const build = await stage.submit("unit");
    assert.equal((await answerOf(build)).result, "it broke");
  });

  test("refuse a build where no logs are kept, or a pattern is none", async () => {
    await using stage = await startStage({ start: () => startGearmand(), tasks: { unit: { checks: CHECKS } } });
    assert.match(
      (await answerOf(await stage.submit("unit"))).result ?? "",
      /^CONFIG_ERROR - TestTask unit has checks, and this installation keeps no logs/,
    );
    assert.deepEqual(stage.jobs(), []);
  });

  test("of a build whose operator ends between its test's end and its answer are made by the next one, to the same end", async () => {
    const finished = Promise.withResolvers<void>();
    await using stage = await start(CHECKS, { script: () => ({ finished: finished.promise }) });
    const build = await stage.submit("unit", { parameters: { LOG_PATH: "a" } });
    const number = await numberOf(build);
    await play(stage, number, [...LINES.slice(0, 2), [81, "done"]]);
    await stage.until(() => stage.kube.logs.count() > 0, "a follower");
    // What is left of the log can't be had while the first one is there.
    stage.kube.logs.stopKubelets();
    finished.resolve();
    await stage.reached("exited", 1, number);
    await stage.stopOperator();
    assert.equal(stage.jobs()[0]?.metadata.annotations?.["turbo-hipster.io/verdict"], undefined);
    stage.kube.logs.startKubelets(true);
    await stage.startReplica();
    assert.equal((await answerOf(build)).result, "WARNING - Migration 205->206 took too long");
    assert.equal((await storedFile(stage, number))?.checks?.[1]?.steps?.length, 2);
    assert.equal(stage.jobs().length, 1);
  });
});
