import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { performExplain } from "../../../src/commands/explain.ts";
import { JOBS } from "../../../src/kube/client/resource.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { answerOf, NAMESPACE, numberOf, startStage } from "./stage.ts";

describe("a build whose Job is gone", () => {
  test("is shown by the store: its page, its log, lists, and in the terminal", async () => {
    const directory = await mkdtemp(join(tmpdir(), "th-stored-pages-"));
    try {
      await using stage = await startStage({
        ...{ start: () => startGearmand(), tasks: { unit: {} } },
        makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
        config: { logs: { store: "files", directory } },
        script: () => ({ log: ["\x1b[31mone\x1b[0m", "two"], exitCode: 1, message: "it is broken" }),
      });
      const build = await stage.submit("unit", { parameters: { ZUUL_PROJECT: "a/b", ZUUL_BRANCH: "master" } });
      const number = await numberOf(build);
      assert.equal((await answerOf(build)).result, "it is broken");
      const job = () => stage.jobs().find(({ metadata }) => metadata.name === number);
      await stage.until(() => job()?.metadata.annotations?.["turbo-hipster.io/stored"], "its stored log");
      stage.kube.delete(JOBS, NAMESPACE, number);
      const base = `http://127.0.0.1:${stage.operator.ports.public}`;
      const get = (path: string) => fetch(`${base}${path}`, { headers: { connection: "close" } });
      // biome-ignore lint/suspicious/noExplicitAny: what the answers are is what is tested
      const json = async (path: string): Promise<any> => (await get(`/api/v1${path}`)).json();
      const one = await json(`/builds/${number}`);
      assert.deepEqual([one.isStored, one.verdict.message, one.logs, one.item.project], [true, "it is broken", ["test"], "a/b"]);
      assert.equal(await (await get(`/builds/${number}/logs/test/raw`)).text(), "\x1b[31mone\x1b[0m\ntwo\n");
      const page = await (await get(`/builds/${number}`)).text();
      for (const words of ["It is broken", '<i class="ink-1">one</i>', "Run it again", "END_OF_JOB"])
        assert.ok(page.includes(words), words);
      assert.deepEqual(
        (await json("/builds?project=a/b")).builds.map((each: { number: string }) => each.number),
        [number],
      );
      assert.deepEqual(
        (await json("/tasks")).tasks[0].last.map((each: { number: string }) => each.number),
        [number],
      );
      const lines: string[] = [];
      const print = (line: string) => void lines.push(line);
      const world = { now: () => new Date(), signal: new AbortController().signal, print, printError: print };
      assert.equal(await performExplain(number, { url: base }, world), 0);
      assert.equal(lines[0], "Failed: It is broken");
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
