import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  decodeText,
  encodePacket,
  HEADER_BYTES,
  makeClientLimits,
  makeWorkerLimits,
  PacketDecoder,
  splitFields,
} from "../../../../src/gearman/wire/codec.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { fieldCountOf, PACKET, type PacketType } from "../../../../src/gearman/wire/packet.ts";

interface Decoded {
  type: PacketType;
  body: Buffer;
  bodyBytes: number;
}

function decodeAll(chunks: Iterable<Buffer>, limits = makeWorkerLimits()): Decoded[] {
  const packets: Decoded[] = [];
  const decoder = new PacketDecoder(limits, (type, body, bodyBytes) => packets.push({ type, body, bodyBytes }));
  for (const chunk of chunks) decoder.push(chunk);
  return packets;
}

/** `bytes` cut at the given positions; any order, any repetition. */
function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const cuts = [0, ...positions.map((position) => position % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => Buffer.from(bytes.subarray(cuts[index], end)));
}

function header(magic: string, type: number, size: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(magic, 0, "latin1");
  bytes.writeUInt32BE(type, 4);
  bytes.writeUInt32BE(size, 8);
  return bytes;
}

const isViolation = (error: unknown) => error instanceof GearmanError && error.code === "TH_GEARMAN_PROTOCOL";
const isBadArgument = (error: unknown) => error instanceof GearmanError && error.code === "TH_GEARMAN_ARGUMENT";

describe("encodePacket", () => {
  test("writes the bytes of the protocol document", () => {
    const packet = encodePacket(PACKET.WORK_DATA, ["H:lap:1", "a\0b"]);
    assert.equal(packet.toString("latin1"), "\0REQ\0\0\0\x1c\0\0\0\x0bH:lap:1\0a\0b");
    assert.equal(encodePacket(PACKET.PRE_SLEEP).toString("latin1"), "\0REQ\0\0\0\x04\0\0\0\0");
    assert.equal(encodePacket(PACKET.NO_JOB, [], "response").toString("latin1"), "\0RES\0\0\0\x0a\0\0\0\0");
  });

  test("counts bytes, not characters", () => {
    const packet = encodePacket(PACKET.CAN_DO, ["build:größe-🦛"]);
    assert.equal(packet.readUInt32BE(8), Buffer.byteLength("build:größe-🦛"));
    assert.equal(packet.subarray(HEADER_BYTES).toString(), "build:größe-🦛");
  });

  test("refuses a NUL in any field but the last, and a wrong number of fields", () => {
    assert.throws(() => encodePacket(PACKET.WORK_STATUS, ["h\0x", "1", "2"]), isBadArgument);
    assert.throws(() => encodePacket(PACKET.WORK_DATA, [Buffer.from("h\0x"), "data"]), isBadArgument);
    assert.throws(() => encodePacket(PACKET.WORK_STATUS, ["h", "1"]), isBadArgument);
    assert.throws(() => encodePacket(PACKET.PRE_SLEEP, ["x"]), isBadArgument);
  });
});

describe("splitFields", () => {
  test("keeps NULs in the last field and empty fields anywhere", () => {
    const split = (type: PacketType, body: string) =>
      splitFields(type, Buffer.from(body, "latin1")).map((field) => field.toString("latin1"));
    assert.deepEqual(split(PACKET.JOB_ASSIGN_UNIQ, "H:1\0build:x\0u\0{}\0\0"), ["H:1", "build:x", "u", "{}\0\0"]);
    assert.deepEqual(split(PACKET.JOB_ASSIGN_UNIQ, "H:1\0build:x\0\0"), ["H:1", "build:x", "", ""]);
    assert.deepEqual(split(PACKET.JOB_CREATED, "H:1"), ["H:1"]);
    assert.deepEqual(split(PACKET.NOOP, ""), []);
    assert.deepEqual(split(PACKET.STATUS_RES, "H:1\x001\x000\x003\x007"), ["H:1", "1", "0", "3", "7"]);
  });

  test("takes WORK_COMPLETE and WORK_FAIL with and without what may follow the handle", () => {
    assert.equal(splitFields(PACKET.WORK_COMPLETE, Buffer.from("H:1")).length, 1);
    assert.equal(splitFields(PACKET.WORK_FAIL, Buffer.from("H:1")).length, 1);
    assert.deepEqual(
      splitFields(PACKET.WORK_FAIL, Buffer.from("H:1\0why")).map((field) => field.toString()),
      ["H:1", "why"],
    );
  });

  test("throws where a field is missing", () => {
    assert.throws(() => splitFields(PACKET.JOB_ASSIGN_UNIQ, Buffer.from("H:1\0build:x\0u")), isViolation);
    assert.throws(() => splitFields(PACKET.STATUS_RES, Buffer.alloc(0)), isViolation);
  });
});

describe("decodeText", () => {
  test("is UTF-8 where the bytes are, else byte for byte", () => {
    assert.equal(decodeText(Buffer.from("größe")), "größe");
    assert.equal(decodeText(Buffer.from([0xff, 0xfe])), "\xff\xfe");
    assert.equal(decodeText(Buffer.from("�")), "�");
    assert.notEqual(decodeText(Buffer.from([0xff])), decodeText(Buffer.from([0xfe])));
  });
});

describe("PacketDecoder", () => {
  test("takes either magic in either direction", () => {
    const packets = decodeAll(
      [encodePacket(PACKET.WORK_FAIL, ["H:1"], "request"), encodePacket(PACKET.WORK_FAIL, ["H:2"], "response")],
      makeClientLimits(),
    );
    assert.deepEqual(
      packets.map(({ body }) => body.toString()),
      ["H:1", "H:2"],
    );
  });

  const violations: [string, Buffer][] = [
    ["another magic", header("HTTP", PACKET.NOOP, 0)],
    ["the admin protocol's text", Buffer.from("ERR unknown_command Unknown+server+command\r\n")],
    ["a type that no worker is sent", header("\0RES", PACKET.SUBMIT_JOB, 0)],
    ["type 0", header("\0RES", 0, 0)],
    ["type 0xffffffff", header("\0RES", 0xffffffff, 0)],
    ["a NOOP with a body", header("\0RES", PACKET.NOOP, 1)],
    ["a STATUS_RES of 4 GiB", header("\0RES", PACKET.STATUS_RES, 0xffffffff)],
    ["an ERROR above 64 KiB", header("\0RES", PACKET.ERROR, 65_537)],
  ];
  for (const [what, bytes] of violations) {
    test(`throws TH_GEARMAN_PROTOCOL on ${what}, before any body has come`, () => {
      assert.throws(() => decodeAll([bytes]), isViolation);
      assert.throws(() => decodeAll([...bytes].map((byte) => Buffer.from([byte]))), isViolation);
    });
  }

  test("throws on a client's payload above the limit", () => {
    assert.throws(() => decodeAll([header("\0RES", PACKET.WORK_DATA, 11)], makeClientLimits(10)), isViolation);
  });

  test("cuts an assignment above the limit, tells its true length and goes on with the next packet", () => {
    const assign = encodePacket(PACKET.JOB_ASSIGN_UNIQ, ["H:1", "f", "u", "x".repeat(1000)], "response");
    const stream = Buffer.concat([assign, encodePacket(PACKET.NO_JOB, [], "response")]);
    for (const chunks of [[stream], [...stream].map((byte) => Buffer.from([byte]))]) {
      const packets = decodeAll(chunks, makeWorkerLimits(20));
      assert.deepEqual(
        packets.map(({ type, body, bodyBytes }) => [type, body.toString("latin1"), bodyBytes]),
        [
          [PACKET.JOB_ASSIGN_UNIQ, `H:1\0f\0u\0${"x".repeat(12)}`, 1008],
          [PACKET.NO_JOB, "", 0],
        ],
      );
    }
  });

  test("keeps nothing of an assignment beyond the limit", () => {
    const decoder = new PacketDecoder(makeWorkerLimits(1024), () => assert.fail("the packet is not complete"));
    decoder.push(header("\0RES", PACKET.JOB_ASSIGN_UNIQ, 0xffffffff));
    const chunk = Buffer.alloc(65_536);
    const before = process.memoryUsage().arrayBuffers;
    for (let sent = 0; sent < 2 ** 31; sent += chunk.length) decoder.push(chunk);
    assert.ok(process.memoryUsage().arrayBuffers - before < 10 * 2 ** 20);
  });

  test("delivers nothing after stop, not even from the same chunk", () => {
    let count = 0;
    const decoder = new PacketDecoder(makeWorkerLimits(), () => {
      count += 1;
      decoder.stop();
    });
    const noop = encodePacket(PACKET.NOOP, [], "response");
    decoder.push(Buffer.concat([noop, noop, noop]));
    decoder.push(noop);
    assert.equal(count, 1);
  });

  test("joins a long body at a cost linear in its length, in pieces of any size", () => {
    const msFor = (bytes: number, pieceBytes: number) => {
      const packet = encodePacket(PACKET.JOB_ASSIGN_UNIQ, ["H:1", "f", "u", Buffer.alloc(bytes)], "response");
      const pieces: Buffer[] = [];
      for (let at = 0; at < packet.length; at += pieceBytes) pieces.push(packet.subarray(at, at + pieceBytes));
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3; round += 1) {
        const from = performance.now();
        assert.equal(decodeAll(pieces)[0]?.bodyBytes, packet.length - HEADER_BYTES);
        best = Math.min(best, performance.now() - from);
      }
      return best;
    };
    // 16 times the length: 16 times the time when linear (128 allows for a busy machine), 256 times when every chunk copies all before it.
    assert.ok(msFor(16 * 2 ** 20, 65_536) < 128 * Math.max(1, msFor(2 ** 20, 65_536)));
    assert.ok(msFor(2 ** 22, 16) < 128 * Math.max(1, msFor(2 ** 18, 16)));
  });

  test("holds about as much memory as bytes came, even when each came alone", () => {
    const bytes = 2 ** 21;
    const decoder = new PacketDecoder(makeWorkerLimits(), () => assert.fail("the packet is not complete"));
    decoder.push(header("\0RES", PACKET.JOB_ASSIGN_UNIQ, bytes + 1));
    const before = process.memoryUsage().arrayBuffers;
    const piece = Buffer.alloc(1);
    for (let sent = 0; sent < bytes; sent += 1) decoder.push(piece);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 * bytes + 2 ** 20);
  });
});

const anyField = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const anyPacket = fc.constantFrom(...(Object.values(PACKET) as PacketType[])).chain((type) => {
  const count = fieldCountOf(type) ?? { min: 0, max: 0 };
  const inner = anyField.map((field) => Buffer.from(field.filter((byte) => byte !== 0)));
  return fc.record({
    type: fc.constant(type),
    fields: fc.tuple(...Array.from({ length: count.max }, (_, index) => (index < count.max - 1 ? inner : anyField))),
    magic: fc.constantFrom("request" as const, "response" as const),
  });
});
const everyType = Object.fromEntries(Object.values(PACKET).map((type) => [type, { maxBytes: 4096, onExcess: "violation" as const }]));

describe("any stream of packets", () => {
  test("comes out as it went in, wherever it is cut", () => {
    fc.assert(
      fc.property(fc.array(anyPacket, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (packets, positions) => {
        const stream = Buffer.concat(packets.map(({ type, fields, magic }) => encodePacket(type, fields, magic)));
        const decoded = decodeAll(cut(stream, positions), everyType);
        assert.deepEqual(
          decoded.map(({ type, body }) => ({ type, fields: splitFields(type, body).map((field) => field.toString("hex")) })),
          packets.map(({ type, fields }) => ({ type, fields: fields.map((field) => field.toString("hex")) })),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("of hostile bytes gives packets or a coded violation, the same wherever it is cut", () => {
    const almostPacket = fc
      .record({
        magic: fc.constantFrom("\0RES", "\0REQ", "\0RE", "HTTP"),
        type: fc.oneof(fc.nat(50), fc.integer({ min: 0, max: 0xffffffff })),
        size: fc.oneof({ weight: 5, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) }),
        body: fc.uint8Array({ maxLength: 60 }),
      })
      .map(({ magic, type, size, body }) => Buffer.concat([header(magic, type, size), body]));
    const hostile = fc.array(
      fc.oneof(
        anyPacket.map(({ type, fields }) => encodePacket(type, fields)),
        almostPacket,
      ),
      { maxLength: 8 },
    );
    const outcome = (chunks: Buffer[]) => {
      const packets: string[] = [];
      const decoder = new PacketDecoder(makeWorkerLimits(50), (type, body, bodyBytes) => {
        packets.push(`${type} ${body.toString("hex")} ${bodyBytes}`);
      });
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        assert.ok(isViolation(error), String(error));
        packets.push(String(error));
      }
      return packets;
    };
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(), { maxLength: 30 }), (pieces, positions) => {
        const stream = Buffer.concat(pieces);
        assert.deepEqual(outcome(cut(stream, positions)), outcome([stream]));
      }),
      { numRuns: 3000 },
    );
  });
});
