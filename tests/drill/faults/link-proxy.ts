import { connect, createServer, type Socket } from "node:net";

/** Between a replica and a Gearman server. */
export interface LinkProxy extends AsyncDisposable {
  /** Ends one of its connections, chosen by `pick` in [0, 1), or all; returns how many those were. */
  cut(how: "rst" | "fin", pick: number | null): number;
}

/** Listens on `host`:`port`; passes to the same port of 127.0.0.1. While nothing listens there, connections are taken and reset. */
export async function startLinkProxy({ host, port }: { host: string; port: number }): Promise<LinkProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    const drop = () => pairs.delete(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on("data", (chunk: Buffer) => {
        if (!to.destroyed) to.write(chunk);
      });
      from.on("end", () => to.end());
      // A reset arrives as an error: it goes on as one.
      from.on("error", () => to.resetAndDestroy());
      from.on("close", () => {
        drop();
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    cut(how, pick) {
      const all = [...pairs];
      const chosen = pick === null ? all : all.slice(Math.floor(pick * all.length)).slice(0, 1);
      for (const pair of chosen) {
        for (const socket of pair) {
          if (how === "rst") socket.resetAndDestroy();
          else socket.end();
        }
      }
      return chosen.length;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      await closed;
    },
  };
}
