import { readFileSync, writeFileSync } from "node:fs";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { Agent, request } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { parse, stringify } from "yaml";

interface Storm {
  status: 429 | 500;
  /** Of all requests, in [0, 1]. */
  share: number;
  retryAfterSeconds: number;
}

/** Stands between one replica and the API server, and does to requests what an API server in trouble does. */
export interface ApiProxy extends AsyncDisposable {
  /** Begins a storm, or ends it (undefined); returns how many requests the last one has met. */
  setStorm(storm: Storm | undefined): number;
  /** From now on watches, also those that are opened meanwhile, say nothing; returns how many there are and what breaks them all. */
  blackHoleWatches(): { watches: number; end(): void };
}

interface ApiProxyOptions {
  /** Of the API server, with a client certificate in it; everything goes there under that user. */
  kubeconfig: string;
  /** Written: the same with the proxy's address. */
  proxiedKubeconfig: string;
  /** The API server's own, which is good for 127.0.0.1. */
  certificate: { key: string; cert: string };
  random(): number;
}

/** A stream that clients read what the API server tells from, until they end it. */
interface WatchStream {
  isSilent: boolean;
  destroy(): void;
}

/** For one connection only, or what HTTP/2 does not know. */
const HOP_HEADERS = new Set(["connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"]);
/** The API server closes idle connections after 90 s. */
const IDLE_MS = 30_000;

export async function startApiProxy(options: ApiProxyOptions): Promise<ApiProxy> {
  const config = parse(readFileSync(options.kubeconfig, "utf8"));
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const pem = (base64: string) => Buffer.from(base64, "base64");
  const upstream = new URL(cluster.server);
  const agent = new Agent({
    ca: pem(cluster["certificate-authority-data"]),
    cert: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
    keepAlive: true,
    timeout: IDLE_MS,
  });

  const sockets = new Set<Socket>();
  const watches = new Set<WatchStream>();
  let storm: Storm | undefined;
  let holes = 0;
  let met = 0;

  const server = createSecureServer({ ...options.certificate, allowHTTP1: true }, (req, res) => {
    if (storm && options.random() < storm.share) {
      met += 1;
      answerStorm(req, res, storm);
    } else pass(req, res);
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => session.on("error", () => {}));
  // A client that was killed in the middle of a handshake.
  server.on("tlsClientError", () => {});

  function pass(req: Http2ServerRequest, res: Http2ServerResponse): void {
    const url = req.url ?? "/";
    const isWatch = /[?&](watch|follow)=(true|1)\b/.test(url);
    const sent = request({
      host: upstream.hostname,
      port: upstream.port,
      agent,
      method: req.method,
      path: url,
      headers: keptHeaders(req.headers),
    });
    const stream: WatchStream = {
      isSilent: holes > 0,
      destroy: () => {
        sent.destroy();
        breakConnection(req);
      },
    };
    if (isWatch) watches.add(stream);
    const close = () => {
      watches.delete(stream);
      sent.destroy();
    };
    sent.on("error", () => {
      if (!res.writableEnded && !res.destroyed) breakConnection(req);
      close();
    });
    sent.on("response", (answer) => {
      if (res.destroyed) return void close();
      res.writeHead(answer.statusCode ?? 502, keptHeaders(answer.headers));
      if (isWatch) {
        // So that whoever watches knows at once that it does.
        if ("flushHeaders" in res && typeof res.flushHeaders === "function") res.flushHeaders();
        answer.on("data", (chunk: Buffer) => {
          if (!stream.isSilent) res.write(chunk);
        });
        answer.on("end", () => {
          if (!stream.isSilent) res.end();
        });
      } else answer.pipe(res as unknown as NodeJS.WritableStream);
      answer.on("error", () => breakConnection(req));
      answer.on("aborted", () => {
        if (!stream.isSilent) breakConnection(req);
      });
    });
    res.on("close", close);
    res.on("error", () => {});
    req.on("error", () => {});
    req.pipe(sent);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cluster.server = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(options.proxiedKubeconfig, stringify(config), { mode: 0o600 });
  return {
    setStorm(next) {
      storm = next;
      const before = met;
      met = 0;
      return before;
    },
    blackHoleWatches() {
      holes += 1;
      for (const watch of watches) watch.isSilent = true;
      return {
        watches: watches.size,
        end() {
          holes -= 1;
          if (holes > 0) return;
          for (const watch of [...watches]) if (watch.isSilent) watch.destroy();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      agent.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function keptHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(":") && !HOP_HEADERS.has(name)) kept[name] = value;
  }
  return kept;
}

/** As when the machine that answers is gone: with HTTP/2 everything else on the connection goes as well. */
function breakConnection(req: Http2ServerRequest): void {
  const session = req.stream?.session;
  if (session) session.destroy();
  else req.socket?.destroy();
}

function answerStorm(req: Http2ServerRequest, res: Http2ServerResponse, { status, retryAfterSeconds }: Storm): void {
  req.resume();
  req.on("error", () => {});
  res.on("error", () => {});
  const [reason, message] =
    status === 429 ? ["TooManyRequests", "too many requests, please try again later"] : ["InternalError", "an error on the server"];
  res.writeHead(status, { "content-type": "application/json", ...(status === 429 ? { "retry-after": String(retryAfterSeconds) } : {}) });
  res.end(JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code: status }));
}
