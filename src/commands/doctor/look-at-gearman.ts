import { fetchFunctions, fetchVersion, fetchWorkers } from "../../gearman/client/gearman-admin.ts";
import { connectGearmanClient } from "../../gearman/client/gearman-client.ts";
import { GearmanError } from "../../gearman/wire/gearman-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { TestTasksSeen } from "../status/server-report.ts";
import { type Finding, failed } from "./finding.ts";
import { renderServer, type ServerFacts } from "./gearman-findings.ts";
import { type DoctorWorld, look } from "./look.ts";

/** geard may stall for 20 s over somebody's payload; a whole look takes LOOK_MS. */
const ANSWER_MS = 25_000;

const REMEDY =
  "is it a Gearman server's address and port (gearman.servers), and does every firewall and NetworkPolicy let this pod reach it?";

export function lookAtServer(server: string, seen: TestTasksSeen, installation: string, world: DoctorWorld): Promise<Finding[]> {
  return look(
    world,
    async (signal) => renderServer(await askServer(server, world.clock, signal), seen, installation),
    (why) => [failed(server, why, REMEDY)],
  );
}

async function askServer(server: string, clock: Clock, signal: AbortSignal): Promise<ServerFacts> {
  const options = { server, clock, signal, timeoutMs: ANSWER_MS };
  const lines = await fetchFunctions(options);
  const version = await fetchVersion(options);
  // Whoever answers lines of text need not speak Gearman.
  if (version === undefined) await proveGearman(server, clock, signal);
  return { server, version, lines, workers: await fetchWorkers(options) };
}

/** Rejects unless the server answers a packet with a packet. */
async function proveGearman(server: string, clock: Clock, signal: AbortSignal): Promise<void> {
  await using client = await connectGearmanClient({ server, clock });
  const onAbort = () => void client.stop();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const answer = await client.status("H:turbo-hipster-doctor");
    signal.throwIfAborted();
    if (answer === undefined) throw new GearmanError("TH_GEARMAN_PROTOCOL", `${server} answers text, but no packet of Gearman's`);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
