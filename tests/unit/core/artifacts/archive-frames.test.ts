import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ArchiveError, encodeFrame, type Frame, MAX_DATA_BYTES, MAX_JSON_BYTES } from "../../../../src/core/artifacts/archive-frames.ts";
import { FrameReader } from "../../../../src/core/artifacts/frame-reader.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

/** A frame by hand: kind as its letter, length, payload. */
function raw(letter: string, payload: string | Buffer, length = Buffer.byteLength(payload as string)): Buffer {
  const header = Buffer.alloc(5);
  header.write(letter, "latin1");
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, Buffer.from(payload as string)]);
}

function readAll(chunks: readonly Uint8Array[]): { frames: Frame[]; isEnded: boolean } {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    for (const frame of reader.read(chunk)) {
      const last = frames.at(-1);
      // Cut anywhere, one piece or many: the same bytes.
      if (frame.kind === "data" && last?.kind === "data") last.bytes = Buffer.concat([last.bytes, frame.bytes]);
      else frames.push(frame.kind === "data" ? { kind: "data", bytes: Buffer.from(frame.bytes) } : frame);
    }
  }
  return { frames, isEnded: reader.isEnded };
}

const FILE = raw("F", '{"name":"a"}');
const FILE_END = raw("E", '{"isChanged":false}');
const END = raw("Z", '{"leftOut":0}');

describe("an archive", () => {
  test("is read as it was written, however it is cut", (context) => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    const file = fc
      .tuple(text, fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 1 }), fc.boolean())
      .map(([name, data, isChanged]): Frame[] => [
        { kind: "file", name },
        ...data.map((bytes): Frame => ({ kind: "data", bytes: Buffer.from(bytes) })),
        isChanged ? { kind: "fileBroken", why: name } : { kind: "fileEnd", isChanged },
      ]);
    const leftOut = text.map((name): Frame[] => [{ kind: "leftOut", name, why: "no" }]);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(file, leftOut), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
        (parts, cuts) => {
          const frames: Frame[] = [...parts.flat(), { kind: "end", leftOut: 3 }];
          const bytes = Buffer.concat(frames.flatMap(encodeFrame));
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const length = cuts[i % cuts.length] ?? 1;
            chunks.push(bytes.subarray(at, at + length));
            at += length;
          }
          assert.deepEqual(readAll(chunks), { frames, isEnded: true });
        },
      ),
      fuzzParameters(context, 200),
    );
  });

  test("that is cut off anywhere is not whole, and gives only what came before", () => {
    const whole = Buffer.concat([FILE, raw("D", "hello"), FILE_END, END]);
    for (let length = 0; length < whole.length; length += 1) {
      assert.equal(readAll([whole.subarray(0, length)]).isEnded, false, `cut at ${length}`);
    }
  });

  const BROKEN: Record<string, Buffer[]> = {
    "is a tar archive": [Buffer.concat([Buffer.from("a.txt".padEnd(512, "\0")), Buffer.alloc(1024)])],
    "says a name of 4 GiB": [raw("F", "", 0xffffffff)],
    "says a name beyond the limit": [raw("F", "", MAX_JSON_BYTES + 1)],
    "says data beyond the limit": [FILE, raw("D", "", MAX_DATA_BYTES + 1)],
    "has bytes of no file": [raw("D", "hello")],
    "has an end of no file": [FILE_END],
    "has a file in a file": [FILE, FILE],
    "ends in a file": [FILE, END],
    "leaves something out in a file": [FILE, raw("L", '{"name":"a","why":"b"}')],
    "goes on after its end": [END, FILE],
    "has a byte after its end": [END, Buffer.from("x")],
    "has a name that is none": [raw("F", '{"name":7}')],
    "has no name": [raw("F", '{"name":""}')],
    "says more than is asked": [raw("F", '{"name":"a","mode":511}')],
    "is no JSON": [raw("F", "{")],
    "is no UTF-8": [raw("F", Buffer.from([0x7b, 0xff, 0x7d]))],
    "has an empty frame": [raw("F", "")],
    "left out less than nothing": [raw("Z", '{"leftOut":-1}')],
  };
  for (const [what, chunks] of Object.entries(BROKEN)) {
    test(`that ${what} is refused`, () => {
      assert.throws(() => readAll(chunks), ArchiveError);
      assert.throws(() => readAll([Buffer.concat(chunks)]), ArchiveError);
    });
  }
});
