import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy extends AsyncDisposable {
  readonly address: string;
  /** Breaks every connection; new ones are taken as before. */
  cut(): void;
  /** What this side sends is kept back until `cut`; it goes nowhere then. */
  hold(side: "client" | "server"): void;
  /** Called with each chunk before it is passed on; with `cut` in it, the chunk goes nowhere. */
  onChunk: ((chunk: Buffer, from: "client" | "server") => void) | undefined;
  /** Refuses connections until `open`, and breaks those that are there. */
  close(): void;
  open(): void;
}

/** Between a client and a server on this machine, to break their connections without ending either. */
export async function startTcpProxy(target: { port: number; host?: string }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let held: "client" | "server" | undefined;
  let isOpen = true;
  const server = createServer({ noDelay: true }, (near) => {
    keep(near);
    if (!isOpen) {
      near.resetAndDestroy();
      return;
    }
    const far = keep(connect({ port: target.port, host: target.host ?? "127.0.0.1", noDelay: true }));
    pass(near, far, "client");
    pass(far, near, "server");
  });

  function keep(socket: Socket): Socket {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    return socket;
  }

  function pass(from: Socket, to: Socket, side: "client" | "server"): void {
    from.on("data", (chunk: Buffer) => {
      proxy.onChunk?.(chunk, side);
      if (!to.destroyed && held !== side) to.write(chunk);
    });
    from.on("close", () => to.destroy());
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: TcpProxy = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    onChunk: undefined,
    hold(side) {
      held = side;
    },
    cut() {
      held = undefined;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close() {
      isOpen = false;
      proxy.cut();
    },
    open() {
      isOpen = true;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return proxy;
}
