import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface GitHttpServer {
  /** `http://127.0.0.1:<port>`, with `tls` https: what Zuul sends as ZUUL_URL. */
  readonly url: string;
  /** Method and path of every request so far. */
  readonly requests: string[];
  stop(): Promise<void>;
}

/**
 * Serves the repositories below `root` with the real `git http-backend`, as Zuul's documentation sets it up behind Apache.
 * `intercept` sees each request first; true means that it has answered, or will. `config` is git's, of the server.
 */
export async function startGitHttpServer(
  root: string,
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
  { tls, config = [] }: { tls?: { key: Buffer; cert: Buffer }; config?: readonly (readonly [string, string])[] } = {},
): Promise<GitHttpServer> {
  const requests: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.method} ${request.url}`);
    if (!intercept(request, response)) runBackend(root, config, request, response);
  };
  const server = tls ? createTlsServer(tls, answer) : createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** CGI as RFC 3875 has it: the request's head in the environment, the body on standard input, the response's head before an empty line. */
function runBackend(
  root: string,
  config: readonly (readonly [string, string])[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? "/", "http://localhost");
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_COUNT: String(config.length),
      ...Object.fromEntries(
        config.flatMap(([key, value], index) => [
          [`GIT_CONFIG_KEY_${index}`, key],
          [`GIT_CONFIG_VALUE_${index}`, value],
        ]),
      ),
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROJECT_ROOT: root,
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      REMOTE_ADDR: "127.0.0.1",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      ...(request.headers["content-length"] !== undefined && { CONTENT_LENGTH: request.headers["content-length"] }),
      ...(request.headers["content-encoding"] !== undefined && { HTTP_CONTENT_ENCODING: request.headers["content-encoding"] }),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.on("error", (error) => response.destroy(error));
  child.stdin.on("error", () => {}); // EPIPE: it answered without reading all
  request.pipe(child.stdin);
  response.on("close", () => child.kill());

  let head = Buffer.alloc(0);
  const onHead = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    child.stdout.off("data", onHead);
    for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
      const [name = "", value = ""] = line.split(/: */, 2);
      if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on("data", onHead);
}
