import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { LogStore } from "../../../../src/logs/stores/log-store.ts";
import { chunks, listed, never, readStored, STORE_KINDS, type StoreStage, setStoreStage } from "./store-stage.ts";

const DIRECTORY = "56/123456/7/gate/unit/0123456";
const MEBIBYTE = 1024 * 1024;

/** `mebibytes` that differ everywhere, and their hash. */
function bigStream(mebibytes: number) {
  const hash = createHash("sha256");
  async function* open() {
    for (let index = 0; index < mebibytes; index += 1) {
      const block = Buffer.alloc(MEBIBYTE, `block ${index} of a long log, `);
      hash.update(block);
      yield block;
    }
  }
  return { open, digest: () => hash.digest("hex") };
}

for (const kind of STORE_KINDS) {
  describe(`the store in ${kind === "s3" ? "a bucket" : "a directory"}`, () => {
    let stage: StoreStage;
    before(async () => {
      stage = await setStoreStage(kind);
    });
    after(() => stage[Symbol.asyncDispose]());

    test("gives back what was put, byte for byte, and says how long it is", async () => {
      const store = await stage.make();
      const path = `${DIRECTORY}/console.log`;
      assert.equal(await store.put(path, () => chunks("first line\n", "\0\xff\r", ""), never), 15);
      assert.equal(await readStored(store, path), "first line\n\0\xff\r");
      assert.deepEqual(await store.stat(path, never), { bytes: 15 });
    });

    test("stores an empty file", async () => {
      const store = await stage.make();
      assert.equal(await store.put("a/empty.log", () => chunks(), never), 0);
      assert.equal(await readStored(store, "a/empty.log"), "");
      assert.deepEqual(await store.stat("a/empty.log", never), { bytes: 0 });
    });

    test("says of a file that is not there that it is not, whatever is asked", async () => {
      const store = await stage.make();
      await store.putText("a/b", "x", never);
      for (const path of ["a/c", "a", "a/b/c", "z/z"]) {
        assert.equal(await store.read(path, { start: 0 }, never), undefined, path);
        assert.equal(await store.stat(path, never), undefined, path);
        await store.remove(path, never);
      }
      assert.equal(await readStored(store, "a/b"), "x");
    });

    test("reads any range, and says each time how long the file is", async () => {
      const store = await stage.make();
      await store.putText("a/log", "0123456789", never);
      const ranges = [
        [0, 3, "012"],
        [3, 10, "3456789"],
        [7, undefined, "789"],
        [8, 100, "89"],
        [4, 4, ""],
        [10, undefined, ""],
        [50, 60, ""],
      ] as const;
      for (const [start, end, text] of ranges) {
        const range = end === undefined ? { start } : { start, end };
        assert.equal(await readStored(store, "a/log", range), text, `${start} to ${end}`);
        const part = await store.read("a/log", range, never);
        assert.equal(part?.bytes, 10);
        part?.body.destroy();
      }
    });

    test("takes a stream of any length in the memory of a few MiB, and opens its end at once", async () => {
      const store = await stage.make();
      const { open, digest } = bigStream(200);
      let most = 0;
      const looking = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 20);
      const before = process.memoryUsage().arrayBuffers;
      assert.equal(await store.put("a/big.log", open, never), 200 * MEBIBYTE);
      clearInterval(looking);
      assert.ok(most - before < 100 * MEBIBYTE, `took ${(most - before) / MEBIBYTE} MiB`);
      const end = await readStored(store, "a/big.log", { start: 200 * MEBIBYTE - 20 });
      assert.equal(end?.length, 20);
      const hash = createHash("sha256");
      for await (const chunk of (await store.read("a/big.log", { start: 0 }, never))?.body ?? []) hash.update(chunk);
      assert.equal(hash.digest("hex"), digest());
    });

    test("replaces a file, and shows the old one or the new one, never a part", async () => {
      const store = await stage.make();
      await store.putText("a/page.json", "old", never);
      const { promise: half, resolve: atHalf } = Promise.withResolvers<void>();
      const { promise: goOn, resolve: goesOn } = Promise.withResolvers<void>();
      const putting = store.put(
        "a/page.json",
        async function* () {
          yield Buffer.alloc(9 * MEBIBYTE, "n");
          atHalf();
          await goOn;
          yield Buffer.from("end");
        },
        never,
      );
      await half;
      assert.equal(await readStored(store, "a/page.json"), "old");
      assert.deepEqual(await listed(store), ["a/page.json"]);
      goesOn();
      await putting;
      assert.deepEqual(await store.stat("a/page.json", never), { bytes: 9 * MEBIBYTE + 3 });
    });

    test("leaves nothing where the stream fails half-way, and rejects with what it threw", async () => {
      const store = await stage.make();
      const broken = new Error("the pod is gone");
      for (const mebibytes of [0, 1, 20]) {
        await assert.rejects(
          store.put(
            "a/cut.log",
            async function* () {
              for (let index = 0; index < mebibytes; index += 1) yield Buffer.alloc(MEBIBYTE);
              throw broken;
            },
            never,
          ),
          (error) => error === broken,
        );
        assert.equal(await store.stat("a/cut.log", never), undefined);
      }
      assert.deepEqual(await listed(store), []);
      assert.equal(await store.removeUnfinished(new Date(Date.now() + 3_600_000), never), 0);
    });

    test("ends at once when it is told to, with the reason, and leaves nothing", async () => {
      const store = await stage.make();
      const stopping = new AbortController();
      const reason = new Error("the operator stops");
      const putting = store.put(
        "a/stopped.log",
        async function* () {
          for (;;) {
            yield Buffer.alloc(MEBIBYTE);
            stopping.abort(reason);
          }
        },
        stopping.signal,
      );
      await assert.rejects(putting, (error) => error === reason);
      assert.equal(await store.stat("a/stopped.log", never), undefined);
    });

    test("creates a text once: who comes later is told, and so is who made it that it is there", async () => {
      const store = await stage.make();
      assert.equal(await store.createText("a/claim", "one", never), true);
      assert.equal(await store.createText("a/claim", "other", never), false);
      assert.equal(await store.createText("a/claim", "one", never), true);
      assert.equal(await readStored(store, "a/claim"), "one");
    });

    test("creates a text for one of many who come at once", async () => {
      const store = await stage.make();
      const names = Array.from({ length: 12 }, (_, index) => `replica ${index}`);
      const won = await Promise.all(names.map((name) => store.createText("a/raced", name, never)));
      assert.equal(won.filter(Boolean).length, 1);
      assert.equal(await readStored(store, "a/raced"), names[won.indexOf(true)]);
    });

    test("lists what is below a folder, in one order for all stores, page by page", async () => {
      const store = await stage.make();
      const paths = ["a-b/x", "a.b", "a/b/c/d", "a/b/e", "a/b.log", "a/b-c", "ab", "é/ü", "a/z"];
      for (const path of paths) await store.putText(path, "x", never);
      const sorted = [...paths].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
      assert.deepEqual(await listed(store), sorted);
      assert.deepEqual(
        await listed(store, "a"),
        sorted.filter((path) => path.startsWith("a/")),
      );
      assert.deepEqual(await listed(store, "a/b"), ["a/b/c/d", "a/b/e"]);
      assert.deepEqual(await listed(store, "nothing"), []);
      const paged: string[] = [];
      for (let isMore = true; isMore; ) {
        const after = paged.at(-1);
        const page = await store.list("", { ...(after === undefined ? {} : { after }), limit: 2 }, never);
        paged.push(...page.files.map(({ path }) => path));
        isMore = page.isMore;
      }
      assert.deepEqual(paged, sorted);
      assert.deepEqual(await store.folders("", 100, never), ["a-b", "a", "é"]);
      assert.deepEqual(await store.folders("", 2, never), ["a", "é"]);
      assert.deepEqual(await store.folders("a", 100, never), ["b"]);
      assert.deepEqual(await store.folders("nothing", 100, never), []);
    });

    test("removes a file, and nothing is left of folders that it was alone in", async () => {
      const store = await stage.make();
      await store.putText("a/b/one", "1", never);
      await store.putText("a/two", "2", never);
      await store.remove("a/b/one", never);
      assert.deepEqual(await listed(store), ["a/two"]);
      assert.deepEqual(await store.folders("a", 10, never), []);
      await store.putText("a/b", "where a folder was", never);
      assert.equal(await readStored(store, "a/b"), "where a folder was");
    });

    test("keeps a file while folders beside it come and go", async () => {
      const store = await stage.make();
      const turns = Array.from({ length: 30 }, (_, index) => index);
      await Promise.all([
        ...turns.map((turn) => store.putText(`deep/er/and/deeper/${turn}`, String(turn), never)),
        ...turns.map(async (turn) => {
          await store.putText(`deep/er/gone/${turn}`, "x", never);
          await store.remove(`deep/er/gone/${turn}`, never);
        }),
      ]);
      assert.equal((await listed(store)).length, turns.length);
    });

    const outside = [
      "",
      "/",
      "/etc/passwd",
      "..",
      "a/../b",
      "a/..",
      "./a",
      "a//b",
      "a/",
      ".unfinished/x",
      "a\0b",
      "a\nb",
      "a\\..\\b",
      "x".repeat(300),
    ];
    test("refuses paths that are none, for whatever is done", async () => {
      const store = await stage.make();
      for (const path of outside) {
        const calls = [
          () => store.put(path, () => chunks("x"), never),
          () => store.putText(path, "x", never),
          () => store.createText(path, "x", never),
          () => store.read(path, { start: 0 }, never),
          () => store.stat(path, never),
          () => store.remove(path, never),
        ];
        for (const call of calls) await assert.rejects(async () => call(), RangeError, JSON.stringify(path));
      }
      assert.deepEqual(await listed(store), []);
    });

    test("knows where people reach a file when it was told, and not else", async () => {
      const [known, unknown] = [await stage.make({ publicUrl: "https://logs.example.org/ci/" }), await stage.make()];
      assert.equal(known.url("a/тест #1/console.log"), "https://logs.example.org/ci/a/%D1%82%D0%B5%D1%81%D1%82%20%231/console.log");
      assert.equal(unknown.url("a/console.log"), undefined);
    });

    test("never sees what another with another place has", async () => {
      const [one, other]: LogStore[] = [await stage.make({ place: "shared" }), await stage.make({ place: "shared-too" })];
      await one?.putText("a", "one", never);
      assert.deepEqual(await listed(other as LogStore), []);
    });
  });
}
