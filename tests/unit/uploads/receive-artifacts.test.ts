import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ArchiveError, encodeFrame, type Frame } from "../../../src/core/artifacts/archive-frames.ts";
import { ARTIFACT_LIMITS } from "../../../src/core/artifacts/artifact-limits.ts";
import { receiveArtifacts } from "../../../src/uploads/receive-artifacts.ts";
import { MemorySink } from "../../support/artifacts/memory-sink.ts";

const { signal } = new AbortController();

function file(name: string, text = "x", isChanged = false): Frame[] {
  return [
    { kind: "file", name },
    { kind: "data", bytes: Buffer.from(text) },
    { kind: "fileEnd", isChanged },
  ];
}

async function* sent(frames: readonly Frame[]): AsyncGenerator<Uint8Array> {
  for (const frame of frames) yield* encodeFrame(frame);
}

async function receive(frames: readonly Frame[], limits = {}, sink = new MemorySink()) {
  const options = { sink, junit: ["*.xml"], limits: { ...ARTIFACT_LIMITS, ...limits }, signal };
  const record = await receiveArtifacts(sent(frames), options);
  return { record, stored: Object.fromEntries([...sink.files].map(([path, bytes]) => [path, bytes.toString()])) };
}

const END: Frame = { kind: "end", leftOut: 0 };

describe("artifacts that a hostile collector sends", () => {
  test("stay in their place, whatever they are called", async () => {
    const { record, stored } = await receive([
      ...file("../../up"),
      ...file("/etc/passwd"),
      ...file("a"),
      ...file("A", "y"),
      ...file("a/b"),
      END,
    ]);
    assert.deepEqual(stored, { a: "x", "A~2": "y" });
    assert.deepEqual(record, {
      files: [
        { path: "a", bytes: 1 },
        { path: "A~2", name: "A", bytes: 1 },
      ],
      bytes: 2,
      leftOut: [
        { name: "../../up", why: "its path leaves its directory" },
        { name: "/etc/passwd", why: "its path leaves its directory" },
        { name: "a/b", why: "a file and a directory have its name" },
      ],
      leftOutCount: 3,
    });
  });

  test("have limits, and what comes after a file that is too large is kept", async () => {
    const { record, stored } = await receive([...file("a", "12345"), ...file("large", "123456"), ...file("b", "12345"), END], {
      totalBytes: 10,
    });
    assert.deepEqual(stored, { a: "12345", b: "12345" });
    assert.deepEqual(record.leftOut, [{ name: "large", why: "beyond 10 bytes in all" }]);
    const bomb = Array.from({ length: 70 }, (_, i) => file(`${i}`, "x".repeat(2 ** 20))).flat();
    await assert.rejects(receive([...bomb, END], { totalBytes: 10 }), ArchiveError);
  });

  test("leave out what broke, and say what changed", async () => {
    const broken: Frame[] = [
      { kind: "file", name: "broken" },
      { kind: "data", bytes: Buffer.from("half") },
      { kind: "fileBroken", why: "it can't be read (EIO)\nfaked: line" },
    ];
    const { record, stored } = await receive([
      ...broken,
      ...file("log", "x", true),
      { kind: "leftOut", name: "l\u202e\n", why: "no" },
      { kind: "end", leftOut: 5 },
    ]);
    assert.deepEqual(stored, { log: "x" });
    assert.deepEqual(record.files, [{ path: "log", bytes: 1, isChanged: true }]);
    assert.deepEqual(record.leftOut, [
      { name: "broken", why: "it can't be read (EIO)\ufffdfaked: line" },
      { name: "l\ufffd\ufffd", why: "no" },
    ]);
    assert.equal(record.leftOutCount, 6);
  });

  test("name only the first of what is left out", async () => {
    const { record } = await receive([
      ...Array.from({ length: 300 }, (): Frame => ({ kind: "leftOut", name: "n", why: "w" })),
      { kind: "end", leftOut: 300 },
    ]);
    assert.deepEqual([record.leftOut.length, record.leftOutCount], [200, 300]);
  });

  test("count for nothing when they are cut off, also in a file", async () => {
    await assert.rejects(receive(file("a")), ArchiveError);
    await assert.rejects(receive(file("a").slice(0, 2)), ArchiveError);
    await assert.rejects(receive([]), ArchiveError);
    await assert.rejects(receive([END, END]), ArchiveError);
  });

  test("are all to be sent again when the store fails", async () => {
    const sink = new MemorySink();
    sink.beforePut = () => Promise.reject(new Error("full"));
    await assert.rejects(receive([...file("a"), END], {}, sink), /full/);
  });

  test("are not held in memory, however large they are", async () => {
    const MIB = 2 ** 20;
    async function* large(): AsyncGenerator<Uint8Array> {
      yield* encodeFrame({ kind: "file", name: "large" });
      for (let i = 0; i < 300; i += 1) yield* encodeFrame({ kind: "data", bytes: Buffer.alloc(MIB, i) });
      yield* encodeFrame({ kind: "fileEnd", isChanged: false });
      yield* encodeFrame(END);
    }
    let most = 0;
    const sink = {
      async put(_path: string, open: () => AsyncIterable<Uint8Array>) {
        for await (const _ of open()) {
          most = Math.max(most, process.memoryUsage().arrayBuffers);
          // As a store does that writes: what is not needed any more can go.
          await setImmediate();
        }
        return 0;
      },
    };
    const record = await receiveArtifacts(large(), { sink, junit: [], limits: ARTIFACT_LIMITS, signal });
    assert.equal(record.bytes, 300 * MIB);
    assert.ok(most < 150 * MIB, `${most} bytes`);
  });

  test("are as long as they are stored: what is served as so long must be so long", async () => {
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const frame of [...file("a", "password=hunter2"), END]) yield* encodeFrame(frame);
    }
    const sink = {
      async put(_path: string, open: () => AsyncIterable<Uint8Array>) {
        for await (const _ of open());
        return "password=***".length;
      },
    };
    const record = await receiveArtifacts(body(), { sink, junit: [], limits: ARTIFACT_LIMITS, signal });
    assert.deepEqual(record.files, [{ path: "a", bytes: 12 }]);
  });

  test("that are no XML are kept all the same, and that is said", async () => {
    const { record, stored } = await receive([...file("r.xml", "<!DOCTYPE a><testsuite/>"), ...file("deep/r.xml", "<no"), END]);
    assert.equal(Object.keys(stored).length, 2);
    assert.deepEqual(record.junit?.unread, [{ file: "r.xml", why: "it has a document type" }]);
  });
});
