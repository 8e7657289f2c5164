import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { parseBuildFile } from "../../../src/core/logs/build-file.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { answerOf, NAMESPACE, numberOf, recordOf, type Stage, startStage } from "./stage.ts";

const NAMES = ["user_001", "user_002", "user_003"] as const;
const UNIT = {
  datasets: NAMES.map((name) => ({ name, configMap: { name: name.replace("_", "-") } })),
  checks: [
    { name: "no-traceback", pattern: { regex: "^Traceback" } },
    {
      name: "migrations",
      message: "WARNING - Migration {step} took too long",
      steps: { start: "^Running upgrade (\\d+) -> (\\d+)", key: "{1}->{2}", limit: "30s" },
    },
  ],
};
/** By the seconds at which a node has read them. */
type Lines = readonly (readonly [second: number, line: string])[];
const FINE: Lines = [
  [0, "Running upgrade 204 -> 205"],
  [20, "Running upgrade 205 -> 206"],
  [50, "done"],
];
const SLOW: Lines = [...FINE.slice(0, 2), [81, "done"]];
const BROKEN: Lines = [...FINE.slice(0, 2), [30, "Traceback (most recent call last):"], [50, "done"]];

/** As Zuul sends it; `launch` differs with each launch of one build. */
const change = (launch: number) => ({
  ZUUL_UUID: `uuid-${launch}`,
  LOG_PATH: `logs/${launch}`,
  ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}`,
});

for (const [server, startServer] of [
  ["gearmand", startGearmand],
  ["geard", startGeard],
] as const) {
  describe(`on ${server}, the checks of a build over three datasets`, () => {
    let directory: string;
    let ends: Map<string, PromiseWithResolvers<void>>;

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "th-checks-"));
      ends = new Map();
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));

    const endOf = (job: string) => {
      const end = ends.get(job) ?? Promise.withResolvers<void>();
      ends.set(job, end);
      return end;
    };
    const start = () =>
      startStage({
        ...{ start: () => startServer(), tasks: { unit: UNIT }, script: (job) => ({ finished: endOf(job.metadata.name).promise }) },
        makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
        config: { logs: { store: "files", directory } },
      });

    async function print(stage: Stage, job: string, lines: Lines): Promise<string> {
      const { name } = (await stage.running(job)).metadata;
      const beginMs = Date.now();
      for (const [second, line] of lines) stage.kube.logs.append(NAMESPACE, name, "test", [line], new Date(beginMs + second * 1000));
      return name;
    }

    async function storedFile(stage: Stage, job: string) {
      const stored = () => stage.jobs().find(({ metadata }) => metadata.name === job)?.metadata.annotations?.["turbo-hipster.io/stored"];
      const { directory: folder } = JSON.parse(await stage.until(stored, `what is stored of ${job}`));
      return parseBuildFile(await readFile(join(directory, folder, "build.json"), "utf8"));
    }

    test("are made of each log by itself, and the worst one's sentence is the build's, with its dataset and how many failed", async () => {
      await using stage = await start();
      const cases: [logs: Lines[], result: string, outcomes: string[]][] = [
        [[FINE, SLOW, FINE], "WARNING - Migration 205->206 took too long (user_002, 1 of 3 datasets failed)", ["pp", "pf", "pp"]],
        [[SLOW, FINE, BROKEN], "FAILURE - no-traceback - line 3 of the log (user_003, 2 of 3 datasets failed)", ["pf", "pp", "fp"]],
        [[FINE, FINE, FINE], "SUCCESS", ["pp", "pp", "pp"]],
      ];
      for (const [launch, [logs, result, outcomes]] of cases.entries()) {
        const build = await stage.submit("unit", { parameters: { LOG_PATH: `logs/${launch}` } });
        const number = await numberOf(build);
        for (const [index, lines] of logs.entries()) {
          await print(stage, `${number}-${index}`, lines);
          endOf(`${number}-${index}`).resolve();
        }
        assert.equal((await answerOf(build)).result, result);
        const files = await Promise.all(logs.map((_, index) => storedFile(stage, `${number}-${index}`)));
        const found = files.map((file) => file?.checks?.map(({ outcome }) => outcome.charAt(0)).join(""));
        assert.deepEqual(found, outcomes);
      }
    });

    test("pass no log with a hole: the build has no result, and Zuul's relaunch runs that dataset alone", async () => {
      await using stage = await start();
      const build = await stage.submit("unit", { parameters: change(1) });
      const number = await numberOf(build);
      for (const index of [0, 2]) {
        await print(stage, `${number}-${index}`, index === 0 ? FINE : SLOW);
        endOf(`${number}-${index}`).resolve();
      }
      const pod = await print(stage, `${number}-1`, FINE.slice(0, 1));
      const url = `http://127.0.0.1:${stage.operator.ports.public}/builds/${number}-1/logs/test/raw`;
      const readLog = async () => (await fetch(url, { headers: { connection: "close" } })).text();
      await waitUntil("its first line", 20_000, async () => (await readLog()) === `${FINE[0]?.[1]}\n`);
      // The node throws away what its follower, who was cut off, has not read.
      stage.kube.logs.cut();
      stage.kube.logs.append(NAMESPACE, pod, "test", ["Traceback (most recent call last):"]);
      stage.kube.logs.rotate(NAMESPACE, pod, "test");
      stage.kube.logs.append(NAMESPACE, pod, "test", ["done"], new Date(Date.now() + 20_000));
      endOf(`${number}-1`).resolve();
      assert.equal((await answerOf(build)).result, null);
      const rules = await Promise.all([0, 1, 2].map(async (index) => recordOf(await stage.recorded(`${number}-${index}`)).rule));
      assert.deepEqual(rules, ["checks-passed", "check-unread", "check-failed"]);

      const relaunch = await stage.submit("unit", { parameters: change(2) });
      const again = await numberOf(relaunch);
      await print(stage, `${again}-1`, FINE);
      endOf(`${again}-1`).resolve();
      const { result } = await answerOf(relaunch);
      assert.equal(result, "WARNING - Migration 205->206 took too long (user_003, 1 of 3 datasets failed)");
      const made = stage.jobs().flatMap(({ metadata: { name } }) => (name.startsWith(again) ? [name] : []));
      assert.deepEqual(made, [`${again}-1`]);
    });
  });
}
