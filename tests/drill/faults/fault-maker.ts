import type { LocalCluster } from "../../../deploy/local/local-cluster.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { coerceError } from "../../../src/runtime/errors.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { findNodeProgram, type NodeProgram, waitForCluster } from "../../support/cluster/node-program.ts";
import { killNodePrograms, startNodePrograms } from "../../support/cluster/node-reset.ts";
import type { GearmanServer, GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import type { ClusterTruth } from "../audit/cluster-truth.ts";
import type { DrillReport } from "../audit/drill-report.ts";
import type { Fault } from "./fault-plan.ts";
import type { Replica } from "./replica.ts";

interface FaultMakerOptions {
  cluster: Pick<LocalCluster, "name" | "kubectl" | "kubeconfig">;
  namespace: string;
  replicas: readonly Replica[];
  servers: ReadonlyMap<GearmanServerKind, GearmanServer>;
  truth: ClusterTruth;
  report: DrillReport;
  nowMs(): number;
  log(line: string): void;
}

/** What a fault met, and how it is undone. */
interface Made {
  outcome: string;
  /** Undone after so long; without it there is nothing to undo. */
  forMs?: number;
  /** Resolves with what is to be told of it. */
  heal?(): Promise<string> | string;
}

const DELETE_TRIES = 10;
const DELETE_RETRY_MS = 2000;

/** Makes faults as they are planned and undoes each when its time is over. */
export class FaultMaker {
  readonly #options: FaultMakerOptions;
  readonly #apiServer: NodeProgram;
  readonly #kubelet: NodeProgram;
  /** By the fault's index: undoes it now. */
  readonly #healings = new Map<number, () => Promise<void>>();
  readonly #running = new Set<Promise<void>>();
  readonly #troubles: string[] = [];

  constructor(options: FaultMakerOptions) {
    this.#options = options;
    this.#apiServer = findNodeProgram(options.cluster.name, "kube-apiserver");
    this.#kubelet = findNodeProgram(options.cluster.name, "kubelet");
  }

  /** Faults that could not be made or undone. */
  get troubles(): readonly string[] {
    return this.#troubles;
  }

  /** Makes each at its time, `startMs` being the time that the first one's `atMs` counts from, until `signal` aborts. */
  async run(faults: readonly Fault[], startMs: number, signal: AbortSignal): Promise<void> {
    const { nowMs } = this.#options;
    for (const fault of faults) {
      const waitMs = fault.atMs - startMs - nowMs();
      if (waitMs > 0) await systemClock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted) return;
      this.#track(this.#make(fault));
    }
  }

  /** Undoes everything at once; resolves when the cluster is well again. */
  async healAll(): Promise<void> {
    while (this.#running.size > 0 || this.#healings.size > 0) {
      await Promise.all([...this.#healings.values()].map((heal) => heal()));
      await Promise.all(this.#running);
    }
    await waitForCluster(this.#options.cluster.name);
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #make(fault: Fault): Promise<void> {
    const { report, nowMs, log } = this.#options;
    const atMs = nowMs();
    const made = await this.#perform(fault).catch((error): Made => ({ outcome: this.#fail(fault, error) }));
    report.add({ type: "fault", atMs, fault, outcome: made.outcome });
    log(`${seconds(atMs)} fault ${fault.index}: ${describeFault(fault)}: ${made.outcome}`);
    if (made.heal) this.#healLater(fault, made.forMs ?? 0, made.heal);
  }

  #healLater(fault: Fault, forMs: number, heal: () => Promise<string> | string): void {
    const { report, nowMs, log } = this.#options;
    const cancelTimer = systemClock.schedule(forMs, () => this.#track(healNow()));
    const healNow = async () => {
      cancelTimer();
      if (!this.#healings.delete(fault.index)) return;
      const outcome = await Promise.resolve()
        .then(heal)
        .catch((error) => this.#fail(fault, error));
      report.add({ type: "healed", atMs: nowMs(), index: fault.index, outcome });
      log(`${seconds(nowMs())} fault ${fault.index} is over: ${outcome}`);
    };
    this.#healings.set(fault.index, healNow);
  }

  #fail(fault: Fault, error: unknown): string {
    const text = `failed: ${coerceError(error).message}`;
    this.#troubles.push(`fault ${fault.index} (${describeFault(fault)}) ${text}`);
    return text;
  }

  async #perform(fault: Fault): Promise<Made> {
    switch (fault.kind) {
      case "replica-killed": {
        const replica = this.#replica(fault.replica);
        const pid = await replica.kill9();
        return { outcome: `process ${pid}`, forMs: fault.downMs, heal: async () => `process ${await replica.start()}` };
      }
      case "replica-terminated":
        return this.#terminate(this.#replica(fault.replica), fault.downMs);
      case "replica-suspended": {
        const replica = this.#replica(fault.replica);
        const pid = replica.suspend();
        return {
          outcome: `process ${pid}`,
          forMs: fault.forMs,
          heal: () => {
            replica.resume();
            return `process ${pid}`;
          },
        };
      }
      case "link-cut":
        return { outcome: `${this.#replica(fault.replica).links.get(fault.server)?.cut(fault.how, fault.pick)} connections` };
      case "server-killed": {
        const server = this.#options.servers.get(fault.server) as GearmanServer;
        const { pid } = server;
        await server.kill9();
        return {
          outcome: `process ${pid}`,
          forMs: fault.downMs,
          heal: async () => {
            await server.restart();
            return `process ${server.pid}`;
          },
        };
      }
      case "api-server-down":
        return downProgram(this.#apiServer, fault);
      case "kubelet-down":
        return downProgram(this.#kubelet, fault);
      case "node-reset": {
        const { name } = this.#options.cluster;
        await killNodePrograms(name);
        return {
          outcome: "reset",
          forMs: fault.downMs,
          heal: async () => {
            await startNodePrograms(name);
            return "booted";
          },
        };
      }
      case "clock-jumped": {
        const replica = this.#replica(fault.replica);
        replica.setClock(fault.byMs);
        return {
          outcome: "jumped",
          forMs: fault.forMs,
          heal: () => {
            replica.setClock(0);
            return "goes right";
          },
        };
      }
      case "watch-black-holed": {
        const { watches, end } = this.#replica(fault.replica).api.blackHoleWatches();
        return {
          outcome: `${watches} watches`,
          forMs: fault.forMs,
          heal: () => {
            end();
            return "watches break";
          },
        };
      }
      case "storm-429":
      case "storm-500": {
        const { api } = this.#replica(fault.replica);
        const status = fault.kind === "storm-429" ? 429 : 500;
        api.setStorm({ status, share: fault.share, retryAfterSeconds: fault.retryAfterSeconds });
        return { outcome: "blows", forMs: fault.forMs, heal: () => `${api.setStorm(undefined)} requests met` };
      }
      case "pod-deleted":
        return { outcome: await this.#deletePod(fault.pick) };
    }
  }

  /** One alone would have to share its place with the next for as long as it takes. */
  #terminate(replica: Replica, downMs: number): Made {
    const { pid, ended } = replica.terminate();
    const isAlone = this.#options.replicas.length === 1;
    const heal = async () => {
      const before = isAlone ? await ended : "";
      return `${before} process ${await replica.start()}`.trim();
    };
    if (!isAlone) this.#track(ended.then((how) => this.#options.log(`${replica.name}: process ${pid} ${how}`)));
    return { outcome: `process ${pid}`, forMs: downMs, heal };
  }

  async #deletePod(pick: number): Promise<string> {
    const { truth, cluster, namespace } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const pods = truth.activePods();
      const pod = pods[Math.floor(pick * pods.length)];
      try {
        if (!pod) throw new Error("there is no pod");
        const args = ["delete", "pod", pod.name, "--namespace", namespace, "--wait=false", "--request-timeout=5s"];
        await runCommand(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, ...args]);
        return `pod ${pod.name}`;
      } catch (error) {
        if (attempt < DELETE_TRIES) await systemClock.sleep(DELETE_RETRY_MS);
        // A delete without an answer may have been one.
        else return pod ? `pod ${pod.name}, perhaps: ${coerceError(error).message}` : "no pod was there to delete";
      }
    }
  }

  #replica(index: number): Replica {
    const replica = this.#options.replicas[index];
    if (!replica) throw new Error(`there is no replica ${index}`);
    return replica;
  }
}

async function downProgram(program: NodeProgram, { how, forMs }: { how: "killed" | "suspended"; forMs: number }): Promise<Made> {
  if (how === "suspended") {
    program.suspend();
    return {
      outcome: how,
      forMs,
      heal: () => {
        program.resume();
        return "goes on";
      },
    };
  }
  await program.kill();
  return {
    outcome: how,
    forMs,
    heal: async () => {
      await program.start();
      return "started again";
    },
  };
}

function describeFault({ index: _, atMs: __, kind, ...rest }: Fault): string {
  const details = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === "number" ? Number(value.toFixed(2)) : value}`);
  return [kind, ...details].join(" ");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)} s`;
}
