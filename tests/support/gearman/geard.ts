import { fileURLToPath } from "node:url";
import { ensurePythonVenv } from "../zuul/python-venv.ts";
import { type GearmanServer, type GearmanServerOptions, runGearmanServer } from "./gearman-server.ts";

/** TCP keepalive of the accepted connections, in seconds; Zuul 2.6 runs its geard without. */
interface GeardKeepalive {
  idle: number;
  interval: number;
  count: number;
}

/** Starts geard, the server Zuul runs: `gear.Server` of PyPI's gear 0.16.0. */
export async function startGeard(options: GearmanServerOptions & { keepalive?: GeardKeepalive } = {}): Promise<GearmanServer> {
  const { python } = await ensurePythonVenv();
  const script = fileURLToPath(new URL("../zuul/geard.py", import.meta.url));
  const { keepalive } = options;
  return runGearmanServer(
    {
      kind: "geard",
      child: (host, port) => ({
        command: python,
        args: ["-I", script, host, String(port), ...(keepalive ? [keepalive.idle, keepalive.interval, keepalive.count].map(String) : [])],
      }),
      listeningLine: (host, port) => `listening on ${host}:${port}`,
    },
    options,
  );
}
