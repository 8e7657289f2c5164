import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the kernel's ephemeral range and Kubernetes' node ports (30000-32767). */
const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 29_999;

/**
 * A TCP port that nothing listens on. Not the kernel's own choice (`listen(0)`): that is an ephemeral port, so while a server is down
 * another connection may take it, and a client that keeps connecting to it on this host can even connect to itself.
 */
export async function findFreePort(host = "0.0.0.0"): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free TCP port found between ${LOWEST_PORT} and ${HIGHEST_PORT} on ${host}`);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}
