import assert from "node:assert/strict";
import { closeSync, constants, existsSync, openSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { journalName } from "../../../src/core/logs/spool-files.ts";
import { LogSpool } from "../../../src/logs/follow/log-spool.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { StoredBuildSource } from "../../../src/logs/stores/stored-build-source.ts";
import { StoredBuilds } from "../../../src/logs/stores/stored-builds.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { makeManualClock } from "../../support/manual-clock.ts";
import { sampleBuild } from "../../support/pages/sample-pages.ts";
import { storeBuild } from "../../support/pages/store-build.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { never } from "./stores/store-stage.ts";

const LIMIT = { limitBytes: 2 ** 20 };
const BUILD = sampleBuild({ number: "unit-0000000000000001", jobName: "unit-0000000000000001" });

/** A FIFO that nobody writes holds the thread of whoever opens it to read, as a file does whose server is away. */
async function hangs(context: TestContext, path: string): Promise<() => void> {
  await rm(path, { force: true });
  await runCommand("mkfifo", [path]);
  // Whoever hangs there reads its end; whoever comes later finds nothing.
  const release = () => {
    if (!existsSync(path)) return;
    const writer = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    rmSync(path);
    closeSync(writer);
  };
  context.after(release);
  return release;
}

async function start(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "th-hanging-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  const clock = makeManualClock();
  const store = new FilesStore({ directory, publicUrl: undefined, clock, logger: silentLogger });
  return { directory, clock, store, source: new StoredBuildSource({ ...sourceOptions(store), clock }) };
}

const sourceOptions = (store: FilesStore) => ({ store, builds: new StoredBuilds(store), logger: silentLogger });

describe("a disk for logs that hangs", () => {
  test("leaves threads for whatever else the program does, however much is asked of it", async (context) => {
    const { directory, store } = await start(context);
    await mkdir(join(directory, "spool"));
    const release = [await hangs(context, join(directory, "a.log")), await hangs(context, join(directory, "spool", journalName(1)))];
    const asked = Array.from({ length: 20 }, () => store.read("a.log", { start: 0 }, never).then((part) => part?.body.destroy()));
    const opened = Array.from({ length: 20 }, () => LogSpool.open(join(directory, "spool"), LIMIT).then((spool) => spool.close()));
    const file = join(directory, "other");
    for (let times = 0; times < 20; times += 1) {
      await writeFile(file, "on");
      assert.equal(await readFile(file, "utf8"), "on");
    }
    for (const each of release) each();
    await Promise.allSettled([...asked, ...opened]);
  });

  test("keeps no page of a stored build waiting: after a while that says so, and no more is asked than is bounded", async (context) => {
    const { directory, clock, store, source } = await start(context);
    const folder = await storeBuild(store, { report: BUILD, text: "one\ntwo\n", artifacts: { "a.txt": "content" } });
    const found = await source.find(BUILD.number);
    const log = found?.log("test");
    assert.ok(found && log);
    const silence = { code: "TH_BUSY", message: /has not answered for 20 s, perhaps a disk that hangs/ };
    const read = async () => log.read(0, 10);
    const artifact = async () => found.artifact("a.txt", { start: 0, end: 3 });
    for (const [file, ask] of [
      ["console.log", read],
      ["artifacts/a.txt", artifact],
      ["build.json", async () => new StoredBuildSource({ ...sourceOptions(store), clock }).find(BUILD.number)],
    ] as const) {
      const release = await hangs(context, join(directory, folder, file));
      const asked = assert.rejects(ask(), silence, file);
      clock.skip(20_000);
      await asked;
      release();
    }
    const release = await hangs(context, join(directory, folder, "console.log"));
    const asked = Array.from({ length: 256 }, () => assert.rejects(read(), silence));
    await assert.rejects(read(), /is asked too much already/);
    clock.skip(20_000);
    await Promise.all(asked);
    assert.equal(clock.pending, 0);
    release();
    await writeFile(join(directory, folder, "console.log"), "one\ntwo\n");
    await waitUntil("what hung to be over", 10_000, async () => (await read().catch(() => undefined))?.bytes.length === 8);
  });
});
