import fc from "fast-check";
import { encodePacket, HEADER_BYTES } from "../../../../src/gearman/wire/codec.ts";
import { PACKET, type PacketType } from "../../../../src/gearman/wire/packet.ts";

/** One piece of what a hostile server sends. `honest` steps answer what was really asked, so that the rest meets every state. */
export type HostileStep =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "assign"; readonly fields: readonly string[]; readonly isPlain: boolean; readonly times: number }
  | { readonly kind: "honest" }
  | { readonly kind: "flood"; readonly packet: Buffer; readonly times: number };

const HANDLES = ["H:1", "H:2", "H:3", "", "\u00ff", "H:turbo-hipster:heartbeat", "x".repeat(300)];
const FUNCTIONS = ["build:a", "build:a", "build:a", "build:b", "stop:m", "", "build:foreign", "\u00e9\u00ff", "n".repeat(3000)];
const UNIQUES = ["", "-", "u1", "u2", "u".repeat(64), "u".repeat(3000), "\u0001\u00ff"];
const ANY_TYPE = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...(Object.values(PACKET) as PacketType[])) },
  { weight: 1, arbitrary: fc.constantFrom(0, 2, 3, 5, 9, 16, 24, 26, 36, 39, 43, 101, 1000, 0x7fffffff, 0x80000000, 0xffffffff) },
);
const MAGIC = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0x00524553) },
  { weight: 2, arbitrary: fc.constant(0x00524551) },
  { weight: 1, arbitrary: fc.constantFrom(0, 0x52455300, 0x48545450, 0xffffffff) },
);
/** What is added to the true length. */
const LIE = fc.oneof(
  { weight: 14, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 1, 7, 65_536, 0x7fffffff, 0xffffffff) },
);

function frame(magic: number, type: number, body: Buffer, lie: number): Buffer {
  const packet = Buffer.concat([Buffer.alloc(HEADER_BYTES), body]);
  packet.writeUInt32BE(magic, 0);
  packet.writeUInt32BE(type, 4);
  packet.writeUInt32BE(Math.min(0xffffffff, Math.max(0, body.length + lie)), 8);
  return packet;
}

const field = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...HANDLES, "0", "1", "99999999999999999999", "-1") },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
);
const fields = fc.array(field, { maxLength: 7 }).map((texts) => Buffer.from(texts.join("\0")));
const packet = fc.tuple(MAGIC, ANY_TYPE, fields, LIE).map(([magic, type, body, lie]) => frame(magic, type, body, lie));

const bytes = fc
  .oneof(
    { weight: 8, arbitrary: packet },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)) },
    { weight: 1, arbitrary: fc.tuple(packet, fc.nat(40)).map(([whole, length]) => whole.subarray(0, length)) },
    { weight: 1, arbitrary: fc.constant(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")) },
  )
  .map((chunk): HostileStep => ({ kind: "bytes", bytes: chunk }));
const assign = fc
  .record({
    fields: fc.tuple(
      fc.constantFrom(...HANDLES),
      fc.constantFrom(...FUNCTIONS),
      fc.constantFrom(...UNIQUES),
      fc.oneof(fc.constantFrom("", "{}", "\0\0", "x".repeat(5000)), fc.string({ maxLength: 30 })),
    ),
    isPlain: fc.boolean(),
    times: fc.constantFrom(1, 1, 1, 2, 3),
  })
  .map((step): HostileStep => ({ kind: "assign", ...step }));
const flood = fc
  .tuple(
    fc.constantFrom(
      encodePacket(PACKET.NOOP, [], "response"),
      encodePacket(PACKET.NO_JOB, [], "response"),
      encodePacket(PACKET.ERROR, ["JOB_NOT_FOUND", "x"], "response"),
      encodePacket(PACKET.STATUS_RES, ["H:1", "0", "0", "0", "0"], "response"),
      encodePacket(PACKET.STATUS_RES_UNIQUE, ["u1", "1", "1", "0", "0", "0"], "response"),
      encodePacket(PACKET.ECHO_RES, ["x"], "response"),
    ),
    fc.integer({ min: 2, max: 200 }),
  )
  .map(([chunk, times]): HostileStep => ({ kind: "flood", packet: chunk, times }));

export const hostileStep: fc.Arbitrary<HostileStep> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<HostileStep>({ kind: "honest" }) },
  { weight: 4, arbitrary: assign },
  { weight: 3, arbitrary: bytes },
  { weight: 1, arbitrary: flood },
);

/** The step as bytes; nothing for an honest one, which depends on what was asked. */
export function renderStep(step: HostileStep): Buffer {
  if (step.kind === "bytes") return step.bytes;
  if (step.kind === "flood") return Buffer.concat(Array<Buffer>(step.times).fill(step.packet));
  if (step.kind === "honest") return Buffer.alloc(0);
  const [handle = "", functionName = "", unique = "", payload = ""] = step.fields;
  const body = step.isPlain ? [handle, functionName, payload] : [handle, functionName, unique, payload];
  const type = step.isPlain ? PACKET.JOB_ASSIGN : PACKET.JOB_ASSIGN_UNIQ;
  return Buffer.concat(Array<Buffer>(step.times).fill(frame(0x00524553, type, Buffer.from(body.join("\0"), "latin1"), 0)));
}

/** How a stream is cut into chunks: whole, at each byte, or in pieces of a length. */
export function cutStream(stream: Buffer, pieceBytes: number): Buffer[] {
  if (pieceBytes <= 0) return [stream];
  const pieces: Buffer[] = [];
  for (let start = 0; start < stream.length; start += pieceBytes) pieces.push(stream.subarray(start, start + pieceBytes));
  return pieces;
}
