import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

interface Connection {
  readonly address: string;
  /** Requests that are not answered yet. */
  asked: number;
}

/** Requests that one connection may have waiting for their answers; nobody who means well sends a second one before the first is answered. */
const MAX_ASKED = 10;

/**
 * Keeps a server at no more than `most` connections by closing others, never by refusing new ones: silent connections, however many, must not
 * keep a probe from being answered. The address that has most gives way, of its connections one that asks for nothing before one that waits
 * for an answer, and of these the one that has been so longest.
 */
export function limitConnections(server: Server, most: number): void {
  /** Whoever has been idle longest comes first. */
  const open = new Map<Socket, Connection>();

  server.on("connection", (socket: Socket) => {
    open.set(socket, { address: socket.remoteAddress ?? "", asked: 0 });
    socket.once("close", () => open.delete(socket));
    if (open.size > most) findDispensable(open, socket)?.destroy();
  });
  const onRequest = ({ socket }: IncomingMessage, response: ServerResponse) => {
    const connection = open.get(socket);
    if (!connection) return;
    connection.asked += 1;
    if (connection.asked > MAX_ASKED) socket.destroy();
    response.once("close", () => {
      connection.asked -= 1;
      if (!open.delete(socket)) return;
      open.set(socket, connection);
    });
  };
  server.on("request", onRequest);
  // Who asks whether to send a body comes by another event: an upload would be taken for idle, and be the first to give way.
  server.on("checkContinue", onRequest);
}

/** Never the one that has just come: it has had no time to ask. */
function findDispensable(open: ReadonlyMap<Socket, Connection>, newest: Socket): Socket | undefined {
  const counts = new Map<string, number>();
  for (const { address } of open.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
  const largest = Math.max(...counts.values());
  const others = [...open].filter(([socket, { address }]) => socket !== newest && counts.get(address) === largest);
  return (others.find(([, { asked }]) => asked === 0) ?? others[0] ?? [...open][0])?.[0];
}
