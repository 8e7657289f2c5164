import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import type { Verdict } from "../../../../src/core/verdict/verdict.ts";
import { CheckThread, SlowChecksError } from "../../../../src/logs/checking/check-thread.ts";
import { KeptBuilds } from "../../../../src/logs/checking/kept-builds.ts";
import { LogChecker } from "../../../../src/logs/checking/log-checker.ts";
import { LogSpool } from "../../../../src/logs/follow/log-spool.ts";
import { FilesStore } from "../../../../src/logs/stores/files/files-store.ts";
import { StoreError } from "../../../../src/logs/stores/log-store.ts";
import { StoredBuilds } from "../../../../src/logs/stores/stored-builds.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { keepBuild, keptCheck } from "../../../support/logs/kept-build.ts";
import { makeDirectory } from "../../../support/logs/spools.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "exit-0", message: "a" };
const PATTERN = { name: "quiet", pattern: { regex: "^Traceback" } };
const VALUE = { name: "fast", values: { artifact: "perf.json", path: "ms", max: 10 } };

interface Written {
  text?: string;
  limitBytes?: number;
  hole?: boolean;
  isEnded?: boolean;
}

/** A checker of one log, which is in a spool, with its thread and a store. */
async function stage(checks: readonly object[], { text = "one\n", limitBytes = 2 ** 20, hole = false, isEnded = true }: Written = {}) {
  const directory = await makeDirectory();
  const clock = makeSkippingClock(systemClock);
  const spool = await LogSpool.open(join(directory.path, "spool"), { limitBytes });
  spool.append([Buffer.from(text)]);
  if (hole) spool.noteHole({ after: "2026-01-01T00:00:00.000000000Z", before: undefined });
  if (isEnded) await spool.end();
  const thread = new CheckThread({ clock: systemClock });
  const store = new FilesStore({ directory: join(directory.path), publicUrl: undefined, clock: systemClock, logger: silentLogger });
  const log = { spool, isTaken: false, problem: undefined as string | undefined };
  const recording = { testLog: log, directory: "build", masker: { unmasked: [], begin: () => assert.fail() } };
  const recorder = { of: (uid: string | undefined) => (uid === "uid" ? (recording as never) : undefined) };
  const kept = new KeptBuilds(store, new StoredBuilds(store));
  const checker = new LogChecker({ recorder, store, thread, kept, limit: "1Mi", clock, logger: silentLogger });
  const job = {
    metadata: {
      name: "unit-1",
      uid: "uid",
      annotations: { "turbo-hipster.io/checks": JSON.stringify(makeTask({ checks }).spec.checks) },
    },
  } as unknown as Job;
  const check = (signal = new AbortController().signal) => checker.check(job, PASSED, signal);
  const dispose = async () => {
    await thread.stop();
    await spool.close();
    store.close();
    await directory[Symbol.asyncDispose]();
  };
  return { check, job, checker, spool, store, clock, log, [Symbol.asyncDispose]: dispose };
}

const told = ({ result, rule, message }: Verdict) => [result, rule, message];

describe("the checks of a log", () => {
  it("go through all of it, in a thread", async () => {
    await using staged = await stage([PATTERN], {
      text: `${`${"x".repeat(300_000)}
`.repeat(3)}Traceback
`,
    });
    const verdict = await staged.check();
    assert.equal(verdict.result, "FAILURE - quiet - line 4 of the log");
    assert.deepEqual(verdict.checks?.[0]?.findings, [{ line: 4, text: "Traceback", isBad: true }]);
  });

  it("wait for its end", async () => {
    await using staged = await stage([PATTERN], { isEnded: false });
    const verdict = staged.check();
    staged.spool.append([Buffer.from("Traceback\n")]);
    await staged.spool.end();
    assert.equal((await verdict).result, "FAILURE - quiet - line 2 of the log");
  });

  it("never pass one with a hole: Zuul runs the build again", async () => {
    await using staged = await stage([PATTERN], { hole: true });
    assert.deepEqual(told(await staged.check()), [
      null,
      "check-unread",
      "the node has thrown away lines after 2026-01-01T00:00:00.000000000Z of the log before it was read, so that it can not be checked",
    ]);
  });

  it("never pass one whose middle is not kept, and say what to change", async () => {
    await using staged = await stage([PATTERN], { text: "0123456\n".repeat(40_000), limitBytes: 64 * 1024 });
    assert.deepEqual(told(await staged.check()).slice(0, 2), [
      "CONFIG_ERROR - the log is longer than the 1Mi that are kept, so that checks can not read its middle",
      "log-cut",
    ]);
  });

  it("never pass one that can't be read to its end, and say why", async () => {
    await using staged = await stage([PATTERN], { isEnded: false });
    staged.log.problem = "the disk is full";
    const verdict = staged.check();
    await staged.clock.skip(7 * 60_000);
    assert.deepEqual(told(await verdict), [
      null,
      "check-unread",
      "the log could not be read whole, so that it can not be checked - the disk is full",
    ]);
  });

  it("are a fault of configuration where somebody has spoilt them on the Job", async () => {
    await using staged = await stage([PATTERN]);
    const spoilt = { ...staged.job, metadata: { ...staged.job.metadata, annotations: { "turbo-hipster.io/checks": '[{"name": "a"}]' } } };
    assert.equal((await staged.checker.check(spoilt, PASSED, new AbortController().signal)).rule, "check-fault");
  });

  it("read numbers from stored artifacts, and never pass where those were not stored", async () => {
    await using staged = await stage([VALUE]);
    assert.deepEqual(told(await staged.check()).slice(0, 2), [null, "check-unread"]);
    const { signal } = new AbortController();
    const put = (path: string, text: string) => staged.store.putText(`build/${path}`, text, signal);
    const record = { bytes: 9, leftOut: [], leftOutCount: 0, files: [{ path: "perf.json", bytes: 9 }] };
    await put("artifacts/perf.json", '{"ms": 11}');
    await put("artifacts.json", JSON.stringify(record));
    assert.equal((await staged.check()).result, "FAILURE - fast - ms of perf.json is 11 (limit at most 10)");
    await put("artifacts.json", JSON.stringify({ ...record, files: [{ path: "perf.json", bytes: 17 * 2 ** 20 }] }));
    assert.equal((await staged.check()).rule, "check-unread");
  });

  describe("against what is usual", () => {
    const check = { ...VALUE, values: { artifact: "perf.json", path: "ms", baseline: {} } };
    const annotations = {
      "turbo-hipster.io/request": JSON.stringify({ server: "a", unique: "b", number: "unit-1" }),
      "turbo-hipster.io/timeouts": JSON.stringify({ pull: "1m", run: "1m" }),
      "turbo-hipster.io/function": "build:unit",
      "turbo-hipster.io/item": JSON.stringify({ project: "nova", branch: "master" }),
    };

    async function compared() {
      const staged = await stage([check]);
      const { metadata } = staged.job;
      const labels = { "turbo-hipster.io/task": "unit" };
      const job = { metadata: { ...metadata, namespace: "ci", labels, annotations: { ...metadata.annotations, ...annotations } } } as Job;
      await staged.store.putText("build/artifacts/perf.json", '{"ms": 20}', new AbortController().signal);
      const record = { bytes: 9, leftOut: [], leftOutCount: 0, files: [{ path: "perf.json", bytes: 9 }] };
      await staged.store.putText("build/artifacts.json", JSON.stringify(record), new AbortController().signal);
      for (let index = 0; index < 8; index += 1) await keepBuild(staged.store, "unit", index, { checks: [keptCheck("fast", 10)] });
      return { ...staged, check: () => staged.checker.check(job, PASSED, new AbortController().signal) };
    }

    it("fail what is far above it", async () => {
      await using staged = await compared();
      assert.equal((await staged.check()).result, "FAILURE - fast - ms of perf.json is 20 (usually 10 in 8 builds of master, allowed 13)");
    });

    it("never pass, and never fail, where the kept builds can not be read, or not in time", async () => {
      await using staged = await compared();
      staged.store.folders = async () => {
        throw new StoreError("TH_STORE_AWAY", "the store is away");
      };
      assert.deepEqual(told(await staged.check()), [null, "check-unread", "the store is away"]);
      const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
      // As on a disk that hangs, which takes no notice of a signal.
      staged.store.folders = () => {
        asked();
        return new Promise(() => {});
      };
      const verdict = staged.check();
      await isAsked;
      await staged.clock.skip(3 * 60_000);
      assert.deepEqual(told(await verdict), [null, "check-unread", "the kept builds that it is compared with were not read in time"]);
    });

    it("never pass where the Job does not say what it can be compared with", async () => {
      await using staged = await stage([check]);
      await staged.store.putText(
        "build/artifacts.json",
        JSON.stringify({ bytes: 0, leftOut: [], leftOutCount: 0, files: [] }),
        new AbortController().signal,
      );
      assert.equal((await staged.check()).rule, "check-unread");
    });
  });

  it("end with who asked for them", async () => {
    await using staged = await stage([PATTERN], { isEnded: false });
    const asking = new AbortController();
    const verdict = staged.check(asking.signal);
    asking.abort(new Error("left"));
    await assert.rejects(verdict, { message: "left" });
  });
});

describe("the thread that checks logs", () => {
  const log = (regex: string, chunks: () => AsyncIterable<Uint8Array>) => ({
    checks: makeTask({ checks: [{ name: "a", pattern: { regex } }] }).spec.checks ?? [],
    ...{ times: [], lastMs: undefined, bytes: 10, values: { artifacts: new Map(), junit: undefined }, kept: new Map() },
    chunks,
  });
  const one = async function* () {
    yield Buffer.from("one\n");
  };
  const { signal } = new AbortController();

  it("takes one log at a time, and the next whatever became of the one before", async () => {
    const thread = new CheckThread({ clock: systemClock });
    const broken = async function* () {
      yield* one();
      throw new Error("the disk broke");
    };
    const all = await Promise.allSettled([
      thread.check(log("one", one), signal),
      thread.check(log("one", broken), signal),
      thread.check(log("two", one), signal),
    ]);
    assert.deepEqual(
      all.map((each) => (each.status === "fulfilled" ? each.value[0]?.result.outcome : each.reason.message)),
      ["failed", "the disk broke", "passed"],
    );
    await thread.stop();
  });

  it("gives up a log that takes far too long, and says so", async () => {
    const clock = makeSkippingClock(systemClock);
    const thread = new CheckThread({ clock });
    const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>();
    const never = async function* () {
      yield Buffer.from("one\n");
      opened();
      await clock.skip(120_000);
      yield Buffer.from("two\n");
    };
    const checked = thread.check(log("one", never), signal);
    await isOpen;
    await assert.rejects(checked, SlowChecksError);
    await thread.stop();
  });

  it("ends while it works, and what it works at with it", async () => {
    const thread = new CheckThread({ clock: systemClock });
    const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>();
    const endless = async function* () {
      for (;;) {
        yield Buffer.from("one\n");
        opened();
      }
    };
    const checked = assert.rejects(thread.check(log("two", endless), signal));
    await isOpen;
    await thread.stop();
    await checked;
    await assert.rejects(thread.check(log("two", one), signal));
  });
});
