import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/** What one CONNECT asked for. */
export interface TunnelRequest {
  /** `host:port` as it was asked for. */
  readonly target: string;
  readonly authorization: string | undefined;
}

export interface ConnectProxy extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** In order of arrival, refused ones among them. */
  readonly requests: readonly TunnelRequest[];
  /** Breaks all tunnels. */
  cut(): void;
  /** Takes requests from now on and never answers. */
  hang(): void;
}

/** A proxy as companies have them: CONNECT alone. All that is asked for is on this machine, at `port`, whatever it is called. */
export async function startConnectProxy({ port, login }: { port: number; login?: string }): Promise<ConnectProxy> {
  const requests: TunnelRequest[] = [];
  const sockets = new Set<Socket>();
  let isHanging = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connection", keep);
  server.on("connect", (request: IncomingMessage, near: Socket, head: Buffer) => {
    const authorization = request.headers["proxy-authorization"];
    requests.push({ target: request.url ?? "", authorization });
    if (isHanging) return;
    if (login !== undefined && authorization !== `Basic ${Buffer.from(login).toString("base64")}`) {
      near.end("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const far = keep(connect(port, "127.0.0.1", () => near.write("HTTP/1.1 200 Connection established\r\n\r\n")));
    if (head.length > 0) far.write(head);
    near.pipe(far).pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => sockets.forEach((socket) => void socket.destroy());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    cut,
    hang() {
      isHanging = true;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
