import { connect } from "node:net";
import { type Child, type ChildOptions, startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";

export const GEARMAN_SERVER_KINDS = ["gearmand", "geard"] as const;
export type GearmanServerKind = (typeof GEARMAN_SERVER_KINDS)[number];

export interface GearmanServerOptions {
  /** A free one by default. */
  port?: number;
  /** Address to listen on, default 127.0.0.1. Pods of the local cluster need 0.0.0.0 or the bridge's address. */
  listen?: string;
}

/** A real Gearman server in a process of its own, which dies with this one. `await using` or `stop` it. */
export interface GearmanServer extends AsyncDisposable {
  readonly kind: GearmanServerKind;
  readonly port: number;
  /** "host:port" for clients on this machine. */
  readonly address: string;
  readonly pid: number;
  /** Ends it gently (SIGTERM); idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is gone. Clients see their connections closed by the kernel. */
  kill9(): Promise<void>;
  /** Stops it if it runs, and starts it again, empty, on the same port; resolves when ready. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open (new ones too, in the backlog) and nothing is answered. */
  suspend(): void;
  resume(): void;
  /** What the present process printed. */
  log(): string;
}

/** What differs between the servers: the process, and the line it prints when its socket listens. */
interface GearmanServerCommand {
  kind: GearmanServerKind;
  child(host: string, port: number): ChildOptions;
  listeningLine(host: string, port: number): string;
}

/** Includes Python's imports on a busy machine. */
const READY_TIMEOUT_MS = 30_000;

/** Starts one and resolves when it has answered `status`. Rejects with its output when it cannot. */
export async function runGearmanServer(command: GearmanServerCommand, options: GearmanServerOptions): Promise<GearmanServer> {
  const listen = options.listen ?? "127.0.0.1";
  const port = options.port ?? (await findFreePort(listen));
  const address = `${listen === "0.0.0.0" ? "127.0.0.1" : listen}:${port}`;
  const start = async (): Promise<Child> => {
    const started = await startChild(command.child(listen, port));
    try {
      await started.logged(command.listeningLine(listen, port), READY_TIMEOUT_MS);
      await adminStatus(address, { timeoutMs: READY_TIMEOUT_MS });
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  };
  let child = await start();
  const stop = async () => {
    await child.stop();
  };
  return {
    kind: command.kind,
    port,
    address,
    get pid() {
      return child.pid;
    },
    stop,
    async kill9() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async restart() {
      await child.stop();
      child = await start();
    },
    suspend: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    log: () => child.log(),
    [Symbol.asyncDispose]: stop,
  };
}

/** One function's line of `status`: `total` waits or runs, `running` of them run, `workers` connections have registered it. */
export interface FunctionStatus {
  total: number;
  running: number;
  workers: number;
}

/** Asks a Gearman server's admin command `status` on a connection of its own. Rejects when it does not answer in `timeoutMs` (5 s). */
export function adminStatus(address: string, options: { timeoutMs?: number } = {}): Promise<Map<string, FunctionStatus>> {
  const timeoutMs = options.timeoutMs ?? 5_000;
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    const timer = setTimeout(() => finish(new Error(`${address} did not answer "status" within ${timeoutMs} ms`)), timeoutMs);
    let text = "";
    const finish = (outcome: Error | Map<string, FunctionStatus>) => {
      clearTimeout(timer);
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setEncoding("utf8");
    socket.on("connect", () => socket.write("status\n"));
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (text === ".\n" || text.endsWith("\n.\n")) finish(parseStatus(text));
    });
    socket.on("error", finish);
    socket.on("close", () => finish(new Error(`${address} closed the connection instead of answering "status"`)));
  });
}

/** Lines are `function\ttotal\trunning\tworkers`, the last one is a dot. */
function parseStatus(text: string): Map<string, FunctionStatus> {
  const statuses = new Map<string, FunctionStatus>();
  for (const line of text.split("\n")) {
    const [name, total, running, workers] = line.split("\t");
    if (name === undefined || workers === undefined) continue;
    statuses.set(name, { total: Number(total), running: Number(running), workers: Number(workers) });
  }
  return statuses;
}
