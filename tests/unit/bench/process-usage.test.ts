import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProcessUsage, readProcessUsage } from "../../bench/process-usage.ts";

const STATUS = "Name:\tnode\nVmHWM:\t  999999 kB\nVmRSS:\t  150000 kB\nRssAnon:\t   90000 kB\nRssFile:\t   60000 kB\n";

test("reads memory and processor time, whatever the command is called", () => {
  const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 9 20 0 11 0 500 1000000 37500 18446744073709551615";
  assert.deepEqual(parseProcessUsage(STATUS, stat), { rssMb: 153.6, anonymousMb: 92.16, cpuSeconds: 3 });
});

test("texts without the figures are refused", () => {
  assert.throws(() => parseProcessUsage("Name:\tkthreadd\n", "2 (kthreadd) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0"), /no usage/);
});

test("a process can read its own, and one that is not there rejects", async () => {
  const usage = await readProcessUsage(process.pid);
  assert.ok(usage.rssMb > usage.anonymousMb && usage.anonymousMb > 1 && usage.cpuSeconds > 0);
  await assert.rejects(readProcessUsage(2 ** 22 + 1), { code: "ENOENT" });
});
