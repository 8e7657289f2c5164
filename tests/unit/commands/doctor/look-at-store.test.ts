import assert from "node:assert/strict";
import { test } from "node:test";
import { tryStore } from "../../../../src/commands/doctor/look-at-store.ts";
import type { LogStore } from "../../../../src/logs/stores/log-store.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

test("what a look at the store has stored is removed though the look is given up", async () => {
  const clock = makeManualClock();
  const late = new AbortController();
  const files = new Set<string>();
  const store = {
    name: "it",
    putText: async (path: string) => void files.add(path),
    read: async (_path: string, _range: object, signal: AbortSignal) => {
      late.abort(new Error("too late"));
      signal.throwIfAborted();
    },
    remove: async (path: string, signal: AbortSignal) => {
      signal.throwIfAborted();
      files.delete(path);
    },
  } as unknown as LogStore;
  await assert.rejects(tryStore(store, clock, late.signal), /too late/);
  assert.equal(files.size, 0);
  assert.equal(clock.pending, 0);
});
