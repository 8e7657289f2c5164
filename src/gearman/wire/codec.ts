import { isUtf8 } from "node:buffer";

import { ChunkList } from "./chunk-list.ts";
import { GearmanError, protocolViolation } from "./gearman-error.ts";
import { fieldCountOf, PACKET, type PacketType, renderPacketName } from "./packet.ts";

/*
 * The binary packet, from the Gearman protocol document:
 *
 *   4 bytes  magic: "\0REQ" in a request, "\0RES" in a response
 *   4 bytes  type, big endian
 *   4 bytes  size of what follows, big endian
 *   n bytes  the arguments, separated by NUL bytes; the last one has no NUL behind it and may contain NULs
 */
export const HEADER_BYTES = 12;
const MAGIC_REQUEST = 0x00524551;
const MAGIC_RESPONSE = 0x00524553;

/** Longest body kept of a packet that carries a payload. */
export const DEFAULT_PAYLOAD_LIMIT_BYTES = 64 * 1024 * 1024;
/** Longest body of any other packet: handles, names, numbers, an error text. */
const SMALL_LIMIT_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);

/** What a decoder takes: types that are not in it are a violation. */
export type PacketLimits = Partial<Record<PacketType, { readonly maxBytes: number; readonly onExcess: "violation" | "truncate" }>>;

const SMALL = { maxBytes: SMALL_LIMIT_BYTES, onExcess: "violation" } as const;
const NOTHING = { maxBytes: 0, onExcess: "violation" } as const;

/**
 * What a worker may be sent. An assignment whose payload is above the limit is cut, not refused: gearmand would hand the same job out again
 * at once, to a connection that would die of it again, and every build on those connections with it.
 */
export function makeWorkerLimits(payloadLimitBytes: number = DEFAULT_PAYLOAD_LIMIT_BYTES): PacketLimits {
  return {
    [PACKET.NOOP]: NOTHING,
    [PACKET.NO_JOB]: NOTHING,
    [PACKET.JOB_ASSIGN]: { maxBytes: payloadLimitBytes, onExcess: "truncate" },
    [PACKET.JOB_ASSIGN_UNIQ]: { maxBytes: payloadLimitBytes, onExcess: "truncate" },
    [PACKET.ECHO_RES]: SMALL,
    [PACKET.ERROR]: SMALL,
    [PACKET.STATUS_RES]: SMALL,
    [PACKET.STATUS_RES_UNIQUE]: SMALL,
    [PACKET.OPTION_RES]: SMALL,
  };
}

/** What a client may be sent. */
export function makeClientLimits(payloadLimitBytes: number = DEFAULT_PAYLOAD_LIMIT_BYTES): PacketLimits {
  const payload = { maxBytes: payloadLimitBytes, onExcess: "violation" } as const;
  return {
    [PACKET.JOB_CREATED]: SMALL,
    [PACKET.WORK_STATUS]: SMALL,
    [PACKET.WORK_COMPLETE]: payload,
    [PACKET.WORK_FAIL]: payload,
    [PACKET.WORK_EXCEPTION]: payload,
    [PACKET.WORK_DATA]: payload,
    [PACKET.WORK_WARNING]: payload,
    [PACKET.ECHO_RES]: SMALL,
    [PACKET.ERROR]: SMALL,
    [PACKET.STATUS_RES]: SMALL,
    [PACKET.STATUS_RES_UNIQUE]: SMALL,
    [PACKET.OPTION_RES]: SMALL,
  };
}

/**
 * One packet as bytes. Strings become UTF-8. Throws TH_GEARMAN_ARGUMENT when the number of fields is not the type's or a field before the
 * last holds a NUL (it would end there and shift all that follow).
 */
export function encodePacket(
  type: PacketType,
  fields: readonly (string | Uint8Array)[] = [],
  magic: "request" | "response" = "request",
): Buffer {
  const count = fieldCountOf(type);
  if (count === undefined || fields.length < count.min || fields.length > count.max) {
    throw new GearmanError("TH_GEARMAN_ARGUMENT", `${renderPacketName(type)} does not take ${fields.length} fields`);
  }
  let size = fields.length === 0 ? 0 : fields.length - 1;
  for (let index = 0; index < fields.length; index += 1) {
    const field = fields[index] as string | Uint8Array;
    if (index < count.max - 1 && hasNul(field)) {
      throw new GearmanError("TH_GEARMAN_ARGUMENT", `field ${index + 1} of ${renderPacketName(type)} holds a NUL byte`);
    }
    size += typeof field === "string" ? Buffer.byteLength(field) : field.length;
  }
  const packet = Buffer.allocUnsafe(HEADER_BYTES + size);
  packet.writeUInt32BE(magic === "request" ? MAGIC_REQUEST : MAGIC_RESPONSE, 0);
  packet.writeUInt32BE(type, 4);
  packet.writeUInt32BE(size, 8);
  let offset = HEADER_BYTES;
  for (let index = 0; index < fields.length; index += 1) {
    const field = fields[index] as string | Uint8Array;
    if (index > 0) packet[offset++] = 0;
    if (typeof field === "string") {
      offset += packet.write(field, offset);
    } else {
      packet.set(field, offset);
      offset += field.length;
    }
  }
  return packet;
}

function hasNul(field: string | Uint8Array): boolean {
  return typeof field === "string" ? field.includes("\0") : field.includes(0);
}

/**
 * The fields of a packet's body, as views into it; the last one keeps its NULs. Optional fields that are missing are left out. Throws
 * TH_GEARMAN_PROTOCOL when a required one is missing.
 */
export function splitFields(type: number, body: Buffer): Buffer[] {
  const count = fieldCountOf(type);
  if (count === undefined) throw protocolViolation(`a packet of unknown ${renderPacketName(type)}`);
  if (count.max === 0) return [];
  const fields: Buffer[] = [];
  let start = 0;
  while (fields.length < count.max - 1) {
    const end = body.indexOf(0, start);
    if (end === -1) break;
    fields.push(body.subarray(start, end));
    start = end + 1;
  }
  fields.push(start === 0 ? body : body.subarray(start));
  if (fields.length < count.min) {
    throw protocolViolation(`${renderPacketName(type)} has ${fields.length} fields where ${count.min} are due`);
  }
  return fields;
}

/** Text of a field that a person or another system chose: UTF-8 where it is UTF-8, else byte for byte, so that no two become one. */
export function decodeText(field: Buffer): string {
  const text = field.toString();
  return text.includes("\ufffd") && !isUtf8(field) ? field.toString("latin1") : text;
}

/**
 * Takes bytes as they come and calls `onPacket` once for each whole packet, synchronously. `body` is a view that stays valid, but may pin
 * a larger buffer: whoever keeps it long copies it. `bodyBytes` is its length on the wire, larger than `body.length` only where the limits
 * say `truncate`. Either magic is accepted in both directions: geard relays WORK_FAIL with the request's.
 */
export class PacketDecoder {
  readonly #maxBytes: readonly number[];
  readonly #truncates: readonly boolean[];
  readonly #onPacket: (type: PacketType, body: Buffer, bodyBytes: number) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  readonly #body = new ChunkList();
  #type: PacketType = PACKET.NOOP;
  #bodyBytes = 0;
  /** Of the packet under way: bytes still to keep, then bytes still to drop. Both 0 between packets. */
  #keepBytes = 0;
  #dropBytes = 0;
  #isStopped = false;

  constructor(limits: PacketLimits, onPacket: (type: PacketType, body: Buffer, bodyBytes: number) => void) {
    const maxBytes: number[] = [];
    const truncates: boolean[] = [];
    for (const type of Object.values(PACKET)) {
      maxBytes[type] = limits[type]?.maxBytes ?? -1;
      truncates[type] = limits[type]?.onExcess === "truncate";
    }
    this.#maxBytes = maxBytes;
    this.#truncates = truncates;
    this.#onPacket = onPacket;
  }

  /** No packet is delivered after this, not even of the chunk under way. */
  stop(): void {
    this.#isStopped = true;
    this.#body.take();
  }

  /** Throws TH_GEARMAN_PROTOCOL on a violation (and passes on what `onPacket` throws); the stream is useless afterwards. */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length && !this.#isStopped) {
      if (this.#keepBytes + this.#dropBytes > 0) offset = this.#takeBody(chunk, offset);
      else if (this.#headerBytes === 0 && chunk.length - offset >= HEADER_BYTES)
        offset = this.#begin(chunk, offset, chunk, offset + HEADER_BYTES);
      else offset = this.#takeHeaderPiece(chunk, offset);
    }
  }

  /** A header that is cut by the end of a chunk. */
  #takeHeaderPiece(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, offset, end);
    if (this.#headerBytes < HEADER_BYTES) return end;
    this.#headerBytes = 0;
    return this.#begin(this.#header, 0, chunk, end);
  }

  /** Reads the header at `at` of `header`; what follows is in `chunk` from `offset`. Returns where the next packet starts. */
  #begin(header: Buffer, at: number, chunk: Buffer, offset: number): number {
    const magic = readWord(header, at);
    const type = readWord(header, at + 4);
    const length = readWord(header, at + 8);
    if (magic !== MAGIC_REQUEST && magic !== MAGIC_RESPONSE) {
      throw protocolViolation(`a packet begins with 0x${magic.toString(16).padStart(8, "0")}, which is no Gearman magic`);
    }
    const maxBytes = this.#maxBytes[type] ?? -1;
    if (maxBytes === -1) throw protocolViolation(`a packet of ${renderPacketName(type)}, which nobody asked for`);
    if (length > maxBytes && this.#truncates[type] !== true) {
      throw protocolViolation(`${renderPacketName(type)} of ${length} bytes is above the limit of ${maxBytes}`);
    }
    if (length <= maxBytes && length <= chunk.length - offset) {
      this.#onPacket(type as PacketType, length === 0 ? EMPTY : chunk.subarray(offset, offset + length), length);
      return offset + length;
    }
    this.#type = type as PacketType;
    this.#bodyBytes = length;
    this.#keepBytes = Math.min(length, maxBytes);
    this.#dropBytes = length - this.#keepBytes;
    return offset;
  }

  #takeBody(chunk: Buffer, offset: number): number {
    const keepEnd = Math.min(chunk.length, offset + this.#keepBytes);
    if (keepEnd > offset) this.#body.append(chunk.subarray(offset, keepEnd));
    this.#keepBytes -= keepEnd - offset;
    const end = Math.min(chunk.length, keepEnd + this.#dropBytes);
    this.#dropBytes -= end - keepEnd;
    if (this.#keepBytes + this.#dropBytes === 0) this.#onPacket(this.#type, this.#body.take(), this.#bodyBytes);
    return end;
  }
}

function readWord(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  );
}
