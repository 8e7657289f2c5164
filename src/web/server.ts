import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { coerceError, InputError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Service } from "../runtime/service.ts";
import { limitConnections } from "./connection-limit.ts";
import type { UploadHandler } from "./upload-requests.ts";

export interface Answer {
  status: number;
  body: string;
  contentType?: string;
}

/** Answers a GET by its path; undefined is "not found". */
export type Handler = (path: string) => Answer | Promise<Answer> | undefined;

export interface HttpServer extends Service {
  /** The port it listens on, once started. */
  readonly port: number;
}

/** Each costs a file descriptor and a few kilobytes. */
const MAX_CONNECTIONS = 100;
/** Of the pages: who reads a log that grows has one for as long. */
const MAX_PAGE_CONNECTIONS = 400;
/** A client that does not read its answer for so long is let go. */
const IDLE_MS = 15_000;

/** Of a request with its body. */
const REQUEST_MS = 10_000;

/**
 * A small HTTP server: GET and HEAD, no bodies taken but those of uploads, short time limits, at most 100 connections: above that the idle
 * ones give way. `start` rejects with an InputError when the address cannot be listened on.
 */
export function makeHttpServer(options: { listen: string; handler: Handler; uploads?: UploadHandler; logger: Logger }): HttpServer {
  const { handler, logger, listen, uploads } = options;
  const listener: RequestListener = (request, response) => {
    if (uploads && !request.complete) endIncomplete(request, response);
    void answer(request, response, handler, logger);
  };
  return serve({ listen, logger, most: MAX_CONNECTIONS, listener, ...(uploads ? { uploads } : {}) });
}

/**
 * The same for pages, which `fetch` answers as a function of a request of the web's kind; 400 connections, as some are held for long. What is
 * streamed is read from `fetch` as fast as its reader takes it, and a reader that takes nothing for 15 s is let go.
 */
export function makePageServer({ listen, fetch, logger }: { listen: string; fetch: FetchHandler; logger: Logger }): HttpServer {
  const listener = getRequestListener((request, bindings) => fetch(request, bindings as HttpBindings), { overrideGlobalObjects: false });
  return serve({ listen, logger, most: MAX_PAGE_CONNECTIONS, listener: (request, response) => void listener(request, response) });
}

type FetchHandler = (request: Request, bindings: HttpBindings) => Response | Promise<Response>;

interface Serving {
  listen: string;
  most: number;
  listener: RequestListener;
  uploads?: UploadHandler;
  logger: Logger;
}

function serve({ listen, most, listener, uploads, logger }: Serving): HttpServer {
  const separator = listen.lastIndexOf(":");
  const host = listen.slice(0, separator).replace(/^\[|\]$/g, "");
  // Node has one limit for all requests of a server: an upload has its own.
  const requestTimeout = uploads ? 0 : REQUEST_MS;
  const times = { requestTimeout, headersTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 2000 };
  const server = createServer(times, listener);
  if (uploads) {
    server.on("checkContinue", (request, response) => {
      if (!uploads(request, response)) server.emit("request", request, response);
    });
  }
  server.timeout = IDLE_MS;
  limitConnections(server, most);
  let isStopped = false;
  let starting: Promise<void> | undefined;
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? 0;
    },
    async start() {
      if (!isStopped) starting ??= startListening(server, host, Number(listen.slice(separator + 1)), listen, logger);
      await starting;
    },
    async stop() {
      isStopped = true;
      await starting?.catch(() => {});
      if (!server.listening) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await promise;
    },
  };
}

function startListening(server: Server, host: string, port: number, listen: string, logger: Logger): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    reject(
      new InputError(`cannot listen on ${listen} (${error.code}); set another address under http: in the configuration`, { cause: error }),
    );
  });
  server.listen(port, host, () => {
    server.removeAllListeners("error");
    // Such as too many open files when a connection comes in; the next one may be taken.
    server.on("error", (error) => logger.error({ err: error, listen }, "could not take a connection"));
    resolve();
  });
  return promise;
}

/** A body that nobody reads has no more time than elsewhere. */
function endIncomplete(request: IncomingMessage, response: ServerResponse): void {
  const timer = setTimeout(() => request.complete || request.destroy(), REQUEST_MS);
  response.once("close", () => clearTimeout(timer));
}

async function answer(request: IncomingMessage, response: ServerResponse, handler: Handler, logger: Logger): Promise<void> {
  let result: Answer;
  try {
    if (request.method !== "GET" && request.method !== "HEAD") result = { status: 405, body: "only GET is answered here\n" };
    else result = (await handler((request.url ?? "/").split("?")[0] ?? "/")) ?? { status: 404, body: "nothing is here\n" };
  } catch (error) {
    logger.error({ err: coerceError(error), url: request.url }, "answers 500 after an unexpected error");
    result = { status: 500, body: "an unexpected error; the operator's log has it\n" };
  }
  response.writeHead(result.status, {
    "content-type": result.contentType ?? "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    "cache-control": "no-store",
    ...(result.status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : result.body);
}
