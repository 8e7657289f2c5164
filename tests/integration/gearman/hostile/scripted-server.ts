import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { encodePacket, PacketDecoder, type PacketLimits, splitFields } from "../../../../src/gearman/wire/codec.ts";
import { PACKET, type PacketType } from "../../../../src/gearman/wire/packet.ts";

/** One connection that a client or worker has opened to the scripted server. */
export interface Peer {
  readonly socket: Socket;
  send(type: PacketType, fields?: readonly (string | Uint8Array)[]): void;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly address: string;
  readonly peers: Peer[];
  stop(): Promise<void>;
}

export interface Script {
  onConnect?(peer: Peer): void;
  onPacket?(peer: Peer, type: PacketType, fields: string[]): void;
}

const ANYTHING: PacketLimits = Object.fromEntries(
  Object.values(PACKET).map((type: PacketType) => [type, { maxBytes: 2 ** 26, onExcess: "violation" as const }]),
);

/** A TCP server that behaves as badly as the test wants; for what no real Gearman server does on command. */
export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const peers: Peer[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const peer: Peer = {
      socket,
      send: (type, fields) => {
        socket.write(encodePacket(type, fields, "response"));
      },
    };
    peers.push(peer);
    socket.on("error", () => undefined);
    if (script.onPacket) {
      const decoder = new PacketDecoder(ANYTHING, (type, body) => {
        script.onPacket?.(
          peer,
          type,
          splitFields(type, body).map((field) => field.toString("latin1")),
        );
      });
      socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    }
    script.onConnect?.(peer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    for (const { socket } of peers) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, peers, stop, [Symbol.asyncDispose]: stop };
}

/** What both real servers do with GET_STATUS for a handle they do not know. */
export function answerStatus(peer: Peer, type: PacketType, fields: readonly string[]): void {
  if (type === PACKET.GET_STATUS) peer.send(PACKET.STATUS_RES, [fields[0] ?? "", "0", "0", "0", "0"]);
}
