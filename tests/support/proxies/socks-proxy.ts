import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface SocksProxy extends AsyncDisposable {
  /** `socks5://127.0.0.1:port`. */
  readonly url: string;
  /** `host:port` of each connection that was asked for, in order. */
  readonly targets: readonly string[];
}

const VERSION = 5;
const NO_LOGIN = 0;
const DONE = Buffer.from([VERSION, 0, 0, 1, 127, 0, 0, 1, 0, 0]);

/** RFC 1928, as far as a client without a login that names a host needs it. All that is asked for is on this machine, at `port`. */
export async function startSocksProxy(port: number): Promise<SocksProxy> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((near) => {
    keep(near).once("data", () => {
      near.write(Buffer.from([VERSION, NO_LOGIN]));
      near.once("data", (request: Buffer) => {
        const end = 5 + (request[4] ?? 0);
        targets.push(`${request.toString("latin1", 5, end)}:${request.readUInt16BE(end)}`);
        const far = keep(connect(port, "127.0.0.1", () => near.write(DONE)));
        near.pipe(far).pipe(near);
        near.on("close", () => far.destroy());
        far.on("close", () => near.destroy());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
