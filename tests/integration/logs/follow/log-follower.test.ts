import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { describe, it } from "node:test";
import type { Pod } from "../../../../src/core/kubernetes/objects.ts";
import { observeContainerRun } from "../../../../src/core/logs/container-run.ts";
import { makeMasker } from "../../../../src/core/logs/masking.ts";
import { loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { PODS } from "../../../../src/kube/client/resource.ts";
import { PodLogs } from "../../../../src/kube/objects/pod-logs.ts";
import { followLog } from "../../../../src/logs/follow/log-follower.ts";
import type { LogSource } from "../../../../src/logs/follow/log-source.ts";
import { LogSpool } from "../../../../src/logs/follow/log-spool.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { restartService, startPod } from "../../../support/fake-kube/pod-steps.ts";
import { type LogEntry, LogReader, printedBytes } from "../../../support/logs/kubelet-log.ts";
import { makeDirectory, mountDisk, readAll } from "../../../support/logs/spools.ts";
import { makeRandom } from "../../../support/random.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const NOTHING_MASKED = makeMasker([]);
const LIMIT = 2 ** 30;
const START = 1_795_000_000_000_000_000n;

const entry = (text: string, ms: number, isPartial = false): LogEntry => ({
  ns: START + BigInt(ms) * 1_000_000n,
  content: Buffer.from(text),
  isPartial,
});

/** Resolves once the spool holds so many bytes, or has ended. */
function grown(spool: LogSpool, size: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (spool.size < size && !spool.isEnded) return;
      forget();
      resolve();
    };
    const forget = spool.onGrowth(look);
    look();
  });
}

async function makeBench() {
  const stack = new AsyncDisposableStack();
  const fake = stack.use(await startFakeKube());
  const directory = stack.use(await makeDirectory());
  const client = await loadKubeClient({ kubeconfig: fake.kubeconfig });
  stack.defer(() => client.close());
  fake.create(PODS, "ci", { metadata: { name: "p" }, spec: { containers: [{ name: "test", image: "x" }] } });
  let hasEnded = false;
  const optionsFor = (pod: string, container: string) => {
    const source = new PodLogs(client, { namespace: "ci", pod, container });
    return { source, masker: NOTHING_MASKED, clock: systemClock, logger: silentLogger };
  };
  return {
    fake,
    optionsFor,
    directory: directory.path,
    openSpool: (limitBytes = LIMIT) => LogSpool.open(directory.path, { limitBytes }),
    follow: (spool: LogSpool, signal = new AbortController().signal) =>
      followLog({ ...optionsFor("p", "test"), spool, hasEnded: () => hasEnded, run: () => undefined }, signal),
    write: (...entries: LogEntry[]) => fake.logs.write("ci", "p", "test", entries),
    end() {
      fake.logs.end("ci", "p", "test");
      hasEnded = true;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe("a follower", () => {
  it("brings all that was printed into the spool as it comes, tells readers, and ends with the container", async () => {
    await using bench = await makeBench();
    startPod(bench.fake, "ci", "p");
    const spool = await bench.openSpool();
    bench.write(entry("before it came", 1));
    const done = bench.follow(spool);
    await grown(spool, 15);
    bench.write(entry("while\r it reads", 2), entry("", 3));
    await grown(spool, 32);
    assert.equal((await readAll(spool)).toString(), "before it came\nwhile\r it reads\n\n");
    assert.equal(spool.isEnded, false);
    bench.write(entry("no newline", 4, true));
    bench.end();
    await done;
    assert.equal((await readAll(spool)).toString(), "before it came\nwhile\r it reads\n\nno newline");
    assert.deepEqual([spool.isEnded, spool.holes, spool.cut], [true, [], undefined]);
    await spool.close();
  });

  it("waits for a container that has not started, and ends an empty log", async () => {
    await using bench = await makeBench();
    bench.fake.bind("ci", "p", "fake-node");
    const spool = await bench.openSpool();
    const done = bench.follow(spool);
    await bench.fake.nextCall({ verb: "get", resource: "pods/log" });
    startPod(bench.fake, "ci", "p");
    bench.end();
    await done;
    assert.deepEqual([spool.size, spool.holes], [0, []]);
    await spool.close();
  });

  it("takes the end of a kubelet for no end of the log, nor that it does not know the pod when it is back", async () => {
    await using bench = await makeBench();
    const { fake } = bench;
    startPod(fake, "ci", "p");
    const spool = await bench.openSpool();
    bench.write(entry("one", 1));
    const done = bench.follow(spool);
    await grown(spool, 4);
    fake.logs.stopKubelets();
    await fake.nextCall({ verb: "get", resource: "pods/log" });
    bench.write(entry("two", 2));
    fake.logs.startKubelets(false);
    await fake.nextCall({ verb: "get", resource: "pods/log" });
    await fake.nextCall({ verb: "get", resource: "pods/log" });
    fake.logs.startKubelets(true);
    await grown(spool, 8);
    bench.end();
    await done;
    assert.equal((await readAll(spool)).toString(), "one\ntwo\n");
    assert.deepEqual(spool.holes, []);
    await spool.close();
  });

  it("ends with what it has, and a hole, when the pod is gone before the log was read to its end", async () => {
    await using bench = await makeBench();
    startPod(bench.fake, "ci", "p");
    const spool = await bench.openSpool();
    bench.write(entry("one", 1));
    const done = bench.follow(spool);
    await grown(spool, 4);
    bench.fake.remove(PODS, "ci", "p");
    bench.fake.logs.cut();
    await done;
    assert.equal((await readAll(spool)).toString(), "one\n");
    assert.deepEqual(spool.holes, [{ offset: 4, after: "2026-11-18T11:06:40.001000000Z", before: undefined }]);
    await spool.close();
  });

  it("loses and repeats nothing through a hundred cuts and kills", async () => {
    await using bench = await makeBench();
    const random = makeRandom(1);
    startPod(bench.fake, "ci", "p");
    const printed: LogEntry[] = [];
    let spool = await bench.openSpool();
    let leaving = new AbortController();
    let done = bench.follow(spool, leaving.signal);
    for (let round = 0; round < 100; round += 1) {
      const size = spool.size;
      const more = Array.from({ length: 1 + Math.floor(random() * 30) }, (_, index) =>
        entry(`${round} ${index} ${"x".repeat(random() * 200)}`, round * 40 + Math.floor(index / 3)),
      );
      printed.push(...more);
      bench.write(...more);
      await grown(spool, size + 1);
      if (random() < 0.6) bench.fake.logs.cut();
      if (random() < 0.3) {
        // As after SIGKILL nothing more is said by the one that was.
        leaving.abort();
        await done;
        await spool.close();
        spool = await bench.openSpool();
        leaving = new AbortController();
        done = bench.follow(spool, leaving.signal);
      }
    }
    bench.end();
    await done;
    assert.ok((await readAll(spool)).equals(printedBytes(printed)));
    assert.deepEqual(spool.holes, []);
    assert.equal(spool.points.at(-1)?.lines, printed.length);
    await spool.close();
  });

  it("brings the log of each run of a service, and says where they begin", async () => {
    await using bench = await makeBench();
    const { fake } = bench;
    const initContainers = [{ name: "db", image: "x", restartPolicy: "Always" }];
    fake.create(PODS, "ci", { metadata: { name: "q" }, spec: { initContainers, containers: [{ name: "test", image: "x" }] } });
    startPod(fake, "ci", "q");
    const write = (...entries: LogEntry[]) => fake.logs.write("ci", "q", "db", entries);
    const spool = await bench.openSpool();
    let hasEnded = false;
    const run = () => observeContainerRun(fake.get(PODS, "ci", "q") as Pod, "db");
    write(entry("one", 1), entry("half", 2, true));
    const done = followLog({ ...bench.optionsFor("q", "db"), spool, run, hasEnded: () => hasEnded }, new AbortController().signal);
    await grown(spool, 4);
    write(entry(" line", 3));
    restartService(fake, "ci", "q", "db");
    write(entry("of the second run", 10_000));
    await grown(spool, 32);
    // Of the third nothing is left by the time it is noticed.
    restartService(fake, "ci", "q", "db");
    write(entry("lost", 20_000));
    restartService(fake, "ci", "q", "db");
    write(entry("last", 30_000));
    await grown(spool, 37);
    fake.logs.end("ci", "q", "db");
    hasEnded = true;
    await done;
    assert.equal((await readAll(spool)).toString(), "one\nhalf line\nof the second run\nlost\nlast\n");
    assert.deepEqual(spool.attempts, [
      { offset: 14, attempt: 1 },
      { offset: 32, attempt: 2 },
      { offset: 37, attempt: 3 },
    ]);
    assert.equal(spool.points.at(-1)?.lines, 5);
    assert.deepEqual(spool.holes, [{ offset: 32, after: "2026-11-18T11:06:50.000000000Z", before: undefined }]);
    await spool.close();
  });

  it("takes no newer run of a service for the one it follows, though the kubelet gives that one's log before the pod tells of it", async () => {
    await using bench = await makeBench();
    const { fake } = bench;
    const initContainers = [{ name: "db", image: "x", restartPolicy: "Always" }];
    fake.create(PODS, "ci", { metadata: { name: "q" }, spec: { initContainers, containers: [{ name: "test", image: "x" }] } });
    startPod(fake, "ci", "q");
    const spool = await bench.openSpool();
    let told = observeContainerRun(fake.get(PODS, "ci", "q") as Pod, "db");
    let hasEnded = false;
    fake.logs.write("ci", "q", "db", [entry("one", 1), entry("half", 2, true)]);
    const options = { ...bench.optionsFor("q", "db"), spool, run: () => told, hasEnded: () => hasEnded };
    const done = followLog(options, new AbortController().signal);
    await grown(spool, 4);
    // What the pod tells: the first has ended.
    if (told) told = { ...told, hasEnded: true };
    restartService(fake, "ci", "q", "db");
    fake.logs.write("ci", "q", "db", [entry("of the second run", 10_000)]);
    await fake.nextCall({ verb: "get", resource: "pods/log" }, "arrived");
    told = observeContainerRun(fake.get(PODS, "ci", "q") as Pod, "db");
    await grown(spool, 26);
    fake.logs.end("ci", "q", "db");
    hasEnded = true;
    await done;
    assert.equal((await readAll(spool)).toString(), "one\nhalfof the second run\n");
    assert.deepEqual([spool.attempts, spool.holes], [[{ offset: 8, attempt: 1 }], []]);
    await spool.close();
  });

  it("goes on when a full disk has room again, with a hole where the kubelet has rotated meanwhile", async () => {
    await using bench = await makeBench();
    await using disk = await mountDisk(bench.directory, "1m");
    const { fake } = bench;
    startPod(fake, "ci", "p");
    const spool = await bench.openSpool();
    const full = new Promise<void>((resolve) => {
      const forget = spool.onGrowth(() => {
        if (!spool.isDiskFull) return;
        forget();
        resolve();
      });
    });
    const long = "x".repeat(15_000);
    const before = Array.from({ length: 120 }, (_, index) => entry(`${index} ${long}`, index));
    bench.write(...before);
    const done = bench.follow(spool);
    await full;
    bench.fake.logs.cut();
    fake.logs.rotate("ci", "p", "test");
    bench.write(entry("lost with the next rotation", 5000));
    fake.logs.rotate("ci", "p", "test");
    const last = entry("after it", 9000);
    bench.write(last);
    await disk.resize("8m");
    bench.end();
    await done;
    const got = await readAll(spool);
    const whole = printedBytes(before);
    assert.equal(spool.holes.length, 1);
    const { offset } = spool.holes[0] as { offset: number };
    assert.ok(offset <= whole.length && got.subarray(0, offset).equals(whole.subarray(0, offset)), `${offset} of ${whole.length}`);
    assert.equal(got.toString("latin1", offset), printedBytes([last]).toString());
    await spool.close();
  });

  it("gives up some minutes after the container's end when the disk stays full, and can be stopped before", async () => {
    for (const isStopped of [true, false]) {
      await using bench = await makeBench();
      await using _ = await mountDisk(bench.directory, "1m");
      startPod(bench.fake, "ci", "p");
      const spool = await bench.openSpool();
      bench.write(...Array.from({ length: 120 }, (_each, index) => entry(`${index} ${"x".repeat(15_000)}`, index)));
      const clock = makeSkippingClock();
      const leaving = new AbortController();
      spool.onGrowth(
        () => void (spool.isDiskFull && (isStopped ? leaving.abort() : clock.onSchedule((ms) => setTimeout(clock.skip, 0, ms)))),
      );
      bench.end();
      const options = { ...bench.optionsFor("p", "test"), clock, spool, hasEnded: () => true, run: () => undefined };
      const done = followLog(options, leaving.signal);
      if (isStopped) await done;
      else await assert.rejects(done, { code: "TH_LOG_DISK_FULL" });
      assert.equal(spool.isEnded, false);
      await spool.close();
    }
  });

  it("fails when its spool can't be written", async () => {
    await using bench = await makeBench();
    startPod(bench.fake, "ci", "p");
    const spool = await bench.openSpool();
    await rm(bench.directory, { recursive: true });
    bench.write(entry("one", 1));
    await assert.rejects(bench.follow(spool), { code: "TH_LOG_SPOOL_TAKEN" });
    await spool.close();
  });
});

/** A kubelet whose readers do what real ones do only by chance; each stream is told what it shows. */
function makeSource(
  files: LogEntry[][],
  streams: ((show: (entries: LogEntry[]) => void, leave: Promise<void>) => Promise<void>)[],
): LogSource {
  let opened = 0;
  const show = (reader: LogReader, entries: readonly LogEntry[]) => Buffer.concat(entries.map((each) => reader.show(each)));
  return {
    async open({ sinceTime, signal }) {
      const reader = new LogReader({ sinceTime, timestamps: true });
      const { promise: left, resolve: leave } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => leave());
      const play = streams[opened++] ?? (async (say: (entries: LogEntry[]) => void) => say(files.at(-1) ?? []));
      const chunks: Buffer[] = [];
      let wake = () => {};
      let isOver = false;
      const say = (entries: LogEntry[]) => {
        chunks.push(show(reader, entries));
        wake();
      };
      const playing = play(say, left).then(() => {
        isOver = true;
        wake();
      });
      return (async function* () {
        for (;;) {
          const chunk = chunks.shift();
          if (chunk) yield chunk;
          else if (signal.aborted) throw signal.reason;
          else if (isOver) break;
          else {
            const woken = Promise.withResolvers<void>();
            wake = woken.resolve;
            await Promise.race([woken.promise, left]);
          }
        }
        await playing;
      })();
    },
    async head(bytes) {
      return show(new LogReader({ timestamps: true }), files.at(-1) ?? []).subarray(0, bytes);
    },
    async tail(lines) {
      return show(new LogReader({ timestamps: true }), (files.at(-1) ?? []).slice(-lines));
    },
    isGone: () => false,
    now: () => new Date(),
  };
}

type Step = PromiseWithResolvers<void>;

describe("a kubelet's rotation", () => {
  const long = "x".repeat(70_000);
  const first = [entry(long, 1), entry("end of the first", 2)];
  const second = [entry("begin of the second", 400), entry(`second ${long}`, 401)];
  const third = [entry("begin of the third", 8000), entry("end", 8001)];

  async function run(source: LogSource) {
    await using directory = await makeDirectory();
    const spool = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    const clock = makeSkippingClock();
    clock.onSchedule((delayMs) => void setTimeout(() => clock.skip(delayMs), 20));
    await followLog(
      { source, spool, hasEnded: () => true, masker: NOTHING_MASKED, run: () => undefined, clock, logger: silentLogger },
      new AbortController().signal,
    );
    const got = await readAll(spool);
    await spool.close();
    return { got, holes: spool.holes };
  }

  it("that a stream does not hear of loses nothing: the stream is left, and the next one begins with the new file", async () => {
    const files = [first];
    const { got, holes } = await run(
      makeSource(files, [
        async (show, left) => {
          show(first);
          files.push(second);
          await left;
        },
      ]),
    );
    assert.ok(got.equals(printedBytes([...first, ...second])));
    assert.deepEqual(holes, []);
  });

  it("is none that ends a stream while the kubelet does nothing at all, for as long as that may be", async () => {
    const files = [first];
    const [looked, lookedAgain, answered] = [0, 1, 2].map(() => Promise.withResolvers<void>()) as [Step, Step, Step];
    let looks = 0;
    const source = makeSource(files, [
      async (show, left) => {
        show(first.slice(0, 1));
        files.push(second);
        await looked.promise;
        const isLeft = await Promise.race([left.then(() => true), lookedAgain.promise.then(() => false)]);
        if (!isLeft) show(first.slice(1));
        answered.resolve();
        await left;
      },
    ]);
    const { got, holes } = await run({
      ...source,
      async head(bytes, which) {
        looks += 1;
        looked.resolve();
        if (looks === 3) {
          lookedAgain.resolve();
          await answered.promise;
        }
        return source.head(bytes, which);
      },
    });
    assert.ok(got.equals(printedBytes([...first, ...second])));
    assert.deepEqual(holes, []);
  });

  it("that cuts a line, as containerd does, leaves it whole, whether the stream goes on within it or does not hear of it", async () => {
    const cut = [entry(long, 1), entry("begins here, ", 2, true)];
    const rest = [entry("ends there", 400), entry("last", 401)];
    for (const goesOn of [true, false]) {
      const files = [cut];
      const { got, holes } = await run(
        makeSource(files, [
          async (show, left) => {
            show(cut);
            files.push(rest);
            if (goesOn) show(rest);
            else await left;
          },
        ]),
      );
      assert.ok(got.equals(printedBytes([...cut, ...rest])), got.toString("latin1", 70_001));
      assert.deepEqual(holes, []);
    }
  });

  /** The first stream is so slow that two rotations are over when it has come to the end of its file. */
  async function runSlowly({ canOpen }: { canOpen: boolean }) {
    const slow = [...first, entry(long, 3), entry(long, 4)];
    const files = [slow];
    const source = makeSource(files, [
      async (show) => {
        show(first);
        await looked();
        files.push(second);
        show(slow.slice(2, 3));
        await looked();
        files.push(third);
        show(slow.slice(3));
        await looked();
        show(third);
      },
    ]);
    let heard = () => {};
    const looked = () => {
      const look = Promise.withResolvers<void>();
      heard = look.resolve;
      return look.promise;
    };
    let opened = 0;
    const { got, holes } = await run({
      ...source,
      async open(options) {
        opened += 1;
        // Those that are opened beside it.
        if (!canOpen && (opened === 2 || opened === 3)) throw new Error("no more connections");
        return source.open(options);
      },
      async head(bytes, signal) {
        const head = await source.head(bytes, signal);
        setImmediate(heard);
        return head;
      },
    });
    return { got, holes, slow };
  }

  it("that a stream goes past, with all of a file, loses nothing: another one was opened while the file was there", async () => {
    const { got, holes, slow } = await runSlowly({ canOpen: true });
    assert.ok(got.equals(printedBytes([...slow, ...second, ...third])));
    assert.deepEqual(holes, []);
  });

  it("that a stream goes past leaves a hole where no other could be opened", async () => {
    const { got, holes, slow } = await runSlowly({ canOpen: false });
    assert.ok(got.equals(printedBytes([...slow, ...third])));
    assert.equal(holes.length, 1);
    assert.equal(holes[0]?.offset, printedBytes(slow).length);
  });
});
