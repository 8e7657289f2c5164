import { type ChildProcess, fork } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TurboHipsterError } from "../../src/runtime/errors.ts";
import { lastLines } from "../../tools/machine/run-command.ts";
import { identifyProcess, type ProcessIdentity } from "./process-identity.ts";
import type { ServersMessage, ServersPlan } from "./servers-process.ts";

export interface DemoServers {
  /** "host:port" of gearmand, for this machine. */
  readonly gearman: string;
  readonly gitPort: number;
  /** Rejects when one of them has ended by itself; never resolves. */
  readonly failed: Promise<never>;
  /** From now on they run on without this process. */
  keep(): Promise<void>;
}

const ENTRY = join(import.meta.dirname, "servers-process.ts");

/**
 * Starts the servers and resolves when the operator takes builds. `onStart` gets their process as soon as it exists; to end them, end it.
 * They also end when this process does.
 */
export async function startServers(
  plan: ServersPlan,
  options: { log: string; onStart: (identity: ProcessIdentity) => void },
): Promise<DemoServers> {
  const log = openSync(options.log, "w");
  // A process group of its own: Ctrl-C in the terminal is for the demo, which then takes down one thing after the other.
  const child = fork(ENTRY, [JSON.stringify(plan)], { detached: true, stdio: ["ignore", log, log, "ipc"], execArgv: [] });
  closeSync(log);
  const identity = child.pid === undefined ? null : identifyProcess(child.pid);
  if (identity !== null) options.onStart(identity);

  const ready = Promise.withResolvers<Extract<ServersMessage, { kind: "ready" }>>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch((error) => ready.reject(error));
  const fail = (message: string) => failed.reject(new TurboHipsterError("TH_DEMO", message));
  child.on("error", (error) => fail(error.message));
  child.on("exit", () => {
    const said = existsSync(options.log) ? lastLines(readFileSync(options.log, "utf8"), 15) : "";
    fail(`the demo's servers have ended\n${said}`.trimEnd());
  });
  child.on("message", (message: ServersMessage) => {
    if (message.kind === "ready") ready.resolve(message);
    else fail(message.message);
  });
  const { gearman, gitPort } = await ready.promise;
  return { gearman, gitPort, failed: failed.promise, keep: () => keep(child) };
}

async function keep(child: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.on("disconnect", resolve);
  child.send("keep");
  await promise;
  child.unref();
}
