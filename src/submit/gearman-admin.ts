import { connect } from "node:net";
import { GearmanError } from "../gearman/gearman-error.ts";
import { parseServerAddress } from "../gearman/server-address.ts";
import type { Clock } from "../runtime/clock.ts";

/** geard may stall for 20 s over a large payload of somebody else's. */
const ANSWER_TIMEOUT_MS = 30_000;
const MAX_ANSWER_CHARACTERS = 8 * 1024 * 1024;

export interface AdminOptions {
  /** "host:port". */
  readonly server: string;
  readonly clock: Clock;
  /** Gives up with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * The functions in the server's `status`, each with the number of workers that have registered it. Zuul looks at the first word of each
 * line and at nothing else. Rejects with a GearmanError when there is no connection or no answer.
 */
export async function fetchRegisteredFunctions(options: AdminOptions): Promise<ReadonlyMap<string, { workers: number }>> {
  const answer = await ask("status", (text) => text === ".\n" || text.endsWith("\n.\n"), options);
  const functions = new Map<string, { workers: number }>();
  for (const line of answer.split("\n")) {
    const [name = "", , , workers = ""] = line.split("\t");
    const word = name.trim().split(/\s+/)[0] ?? "";
    if (word !== "" && word !== ".") functions.set(word, { workers: Number(workers) || 0 });
  }
  return functions;
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
async function ask(command: string, isWhole: (text: string) => boolean, { server, clock, signal }: AdminOptions): Promise<string> {
  signal.throwIfAborted();
  const { host, port } = parseServerAddress(server);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host, port, noDelay: true });
  const cancelTimer = clock.schedule(ANSWER_TIMEOUT_MS, () =>
    reject(new GearmanError("TH_GEARMAN_SILENT", `${server} did not answer within ${ANSWER_TIMEOUT_MS / 1000} s`)),
  );
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let isConnected = false;
  let text = "";
  socket.setEncoding("latin1");
  socket.on("connect", () => {
    isConnected = true;
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
