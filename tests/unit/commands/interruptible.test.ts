import assert from "node:assert/strict";
import { test } from "node:test";
import { runInterruptible } from "../../../src/commands/interruptible.ts";

test("the first interrupt ends the work, the second is for work that sees something to its end", async () => {
  const before = process.exitCode;
  const told: boolean[][] = [];
  await runInterruptible(async (signal, leave) => {
    for (let count = 0; count < 3; count += 1) {
      told.push([signal.aborted, leave.aborted]);
      process.emit("SIGINT", "SIGINT");
    }
    return 0;
  });
  process.exitCode = before;
  assert.deepEqual(told, [
    [false, false],
    [true, false],
    [true, true],
  ]);
  assert.equal(process.listenerCount("SIGINT"), 0);
});
