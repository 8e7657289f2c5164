import { connect } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { encodePacket } from "../wire/codec.ts";
import { GearmanError } from "../wire/gearman-error.ts";
import { PACKET } from "../wire/packet.ts";
import { parseServerAddress } from "../wire/server-address.ts";

/** geard may stall for 20 s over a large payload of somebody else's. */
export const ANSWER_TIMEOUT_MS = 30_000;
const MAX_ANSWER_CHARACTERS = 8 * 1024 * 1024;

interface AdminOptions {
  /** "host:port". */
  readonly server: string;
  readonly clock: Clock;
  /** Gives up with the signal's reason. */
  readonly signal: AbortSignal;
  /** Default ANSWER_TIMEOUT_MS. */
  readonly timeoutMs?: number;
}

/** One line of `status`. A name stays there, without workers, until the server restarts. */
export interface FunctionLine {
  /** As registered or asked for; may hold blanks. */
  readonly name: string;
  /** Requests that wait for a worker. */
  readonly waiting: number;
  readonly running: number;
  /** Connections that have registered it. */
  readonly workers: number;
}

/** All lines of the server's `status`. Rejects with a GearmanError when there is no connection or no answer. */
export async function fetchFunctions(options: AdminOptions): Promise<FunctionLine[]> {
  const answer = await ask("status", (text) => text === ".\n" || text.endsWith("\n.\n"), options);
  return answer.split("\n").flatMap((line) => {
    const [name = "", total = "", running = "", workers] = line.split("\t");
    if (name.trim() === "" || (name === "." && workers === undefined)) return [];
    const counts = { total: Number(total) || 0, running: Number(running) || 0, workers: Number(workers) || 0 };
    return [{ name, waiting: Math.max(0, counts.total - counts.running), running: counts.running, workers: counts.workers }];
  });
}

/**
 * The functions as Zuul sees them, each with the number of workers that have registered it: Zuul looks at the first word of each line of
 * `status` and at nothing else. Rejects as `fetchFunctions`.
 */
export async function fetchRegisteredFunctions(options: AdminOptions): Promise<ReadonlyMap<string, { workers: number }>> {
  const lines = await fetchFunctions(options);
  return new Map(lines.map(({ name, workers }) => [name.trim().split(/\s+/)[0] ?? "", { workers }]));
}

const VERSION_TIMEOUT_MS = 2_000;

/**
 * What gearmand calls its version; undefined where the server, which has answered `status` just before, says nothing to it within 2 s,
 * hangs up, or takes no connection: geard knows no such command, and either may be busy. Rejects for an answer without an end, or the signal.
 */
export async function fetchVersion(options: AdminOptions): Promise<string | undefined> {
  try {
    const answer = await ask("version", (text) => text.endsWith("\n"), { ...options, timeoutMs: VERSION_TIMEOUT_MS });
    return /^OK (?<version>\S{1,100})\s*$/.exec(answer)?.groups?.version;
  } catch (error) {
    if (error instanceof GearmanError && error.code !== "TH_GEARMAN_PROTOCOL") return undefined;
    throw error;
  }
}

/** A connection that has registered functions. */
export interface WorkerLine {
  /** What it has said with SET_CLIENT_ID; "-" or empty where it has said nothing. */
  readonly clientId: string;
  readonly functions: readonly string[];
}

const OWN_CLIENT_ID = "turbo-hipster/admin";

/**
 * Who has registered what, from `workers`. undefined when the server does not say: geard closes the asker's connection over one worker
 * whose client id is no UTF-8, older ones (gear 0.7 with Python 3) over any connection without one, Zuul's being such. For that reason the
 * asker gives itself one. Rejects as `fetchFunctions`, but for that.
 */
export async function fetchWorkers(options: AdminOptions): Promise<WorkerLine[] | undefined> {
  let answer: string;
  try {
    answer = await ask("workers", (text) => text === ".\n" || text.endsWith("\n.\n"), options, [
      encodePacket(PACKET.SET_CLIENT_ID, [OWN_CLIENT_ID]),
    ]);
  } catch (error) {
    if (error instanceof GearmanError && error.code === "TH_GEARMAN_LOST") return undefined;
    throw error;
  }
  // fd, address, client id, a colon, functions.
  return answer.split("\n").flatMap((line) => {
    const match = /^\S+ \S+ (?<clientId>.*?) ?: ?(?<functions>.*)$/.exec(line);
    const functions = (match?.groups?.functions ?? "").split(" ").filter((name) => name !== "");
    return functions.length === 0 ? [] : [{ clientId: match?.groups?.clientId ?? "", functions }];
  });
}

/**
 * Takes a request that still waits out of the queue, as Zuul does (`cancelJobInQueue`). False when the server does not know it as waiting.
 * gearmand says OK for a running one as well, and lets it run on.
 */
export async function cancelQueuedRequest(handle: string, options: AdminOptions): Promise<boolean> {
  const answer = await ask(`cancel job ${handle}`, (text) => text.endsWith("\n"), options);
  return answer.startsWith("OK");
}

/** One admin command on a connection of its own. */
async function ask(
  command: string,
  isWhole: (text: string) => boolean,
  { server, clock, signal, timeoutMs = ANSWER_TIMEOUT_MS }: AdminOptions,
  before: readonly Buffer[] = [],
): Promise<string> {
  signal.throwIfAborted();
  const { host, port } = parseServerAddress(server);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host, port, noDelay: true });
  const cancelTimer = clock.schedule(timeoutMs, () =>
    reject(
      isConnected
        ? new GearmanError("TH_GEARMAN_SILENT", `${server} did not answer within ${timeoutMs / 1000} s`)
        : new GearmanError("TH_GEARMAN_CONNECT", `no connection to ${server} within ${timeoutMs / 1000} s`),
    ),
  );
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let isConnected = false;
  let text = "";
  socket.setEncoding("latin1");
  socket.on("connect", () => {
    isConnected = true;
    for (const packet of before) socket.write(packet);
    socket.write(`${command}\n`);
  });
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (isWhole(text)) resolve(Buffer.from(text, "latin1").toString());
    else if (text.length > MAX_ANSWER_CHARACTERS) reject(new GearmanError("TH_GEARMAN_PROTOCOL", `${server} answers without an end`));
  });
  socket.on("error", (error) => {
    if (isConnected) reject(new GearmanError("TH_GEARMAN_LOST", `lost the connection to ${server}: ${error.message}`, error));
    else reject(new GearmanError("TH_GEARMAN_CONNECT", `cannot connect to ${server}: ${explain(error)}`, error));
  });
  socket.on("close", () => reject(new GearmanError("TH_GEARMAN_LOST", `${server} closed the connection instead of answering`)));
  try {
    return await promise;
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

/** Node tries every address of a name and then throws one error without a text of its own. */
function explain(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join("; ") : error.message;
}
