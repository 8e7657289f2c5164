import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { coerceError } from "../../src/runtime/errors.ts";
import { type Child, startChild } from "../../tests/support/child-process.ts";
import { findFreePort } from "../../tests/support/free-port.ts";
import { startGearmand } from "../../tests/support/gearman/gearmand.ts";
import { startGitDaemon } from "../../tests/support/git/git-daemon.ts";

/**
 * The demo's servers in a process of their own: gearmand, git daemon, operator. They end with it, whatever ends it. It ends by a signal,
 * or when the demo that started it is gone without having said "keep".
 */
export interface ServersPlan {
  repositories: string;
  /** Where git is served and artifacts are taken, for pods, and how they write it. */
  listen: string;
  host: string;
  operatorConfig: string;
  operatorLog: string;
  /** Choose the cluster: `--kubeconfig FILE` or `--context NAME`. */
  operatorArguments: string[];
  /** All of the operator's configuration but the servers. */
  config: object;
}

/** What it tells the demo: once `ready`, and `failed` whenever it can't go on, which ends it. */
export type ServersMessage = { kind: "ready"; gearman: string; gitPort: number } | { kind: "failed"; message: string };

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const READY_LIMIT_MS = 60_000;

async function main(plan: ServersPlan): Promise<void> {
  const ended = Promise.withResolvers<"ended">();
  let isKept = false;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => ended.resolve("ended"));
  process.on("message", (message) => {
    if (message !== "keep") return;
    isKept = true;
    process.disconnect();
  });
  process.on("disconnect", () => {
    if (!isKept) ended.resolve("ended");
  });
  const started: { stop(): Promise<unknown> }[] = [];
  try {
    const gearmand = await startGearmand();
    started.push(gearmand);
    const git = await startGitDaemon(plan.repositories, { host: plan.listen });
    started.push(git);
    const { operator, ready } = await startOperator(plan, gearmand.address);
    started.push(operator);
    if ((await Promise.race([ready, ended.promise])) === "ended") return;
    tell({ kind: "ready", gearman: gearmand.address, gitPort: git.port });
    await Promise.race([ended.promise, fails(operator, "the operator"), fails(git.child, "git daemon")]);
  } catch (error) {
    tell({ kind: "failed", message: coerceError(error).message });
  } finally {
    for (const server of started.reverse()) await server.stop();
    if (process.connected) process.disconnect();
  }
}

/** `ready` rejects with the end of its log when it ends first, or takes too long. */
async function startOperator(plan: ServersPlan, gearman: string): Promise<{ operator: Child; ready: Promise<void> }> {
  const page = `127.0.0.1:${await findFreePort("127.0.0.1")}`;
  const internalPort = await findFreePort(plan.listen);
  const config = {
    ...plan.config,
    gearman: { servers: [gearman] },
    http: { public: page, internal: `${plan.listen}:${internalPort}` },
    publicUrl: `http://${page}`,
    internalUrl: `http://${plan.host}:${internalPort}`,
    // Whoever ends the demo waits for none of its builds.
    drain: "0s",
  };
  writeFileSync(plan.operatorConfig, stringify(config));
  writeFileSync(plan.operatorLog, "");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const operator = await startChild({
    command: process.execPath,
    args: [MAIN, "operator", "--config", plan.operatorConfig, ...plan.operatorArguments],
    onLine(line) {
      appendFileSync(plan.operatorLog, `${line}\n`);
      if (line.includes('"msg":"takes builds"')) resolve();
    },
  });
  const timer = setTimeout(
    () => reject(new Error(`the operator is not ready after a minute; its log: ${plan.operatorLog}`)),
    READY_LIMIT_MS,
  );
  fails(operator, "the operator").catch(reject);
  return { operator, ready: promise.finally(() => clearTimeout(timer)) };
}

async function fails(child: Child, name: string): Promise<never> {
  const { code, signal } = await child.exited;
  throw new Error(`${name} has ended (${signal ?? `exit code ${code}`})\n${child.log().trimEnd()}`.trimEnd());
}

function tell(message: ServersMessage): void {
  if (process.connected) process.send?.(message);
  else console.error(JSON.stringify(message));
}

await main(JSON.parse(process.argv[2] ?? "") as ServersPlan);
