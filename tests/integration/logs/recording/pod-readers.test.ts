import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { makeMasker } from "../../../../src/core/logs/masking.ts";
import type { LogSource } from "../../../../src/logs/follow/log-source.ts";
import { MAX_READERS, PodReaders, type ReadPlace } from "../../../../src/logs/recording/pod-readers.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { makeDirectory } from "../../../support/logs/spools.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** A log that never says anything, and never ends. */
function placeOf(container: string): ReadPlace {
  const source: LogSource = {
    async open({ signal }) {
      return (async function* (): AsyncGenerator<Buffer> {
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      })();
    },
    head: async () => Buffer.alloc(0),
    tail: async () => Buffer.alloc(0),
    isGone: () => false,
    now: () => new Date(),
  };
  return { uid: "uid", container, source, hasEnded: () => false, run: () => undefined, readMasker: async () => makeMasker([]) };
}

test("where somebody waits for more of each of as many logs as may be read, another one is refused, until one is let go", async () => {
  await using directory = await makeDirectory();
  const readers = new PodReaders({ directory: directory.path, clock: systemClock, logger: silentLogger });
  await readers.start();
  const watch = async (container: string) => {
    const log = (await readers.open(placeOf(container))) ?? assert.fail();
    const leaving = new AbortController();
    return { log, leave: () => leaving.abort(), left: log.changed(leaving.signal).catch(() => {}) };
  };
  const watched = [];
  for (let index = 0; index < MAX_READERS; index += 1) watched.push(await watch(`c-${index}`));
  await assert.rejects(readers.open(placeOf("more")), { code: "TH_BUSY" });
  assert.equal((await readdir(directory.path)).length, MAX_READERS);
  // What is read already has room for any number of readers.
  const [first = assert.fail()] = watched;
  assert.equal(await readers.open(placeOf("c-0")), first.log);
  await assert.rejects(readers.open(placeOf("more")), { code: "TH_BUSY" });
  first.leave();
  await first.left;
  watched.push(await watch("more"));
  await assert.rejects(readers.open(placeOf("c-0")), { code: "TH_BUSY" });
  for (const { leave } of watched) leave();
  await Promise.all(watched.map(({ left }) => left));
  await readers.stop();
  assert.deepEqual(await readdir(directory.path), []);
});
