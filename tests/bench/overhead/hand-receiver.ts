import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { coerceError } from "../../../src/runtime/errors.ts";

export interface HandReceiver extends AsyncDisposable {
  readonly url: string;
}

/** Takes what bare Jobs send, a tar in the body of `PUT /<name>`, and unpacks it into `<directory>/<name>`; 200 when all of it lies there. */
export async function startHandReceiver(host: string, directory: string): Promise<HandReceiver> {
  const server = createServer((request, response) => {
    unpack(request, join(directory, basename(request.url ?? ""))).then(
      () => response.end("stored\n"),
      (thrown: unknown) => response.writeHead(500).end(coerceError(thrown).message),
    );
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function unpack(body: IncomingMessage, directory: string): Promise<void> {
  await mkdir(directory);
  const tar = spawn("tar", ["-C", directory, "-x"], { stdio: ["pipe", "ignore", "inherit"] });
  const [[code]] = await Promise.all([once(tar, "close"), pipeline(body, tar.stdin)]);
  if (code !== 0) throw new Error(`tar ended with ${code}`);
}
