import { createRequire } from "node:module";
import { Writable } from "node:stream";
import { encodePacket, makeWorkerLimits, PacketDecoder } from "../../../src/gearman/wire/codec.ts";
import { PACKET } from "../../../src/gearman/wire/packet.ts";
import { parseAssignedJob } from "../../../src/gearman/worker/assignment.ts";

/** Packets in a second of processor time, in memory: on a machine that does other things as well the wall clock says little. */
export interface CodecRates {
  decode: { ours: number; abraxas: number };
  encode: { ours: number; abraxas: number };
}

/** Ours does the same work so many times, to be measured for about as long. */
const REPEATS = 8;
/** What a socket hands over at once. */
const CHUNK_BYTES = 65_536;

interface AbraxasPacket {
  args: { job: string; function: string; uniqueid: string };
  body: NodeJS.ReadableStream;
}
/** gearman-packet is abraxas' packet code, and stream-to-buffer how its worker takes a whole payload. */
interface AbraxasParts {
  packet: {
    Parser: new () => NodeJS.ReadWriteStream;
    Emitter: new () => NodeJS.ReadWriteStream;
    types: Record<string, object>;
  };
  PacketHandler: new () => NodeJS.WritableStream & { accept(name: string, take: (packet: AbraxasPacket) => void): void };
  streamToBuffer(stream: NodeJS.ReadableStream, done: (error: Error | null, body: Buffer) => void): void;
}

function loadAbraxas(): AbraxasParts {
  const require = createRequire(createRequire(import.meta.url).resolve("abraxas"));
  return {
    packet: require("gearman-packet"),
    PacketHandler: require("./packet-handler.js"),
    streamToBuffer: require("./stream-to-buffer.js"),
  };
}

/** JOB_ASSIGN_UNIQ to a worker, and WORK_DATA from it: what both implementations do with bodies of `bodyBytes`, `count` times each. */
export async function measureCodec(bodyBytes: number, count: number): Promise<CodecRates> {
  const abraxas = loadAbraxas();
  const payload = Buffer.alloc(bodyBytes, "x");
  const fields = ["H:bench:123456", "build:gate-nova-python27", "0123456789abcdef0123456789abcdef", payload] as const;
  const packet = encodePacket(PACKET.JOB_ASSIGN_UNIQ, fields, "response");
  const chunks = [...cutIntoChunks(packet, count)];
  return {
    decode: {
      ours: rate(count * REPEATS, await timed(() => repeat(() => decodeOurs(chunks, count, bodyBytes)))),
      abraxas: rate(count, await timed(() => decodeAbraxas(abraxas, chunks, count, bodyBytes))),
    },
    encode: {
      ours: rate(count * REPEATS, await timed(() => repeat(() => encodeOurs(payload, count)))),
      abraxas: rate(count, await timed(() => encodeAbraxas(abraxas, payload, count))),
    },
  };
}

/** The same packet `count` times as a stream in pieces. */
function* cutIntoChunks(packet: Buffer, count: number): Iterable<Buffer> {
  const perBlock = Math.max(1, Math.ceil((4 * CHUNK_BYTES) / packet.length));
  const block = Buffer.concat(Array.from({ length: Math.min(perBlock, count) }, () => packet));
  for (let left = count * packet.length; left > 0; left -= block.length) {
    const part = block.subarray(0, Math.min(left, block.length));
    for (let start = 0; start < part.length; start += CHUNK_BYTES) yield part.subarray(start, start + CHUNK_BYTES);
  }
}

function decodeOurs(chunks: readonly Buffer[], count: number, bodyBytes: number): void {
  let taken = 0;
  const decoder = new PacketDecoder(makeWorkerLimits(), (type, body, size) => {
    if (parseAssignedJob(type, body, size).payload.length === bodyBytes) taken += 1;
  });
  for (const chunk of chunks) decoder.push(chunk);
  if (taken !== count) throw new Error(`our decoder gave ${taken} packets of ${count}`);
}

async function decodeAbraxas(
  { packet, PacketHandler, streamToBuffer }: AbraxasParts,
  chunks: readonly Buffer[],
  count: number,
  bodyBytes: number,
) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const parser = new packet.Parser();
  const handler = new PacketHandler();
  let taken = 0;
  handler.accept("JOB_ASSIGN_UNIQ", ({ body }) => {
    streamToBuffer(body, (error, whole) => {
      if (error || whole.length !== bodyBytes) reject(error ?? new Error(`abraxas gave a body of ${whole.length} bytes`));
      taken += 1;
      if (taken === count) resolve();
    });
  });
  parser.on("error", reject);
  parser.pipe(handler);
  await writeAll(parser, chunks);
  await promise;
}

function encodeOurs(payload: Buffer, count: number): void {
  let bytes = 0;
  for (let index = 0; index < count; index += 1) bytes += encodePacket(PACKET.WORK_DATA, ["H:bench:123456", payload]).length;
  if (bytes !== count * (12 + 15 + payload.length)) throw new Error("our encoder gave another number of bytes");
}

async function encodeAbraxas({ packet }: AbraxasParts, payload: Buffer, count: number): Promise<void> {
  const emitter = new packet.Emitter();
  const type = packet.types.WORK_DATA;
  let bytes = 0;
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      bytes += chunk.length;
      done();
    },
  });
  const ended = new Promise((resolve) => sink.on("finish", resolve));
  emitter.pipe(sink);
  const packets = {
    *[Symbol.iterator]() {
      for (let index = 0; index < count; index += 1) yield { kind: "request", type, args: { job: "H:bench:123456" }, body: payload };
    },
  };
  await writeAll(emitter, packets);
  await ended;
  if (bytes !== count * (12 + 15 + payload.length)) throw new Error("abraxas' encoder gave another number of bytes");
}

/** Waits where the stream asks for it, as a socket's pipe does. */
async function writeAll(stream: NodeJS.WritableStream, items: Iterable<unknown>): Promise<void> {
  for (const item of items) {
    if (!stream.write(item as Buffer)) await new Promise((resolve) => stream.once("drain", resolve));
  }
  stream.end();
}

function repeat(work: () => void): void {
  for (let time = 0; time < REPEATS; time += 1) work();
}

/** Processor time of the process in milliseconds, collections included. */
async function timed(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function rate(count: number, ms: number): number {
  return (count / ms) * 1000;
}
