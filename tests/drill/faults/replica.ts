import { appendFileSync, globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { systemClock } from "../../../src/runtime/clock.ts";
import { type Child, type ChildExit, startChild } from "../../support/child-process.ts";
import type { GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import { type ApiProxy, startApiProxy } from "./api-proxy.ts";
import { type LinkProxy, startLinkProxy } from "./link-proxy.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
/** A replica that was told to stop ends its builds first: the longest, and the silence of a watch that it must find out about (150 s). */
const STOP_LIMIT_MS = 300_000;

interface ReplicaOptions {
  index: number;
  /** Where its files go: configuration, kubeconfig, hosts. */
  directory: string;
  /** Where its log goes, `replica-<index>-<count>.log`. */
  logs: string;
  kubeconfig: string;
  certificate: { key: string; cert: string };
  servers: readonly { kind: GearmanServerKind; port: number }[];
  config: object;
  random(): number;
}

/** The name under which all replicas know a Gearman server, so that a build's request reads the same for each. */
function serverName(kind: GearmanServerKind): string {
  return `${kind}.drill`;
}

/** Of Debian's libfaketime. */
const CLOCK_LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1";

/**
 * One place in a Deployment: an operator process, and what stands between it and the world. Its names for the Gearman servers lead to
 * proxies of its own, by an /etc/hosts that only it sees.
 */
export class Replica implements AsyncDisposable {
  readonly name: string;
  readonly api: ApiProxy;
  readonly links: ReadonlyMap<GearmanServerKind, LinkProxy>;
  readonly #options: ReplicaOptions;
  readonly #stack: AsyncDisposableStack;
  /** All that have not ended; the last one is the one that faults meet. */
  readonly #children = new Set<Child>();
  #current: Child | undefined;
  #started = 0;
  readonly #troubles: string[] = [];

  private constructor(
    options: ReplicaOptions,
    api: ApiProxy,
    links: ReadonlyMap<GearmanServerKind, LinkProxy>,
    stack: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.name = `replica-${options.index}`;
    this.api = api;
    this.links = links;
    this.#stack = stack;
  }

  /** Nothing runs yet. */
  static async make(options: ReplicaOptions): Promise<Replica> {
    await using stack = new AsyncDisposableStack();
    const { index, directory, kubeconfig, certificate, servers, config, random } = options;
    const file = (name: string) => join(directory, `replica-${index}-${name}`);
    const api = stack.use(await startApiProxy({ kubeconfig, proxiedKubeconfig: file("kubeconfig"), certificate, random }));
    const host = `127.0.0.${11 + index}`;
    const links = new Map<GearmanServerKind, LinkProxy>();
    for (const { kind, port } of servers) links.set(kind, stack.use(await startLinkProxy({ host, port })));
    writeFileSync(file("hosts"), `127.0.0.1 localhost\n${servers.map(({ kind }) => `${host} ${serverName(kind)}`).join("\n")}\n`);
    writeFileSync(file("clock"), renderClock(0));
    const gearman = { servers: servers.map(({ kind, port }) => `${serverName(kind)}:${port}`) };
    writeFileSync(file("config"), stringify({ http: { public: "127.0.0.1:0", internal: "127.0.0.1:0" }, gearman, ...config }));
    return new Replica(options, api, links, stack.move());
  }

  /** Processes that did not end as they should. */
  get troubles(): readonly string[] {
    return this.#troubles;
  }

  get pid(): number | undefined {
    return this.#current?.pid;
  }

  async start(): Promise<number> {
    const { index, directory, logs } = this.#options;
    const file = (name: string) => join(directory, `replica-${index}-${name}`);
    this.#started += 1;
    const log = join(logs, `${this.name}-${this.#started}.log`);
    // Its own mounts, for its own /etc/hosts; the shell becomes the operator.
    const script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
    const operator = [process.execPath, MAIN, "operator", "--config", file("config"), "--kubeconfig", file("kubeconfig")];
    let hasBegun = false;
    const child = await startChild({
      command: "unshare",
      // What measures time goes by the monotonic clock, which no jump of a machine's clock moves either.
      env: {
        LD_PRELOAD: globSync(CLOCK_LIBRARY)[0] ?? "",
        ...{ FAKETIME_TIMESTAMP_FILE: file("clock"), FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_CACHE_DURATION: "1" },
      },
      args: ["--mount", "--", "sh", "-c", script, "sh", file("hosts"), ...operator],
      onLine: (line) => {
        hasBegun = true;
        appendFileSync(log, `${line}\n`);
      },
    });
    this.#current = child;
    this.#children.add(child);
    void child.exited.then((exit) => {
      this.#children.delete(child);
      // Nothing listens for SIGTERM while Node is still loading the program.
      const isExpected = exit.signal === "SIGKILL" || exit.code === 0 || (exit.signal === "SIGTERM" && !hasBegun);
      if (!isExpected)
        this.#troubles.push(`${this.name}: process ${child.pid} ended with ${describeExit(exit)}:\n${child.log().slice(-2000)}`);
    });
    return child.pid;
  }

  /** SIGKILL; resolves with its process id when it is gone. */
  async kill9(): Promise<number | undefined> {
    const child = this.#current;
    child?.kill("SIGKILL");
    await child?.exited;
    return child?.pid;
  }

  /** SIGTERM; the result's `ended` resolves when it has ended, by SIGKILL if it takes too long. */
  terminate(): { pid: number | undefined; ended: Promise<string> } {
    const child = this.#current;
    if (!child) return { pid: undefined, ended: Promise.resolve("did not run") };
    const sentMs = performance.now();
    child.kill("SIGTERM");
    child.kill("SIGCONT");
    const ended = (async () => {
      const late = new AbortController();
      const limit = systemClock.sleep(STOP_LIMIT_MS, late.signal).then(
        () => {
          this.#troubles.push(`${this.name}: process ${child.pid} had not ended ${STOP_LIMIT_MS} ms after SIGTERM`);
          child.kill("SIGKILL");
        },
        () => {},
      );
      const exit = await child.exited;
      late.abort();
      await limit;
      return `ended with ${describeExit(exit)} after ${Math.round(performance.now() - sentMs)} ms`;
    })();
    return { pid: child.pid, ended };
  }

  suspend(): number | undefined {
    this.#current?.kill("SIGSTOP");
    return this.#current?.pid;
  }

  resume(): void {
    this.#current?.kill("SIGCONT");
  }

  /** From within a second on its processes' wall clock differs by so many milliseconds, in whole seconds, from the machine's. */
  setClock(byMs: number): void {
    const { index, directory } = this.#options;
    writeFileSync(join(directory, `replica-${index}-clock`), renderClock(byMs));
  }

  /** Ends all its processes as a person would, then what is around them. */
  async stop(): Promise<void> {
    this.api.setStorm(undefined);
    const current = this.terminate();
    await current.ended;
    await Promise.all([...this.#children].map((child) => child.stop(STOP_LIMIT_MS)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all([...this.#children].map((child) => child.exited));
    await this.#stack.disposeAsync();
  }
}

function renderClock(byMs: number): string {
  const seconds = Math.round(byMs / 1000);
  return `${seconds < 0 ? "" : "+"}${seconds}\n`;
}

function describeExit({ code, signal }: ChildExit): string {
  return signal ?? `exit code ${code}`;
}
