import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { readProcessorTimes, subtractTimes } from "../../../bench/scale/scale-processes.ts";

test("programs are found by their directory, others by their id", async () => {
  const times = await readProcessorTimes(dirname(process.execPath), { self: process.pid });
  assert.ok((times.self ?? 0) > 0);
  assert.equal(typeof times.node, "number");
  assert.deepEqual(Object.keys(await readProcessorTimes("/nowhere", {})), []);
});

test("a program that was not there before has used all of its time meanwhile", () => {
  assert.deepEqual(subtractTimes({ etcd: 5, kwok: 2 }, { etcd: 3, gone: 9 }), { etcd: 2, kwok: 2 });
});
