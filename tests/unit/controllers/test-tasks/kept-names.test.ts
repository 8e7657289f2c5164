import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { KeptNames } from "../../../../src/controllers/test-tasks/kept-names.ts";
import type { RegisteredNames } from "../../../../src/core/test-task/registered-names.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const DAY_MS = 86_400_000;
const AT = new Date().toISOString().replace(/\.\d+Z$/, "Z");

type Behaviour = "answers" | "hangs" | "fails";

/** Names over a store that does as it is told. */
function makeKeptNames(...stored: string[]) {
  const clock = makeSkippingClock();
  const beganMs = clock.monotonicMs();
  const signal = new AbortController();
  const store = {
    stored: new Map(stored.map((name) => [name, AT])) as RegisteredNames,
    calls: [] as string[],
    behaviour: "answers" as Behaviour,
    now: () => new Date(Date.parse(AT) + clock.monotonicMs() - beganMs),
    async obey(call: string, signal: AbortSignal): Promise<void> {
      store.calls.push(call);
      if (store.behaviour === "fails") throw new Error("the store is away");
      if (store.behaviour === "answers") return;
      await once(signal, "abort");
      throw signal.reason;
    },
    async load(signal: AbortSignal) {
      await store.obey("load", signal);
      return store.stored;
    },
    async save(names: RegisteredNames, signal: AbortSignal) {
      await store.obey("save", signal);
      store.stored = names;
    },
  };
  const names = new KeptNames({ store, clock, logger: silentLogger });
  return { names, store, clock, stop: () => signal.abort(new Error("stopped")), signal: signal.signal };
}

type Stage = ReturnType<typeof makeKeptNames>;

/** Skips each timer as it is set, until `work` is done; returns the time that took. */
async function skipThrough(clock: Stage["clock"], work: () => Promise<unknown>): Promise<number> {
  const startMs = clock.monotonicMs();
  const leave = clock.onSchedule((delayMs) => setImmediate(() => clock.skip(delayMs)));
  await work();
  leave();
  return clock.monotonicMs() - startMs;
}

async function loadInVain(stage: Stage): Promise<void> {
  stage.store.behaviour = "fails";
  await skipThrough(stage.clock, () => stage.names.load(stage.signal));
  stage.store.behaviour = "answers";
  stage.store.calls.length = 0;
}

describe("reading the names that were kept", () => {
  for (const behaviour of ["hangs", "fails"] as const) {
    test(`is given up after about ten seconds when the store ${behaviour}`, async () => {
      const { names, store, clock, signal } = makeKeptNames("build:old");
      store.behaviour = behaviour;
      const tookMs = await skipThrough(clock, () => names.load(signal));
      assert.ok(tookMs > 9_000 && tookMs < 13_000, `took ${tookMs} ms`);
      assert.ok(store.calls.length >= 3, `${store.calls.length} tries`);
      assert.deepEqual([...names.keys()], []);
      assert.equal(clock.pending, 0);
    });
  }

  test("is tried again when one try hangs", async () => {
    const { names, store, clock, signal } = makeKeptNames("build:old");
    store.behaviour = "hangs";
    clock.onSchedule(() =>
      setImmediate(() => {
        store.behaviour = "answers";
      }),
    );
    const tookMs = await skipThrough(clock, () => names.load(signal));
    assert.deepEqual([[...names.keys()], store.calls], [["build:old"], ["load", "load"]]);
    assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  });

  test("ends at once when the operator stops", async () => {
    const { names, store, clock, stop, signal } = makeKeptNames();
    store.behaviour = "hangs";
    const loaded = names.load(signal);
    stop();
    await loaded;
    assert.equal(clock.pending, 0);
  });
});

test("names are kept for a month by the API server's clock, whatever this machine's says", async () => {
  const { names, store, clock, signal } = makeKeptNames("build:old");
  clock.jump(400 * DAY_MS);
  await names.load(signal);
  names.renew(["build:new"]);
  await names.save(signal);
  assert.deepEqual(new Set(store.stored.keys()), new Set(["build:new", "build:old"]));
  assert.equal(store.stored.get("build:new"), AT);
  clock.skip(31 * DAY_MS);
  names.renew(["build:new"]);
  assert.deepEqual([...names.keys()], ["build:new"]);
});

describe("writing the names down", () => {
  test("is done when they have changed, and keeps what was there", async () => {
    const { names, store, signal } = makeKeptNames("build:old");
    await names.load(signal);
    assert.equal(await names.save(signal), undefined);
    assert.deepEqual(store.calls, ["load"]);
    names.renew(["build:new"]);
    assert.equal(await names.save(signal), undefined);
    assert.deepEqual(new Set(store.stored.keys()), new Set(["build:new", "build:old"]));
    assert.equal(await names.save(signal), undefined);
    assert.equal(store.calls.filter((call) => call === "save").length, 1);
  });

  test("never overwrites names that could not be read at the start; they are served again at once", async () => {
    const stage = makeKeptNames("build:old");
    await loadInVain(stage);
    const { names, store, signal } = stage;
    names.renew(["build:new"]);
    assert.equal(await names.save(signal), 0, "the names of the store must be served, too");
    assert.deepEqual(new Set(store.stored.keys()), new Set(["build:new", "build:old"]));
    assert.deepEqual(new Set(names.keys()), new Set(["build:new", "build:old"]));
    assert.equal(await names.save(signal), undefined);
  });

  test("reads what could not be read, even when nothing has changed", async () => {
    const stage = makeKeptNames("build:old");
    await loadInVain(stage);
    assert.equal(await stage.names.save(stage.signal), 0);
    assert.deepEqual([[...stage.names.keys()], stage.store.calls], [["build:old"], ["load"]]);
  });

  test("adds to what another replica has written meanwhile", async () => {
    const { names, store, signal } = makeKeptNames();
    await names.load(signal);
    store.stored = new Map([["build:theirs", AT]]);
    names.renew(["build:ours"]);
    await names.save(signal);
    assert.deepEqual(new Set(store.stored.keys()), new Set(["build:ours", "build:theirs"]));
  });

  for (const behaviour of ["hangs", "fails"] as const) {
    test(`is tried again in half a minute, not sooner, when the store ${behaviour}`, async () => {
      const { names, store, clock, signal } = makeKeptNames();
      await names.load(signal);
      names.renew(["build:new"]);
      store.behaviour = behaviour;
      let waitMs: number | undefined;
      const tookMs = await skipThrough(clock, async () => {
        waitMs = await names.save(signal);
      });
      assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
      assert.equal(waitMs, 30_000);
      store.behaviour = "answers";
      const tries = store.calls.length;
      const leftMs = (await names.save(signal)) ?? 0;
      assert.ok(leftMs > 29_000 && leftMs <= 30_000, `${leftMs} ms are left`);
      assert.equal(store.calls.length, tries);
      clock.skip(30_000);
      assert.equal(await names.save(signal), undefined);
      assert.deepEqual([...store.stored.keys()], ["build:new"]);
      assert.equal(clock.pending, 0);
    });
  }
});
