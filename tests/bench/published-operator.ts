import { readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { stageProgram } from "../../tools/stage-package.ts";
import { type Child, startChild, untilReady } from "../support/child-process.ts";
import { findFreePort } from "../support/free-port.ts";

const ROOT = join(import.meta.dirname, "../..");
const READY_MS = 60_000;

/** This program as it is published, made anew, in a directory of its own that goes when it is disposed of. */
export interface PublishedProgram extends AsyncDisposable {
  readonly directory: string;
  /** The script that node runs. */
  readonly bin: string;
}

/** `packages`: "external" has them in node_modules, as was published before it was bundled. */
export async function stagePublishedProgram(packages: "bundle" | "external" = "bundle"): Promise<PublishedProgram> {
  const parent = await mkdtemp(join(tmpdir(), "th-bench-"));
  const remove = () => rm(parent, { recursive: true, force: true });
  const directory = join(parent, "package");
  try {
    await stageProgram(directory, packages);
    if (packages === "external") await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"));
  } catch (error) {
    await remove();
    throw error;
  }
  return { directory, bin: join(directory, "bin", "turbo-hipster.js"), [Symbol.asyncDispose]: remove };
}

export interface PublishedOperator extends AsyncDisposable {
  readonly child: Child;
  /** Its log lines so far, parsed. */
  readonly lines: readonly Record<string, unknown>[];
}

/**
 * Options of node as the operator has them in the chart's container of 1 GiB: the heap that it takes by itself there (587 MB with the young
 * generation, seen in a cgroup of that size); here it would see the memory of the whole machine, and collect garbage the later.
 */
export function containerNodeArgs(): string[] {
  return ["--max-old-space-size=512"];
}

/** What the image says. */
function imageEnvironment(): Record<string, string> {
  const dockerfile = readFileSync(join(ROOT, "deploy/Dockerfile"), "utf8");
  return Object.fromEntries(Array.from(dockerfile.matchAll(/^ENV (\w+)=(.+)$/gm), ([, name, value]) => [name, value]));
}

/** For pods of a local cluster to reach its internal port, at this address of the machine. */
export async function reachableConfig(hostAddress: string): Promise<object> {
  const internal = `${hostAddress}:${await findFreePort(hostAddress)}`;
  return { http: { public: "127.0.0.1:0", internal }, internalUrl: `http://${internal}` };
}

interface OperatorLaunch {
  program: PublishedProgram;
  config: object;
  /** How it finds the cluster. */
  clusterArgs: readonly string[];
  /** Options for node itself. */
  nodeArgs?: readonly string[];
  signal: AbortSignal;
}

/** Runs the operator in the environment that the image gives it, and resolves when it takes builds. It dies with this process, however that ends. */
export async function startPublishedOperator({
  program,
  config,
  clusterArgs,
  nodeArgs = [],
  signal,
}: OperatorLaunch): Promise<PublishedOperator> {
  const file = join(program.directory, "config.yaml");
  await writeFile(file, stringify({ http: { public: "127.0.0.1:0", internal: "127.0.0.1:0" }, ...config }));
  const lines: Record<string, unknown>[] = [];
  const ready = Promise.withResolvers<void>();
  const child = await startChild({
    command: process.execPath,
    args: [...nodeArgs, program.bin, "operator", "--config", file, ...clusterArgs],
    env: imageEnvironment(),
    onLine: (text) => {
      const line = JSON.parse(text) as Record<string, unknown>;
      lines.push(line);
      if (line.msg === "takes builds") ready.resolve();
    },
  });
  const onAbort = () => ready.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    const log = () => `${child.log()} ${JSON.stringify(lines)}`;
    await untilReady(child, ready.promise, { name: "the operator", timeoutMs: READY_MS, log });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return { child, lines, [Symbol.asyncDispose]: async () => void (await child.stop()) };
}

/** With the configuration that a benchmark of one Gearman server and one namespace needs. */
export function startBenchOperator({
  namespace,
  server,
  ...launch
}: Omit<OperatorLaunch, "config"> & { namespace: string; server: string }): Promise<PublishedOperator> {
  return startPublishedOperator({ ...launch, config: { installation: "bench", namespaces: [namespace], gearman: { servers: [server] } } });
}
