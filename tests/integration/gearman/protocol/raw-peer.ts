import { connect } from "node:net";
import { PacketDecoder, type PacketLimits, splitFields } from "../../../../src/gearman/wire/codec.ts";
import { fieldCountOf, PACKET, renderPacketName } from "../../../../src/gearman/wire/packet.ts";
import type { GearmanServer } from "../../../support/gearman/gearman-server.ts";
import { Inbox } from "../worker/link-harness.ts";

/** Packets that this program never sends, by their numbers in the protocol document. */
export const UNUSED_PACKET = {
  CANT_DO: 2,
  RESET_ABILITIES: 3,
  GRAB_JOB: 9,
  ECHO_REQ: 16,
  CAN_DO_TIMEOUT: 23,
  OPTION_REQ: 26,
  GRAB_JOB_ALL: 39,
} as const;

/** A connection that sends any packet, whether or not a worker should. */
export interface RawPeer extends Disposable {
  send(type: number, ...fields: string[]): void;
  bytes(bytes: Buffer): void;
  /** What came, as `NAME field field`. */
  readonly packets: Inbox<string>;
  /** Sends GET_STATUS and resolves with everything that came before its answer; undefined when the server closed the connection instead. */
  answers(): Promise<string[] | undefined>;
}

const ANYTHING: PacketLimits = Object.fromEntries(
  Object.values(PACKET).map((type) => [type, { maxBytes: 2 ** 26, onExcess: "violation" as const }]),
);

export async function connectRaw(server: GearmanServer): Promise<RawPeer> {
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const packets = new Inbox<string>();
  const decoder = new PacketDecoder(ANYTHING, (type, body) => {
    const fields = (fieldCountOf(type)?.max ?? 0) === 0 ? [] : splitFields(type, body).map((field) => field.toString("latin1"));
    packets.push([renderPacketName(type), ...fields].join(" "));
  });
  socket.on("data", (chunk: Buffer) => decoder.push(chunk));
  socket.on("error", () => undefined);
  socket.on("close", () => packets.push("closed"));
  let questions = 0;
  const peer: RawPeer = {
    packets,
    bytes: (bytes) => void socket.write(bytes),
    send(type, ...fields) {
      const body = Buffer.from(fields.join("\0"), "latin1");
      const header = Buffer.from("\0REQ\0\0\0\0\0\0\0\0", "latin1");
      header.writeUInt32BE(type, 4);
      header.writeUInt32BE(body.length, 8);
      socket.write(Buffer.concat([header, body]));
    },
    async answers() {
      const before = packets.items.length;
      questions += 1;
      const handle = `H:question:${questions}`;
      peer.send(PACKET.GET_STATUS, handle);
      const isAnswer = (packet: string) => packet.startsWith(`STATUS_RES ${handle} `) || packet === "closed";
      await packets.until((items) => items.some(isAnswer));
      const end = packets.items.findIndex(isAnswer);
      return packets.items[end] === "closed" ? undefined : packets.items.slice(before, end);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
  return peer;
}
