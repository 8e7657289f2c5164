import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { FilesStore } from "../../../../src/logs/stores/files/files-store.ts";
import { StoreError } from "../../../../src/logs/stores/log-store.ts";
import { runCommand } from "../../../../tools/machine/run-command.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";
import { chunks, listed, never, readStored } from "./store-stage.ts";

const MEBIBYTE = 1024 * 1024;

/** A small file system of its own where `options` of a tmpfs are given. */
async function makeDirectory(context: TestContext, options?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "th-files-"));
  if (options !== undefined) await runCommand("mount", ["-t", "tmpfs", "-o", options, "none", directory]);
  context.after(async () => {
    if (options !== undefined) await runCommand("umount", [directory]);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Time goes by where it waits; `onPause` is called first. */
function makeStore(directory: string, onPause: () => Promise<unknown> = async () => {}): FilesStore {
  const clock = makeSkippingClock();
  clock.onSchedule((delayMs) => void onPause().then(() => clock.skip(delayMs)));
  return new FilesStore({ directory, publicUrl: undefined, clock, logger: silentLogger });
}

describe("a directory", () => {
  test("that is full is waited for, and has the whole log when there is room; what was written in vain is gone", async (context) => {
    const directory = await makeDirectory(context, "size=4m");
    await writeFile(join(directory, "old.log"), Buffer.alloc(3 * MEBIBYTE));
    let pauses = 0;
    const leftInVain: string[][] = [];
    const store = makeStore(directory, async () => {
      pauses += 1;
      leftInVain.push(await readdir(join(directory, ".unfinished")));
      if (pauses === 3) await rm(join(directory, "old.log"));
    });
    assert.equal(await store.put("a/console.log", () => chunks(Buffer.alloc(2 * MEBIBYTE)), never), 2 * MEBIBYTE);
    assert.deepEqual([pauses, leftInVain.flat()], [3, []]);
    assert.deepEqual(await store.stat("a/console.log", never), { bytes: 2 * MEBIBYTE });
  });

  test("that stays full is given up after minutes, with what can be done, and what was there is as it was", async (context) => {
    const directory = await makeDirectory(context, "size=1m");
    const store = makeStore(directory);
    await store.putText("a/console.log", "before", never);
    await assert.rejects(
      store.put("a/console.log", () => chunks(Buffer.alloc(2 * MEBIBYTE)), never),
      (error) => {
        assert.ok(error instanceof StoreError);
        assert.deepEqual([error.code, error.retryable], ["TH_STORE_FULL", true]);
        assert.match(error.message, /could not store a\/console\.log: ENOSPC, it is full\. Make it larger, or lower logs\.retention\.$/);
        return true;
      },
    );
    assert.equal(await readStored(store, "a/console.log"), "before");
  });

  test("that is not there, or read-only, is no place that is made by itself: what is missing is told at once", async (context) => {
    const directory = await makeDirectory(context);
    const missing = makeStore(join(directory, "not-mounted"));
    await assert.rejects(
      missing.putText("a/b", "x", never),
      /could not store a\/b: ENOENT\. The directory is not there: mount the volume, or make it\./,
    );
    assert.deepEqual(await readdir(directory), []);
    await assert.rejects(makeStore(await makeDirectory(context, "ro")).putText("a/b", "x", never), /EROFS\. It is mounted read-only\./);
  });

  test("is never left through a link, and what is no file is no file of the store's", async (context) => {
    const [directory, outside] = [await makeDirectory(context), await makeDirectory(context)];
    await writeFile(join(outside, "secret"), "secret");
    await mkdir(join(directory, "a"));
    await symlink(join(outside, "secret"), join(directory, "a/link"));
    await runCommand("mkfifo", [join(directory, "a/pipe")]);
    const store = makeStore(directory);
    for (const path of ["a/link", "a/pipe"]) {
      assert.equal(await store.read(path, { start: 0 }, never), undefined);
      assert.equal(await store.stat(path, never), undefined);
    }
    assert.deepEqual(await listed(store), []);
  });

  test("loses what a killed process has left a day later, and nothing that is still being written", async (context) => {
    const directory = await makeDirectory(context);
    const store = makeStore(directory);
    await store.putText("a/b", "x", never);
    const unfinished = join(directory, ".unfinished");
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    for (const name of ["old", "new"]) await writeFile(join(unfinished, name), "x");
    await utimes(join(unfinished, "old"), yesterday, yesterday);
    assert.equal(await store.removeUnfinished(new Date(Date.now() - 24 * 3_600_000), never), 1);
    assert.deepEqual(await readdir(unfinished), ["new"]);
    assert.deepEqual(await listed(store), ["a/b"]);
  });
});
