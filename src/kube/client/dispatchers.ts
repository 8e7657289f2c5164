import type { DispatcherOptions } from "@kubernetes/client-node";
import { Agent, type buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici";
import type { Clock } from "../../runtime/clock.ts";
import { within } from "../../runtime/within.ts";

/**
 * Requests, watches and followed logs have connections of their own, so that none can starve another: an API server allows about 100
 * streams on an HTTP/2 connection. Each followed log has one to itself, with HTTP/1.1: the kubelet sends every line by itself, and reading
 * that takes half as long without HTTP/2's frames.
 */
export type Purpose = "request" | "watch" | "log";

interface Dispatchers {
  /** The kept dispatcher; a new one when `connect` is another object than last time. */
  pick(purpose: Purpose, connect: DispatcherOptions): Dispatcher;
  /** The next request of this purpose opens a new connection; what runs on the old one may end there. For a connection that may be dead. */
  retire(purpose: Purpose): void;
  /** For callers that have aborted their calls: what does not end within a second is broken. */
  close(): Promise<void>;
}

/** The API server closes idle connections after 90 s; be first, or a request meets the closing. */
const KEEP_ALIVE_MS = 55_000;
const PING_MS = 15_000;
/** How long a proxy may take to connect. */
const TUNNEL_MS = 30_000;
/** What an aborted call needs to let go of its stream takes a turn of the event loop; more only where something hangs. */
const CLOSE_MS = 1000;
/** Sockets for plain requests where the server speaks HTTP/1.1 only; more wait in line, each within its deadline. */
const MAX_REQUEST_CONNECTIONS = 16;

export function makeDispatchers(clock: Clock): Dispatchers {
  const current = new Map<Purpose, { connect: DispatcherOptions; dispatcher: Dispatcher }>();
  const retiring = new Set<Dispatcher>();
  let closed = false;

  function retire(purpose: Purpose): void {
    const entry = current.get(purpose);
    if (entry === undefined) return;
    current.delete(purpose);
    retiring.add(entry.dispatcher);
    entry.dispatcher.close().then(
      () => retiring.delete(entry.dispatcher),
      () => retiring.delete(entry.dispatcher),
    );
  }

  return {
    pick(purpose, connect) {
      const entry = current.get(purpose);
      if (entry?.connect === connect) return entry.dispatcher;
      retire(purpose);
      const dispatcher = makeDispatcher(purpose, connect);
      if (closed) void dispatcher.destroy();
      else current.set(purpose, { connect, dispatcher });
      return dispatcher;
    },
    retire,
    async close() {
      closed = true;
      const all = [...retiring, ...[...current.values()].map((entry) => entry.dispatcher)];
      current.clear();
      // Destroyed at once, undici lets a stream that is just being released fail without a listener, which ends the process.
      await within(
        CLOSE_MS,
        Promise.all(all.map((dispatcher) => dispatcher.close())).then(() => {}),
        clock,
      );
      await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function makeDispatcher(purpose: Purpose, connect: DispatcherOptions): Dispatcher {
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    h2Options: { pingInterval: PING_MS },
    // Deadlines are the client's business: a quiet watch or log is nothing bad.
    headersTimeout: 0,
    bodyTimeout: 0,
    ...(purpose === "request" ? { connections: MAX_REQUEST_CONNECTIONS } : {}),
    ...(purpose === "log" ? { allowH2: false } : {}),
  };
  switch (connect.type) {
    case "proxy":
    case "socks":
      return new ProxyAgent({
        ...options,
        uri: connect.uri,
        requestTls: connect.requestTls as buildConnector.BuildOptions,
        clientFactory: (origin, pool) => new Pool(origin, { ...pool, headersTimeout: TUNNEL_MS }),
      });
    case "agent":
      return new Agent({ ...options, connect: connect.connect as buildConnector.BuildOptions });
    case "none":
      return new Agent(options);
  }
}
