import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readProcessorTimes, subtractTimes } from "../../../bench/scale/scale-processes.ts";

test("programs are found by their directory, others by their id", async (t) => {
  // A directory whose programs nobody else starts or ends.
  const directory = await mkdtemp(join(tmpdir(), "th-programs-"));
  t.after(() => rm(directory, { recursive: true }));
  await symlink("/bin/sleep", join(directory, "program"));
  const program = spawn(join(directory, "program"), ["60"], { stdio: "ignore" });
  t.after(async () => {
    program.kill();
    await once(program, "exit");
  });
  await once(program, "spawn");
  const times = await readProcessorTimes(directory, { self: process.pid });
  assert.ok((times.self ?? 0) > 0);
  assert.deepEqual(new Set(Object.keys(times)), new Set(["program", "self"]));
  assert.deepEqual(Object.keys(await readProcessorTimes("/nowhere", {})), []);
});

test("a program that was not there before has used all of its time meanwhile", () => {
  assert.deepEqual(subtractTimes({ etcd: 5, kwok: 2 }, { etcd: 3, gone: 9 }), { etcd: 2, kwok: 2 });
});
