import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { withFileLock } from "../../../../tools/machine/file-lock.ts";
import { waitUntil } from "../../../../tools/machine/wait-until.ts";

const directory = mkdtempSync(join(tmpdir(), "th-lock-"));
const MODULE = join(import.meta.dirname, "../../../../tools/machine/file-lock.ts");
let files = 0;
const newFile = () => join(directory, `lock-${++files}`);

after(() => rmSync(directory, { recursive: true, force: true }));

/** A process that takes the lock, says so and keeps it until it is killed. */
async function startHolder(file: string): Promise<ReturnType<typeof spawn>> {
  const script = `const { withFileLock } = await import(${JSON.stringify(MODULE)});
    await withFileLock(${JSON.stringify(file)}, () => {}, () => new Promise(() => { console.log("locked"); setInterval(() => {}, 1000); }));`;
  const holder = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  return holder;
}

test("only one at a time works under a lock, and who has to wait is told once", async () => {
  const file = newFile();
  let working = 0;
  let most = 0;
  let waits = 0;
  const work = async () => {
    most = Math.max(most, ++working);
    await new Promise((resolve) => setImmediate(resolve));
    working--;
  };
  await Promise.all([1, 2, 3, 4].map(() => withFileLock(file, () => waits++, work)));
  assert.equal(most, 1);
  assert.ok(waits <= 3);
});

test("a lock is free again when its work fails, and as soon as its holder is killed", async () => {
  const file = newFile();
  await assert.rejects(
    withFileLock(file, assert.fail, async () => {
      throw new Error("the work failed");
    }),
    /the work failed/,
  );
  const holder = await startHolder(file);
  let waited = false;
  const taken = withFileLock(
    file,
    () => {
      waited = true;
      holder.kill("SIGKILL");
    },
    async () => "taken",
  );
  assert.equal(await taken, "taken");
  assert.equal(waited, true);
});

test("the lock's file may be removed under the lock: who waits for it then locks the new one", async () => {
  const file = newFile();
  const order: string[] = [];
  let second: Promise<void> | undefined;
  await withFileLock(file, assert.fail, async () => {
    second = withFileLock(
      file,
      () => {},
      async () => {
        order.push("second");
        assert.equal(existsSync(file), true);
      },
    );
    // proc_locks(5): `->` marks a process that waits for a lock.
    const waits = new RegExp(`-> FLOCK .*:${statSync(file).ino} `);
    await waitUntil("somebody to wait for the lock", 10_000, () => waits.test(readFileSync("/proc/locks", "utf8")));
    rmSync(file);
    order.push("first");
  });
  await second;
  assert.deepEqual(order, ["first", "second"]);
});
