import { setImmediate as immediate } from "node:timers/promises";
import { Replicas } from "../../../../src/controllers/replicas/replicas.ts";
import type { Lease, LeaseSpec } from "../../../../src/core/replicas/leadership.ts";
import type { KubeClient, WatchEvent, WatchOptions } from "../../../../src/kube/client/kube-client.ts";
import { KubeError, parseStatus } from "../../../../src/kube/client/kube-error.ts";
import { LeaseObjects } from "../../../../src/kube/objects/lease-objects.ts";
import type { Clock } from "../../../../src/runtime/clock.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { mergePatch } from "../../../support/fake-kube/merge-patch.ts";

/** What becomes of a call: `lost` is carried out and not answered, `hung` is carried out some time later or never and not answered. */
export type CallFate = "answered" | "refused" | "lost" | "hung";

/** One replica's way to the API server. */
export interface Link {
  fate(verb: string, name: string): CallFate;
  latencyMs(): number;
  /** Open watches stay open and say nothing. */
  isSilent: boolean;
}

export interface SimulatedReplica {
  readonly name: string;
  readonly replicas: Replicas;
  readonly leases: LeaseObjects;
  readonly link: Link;
  readonly logged: string[];
  /** The fields of each time that it has logged this. */
  fieldsOf(message: string): object[];
  /** `verb name` of each call that has reached the API server. */
  readonly calls: string[];
  /** How often its `onChange` was called. */
  changes: number;
  isGone: boolean;
  /** Does nothing for a while, as after SIGSTOP; what was for it comes when it goes on. */
  pause(): void;
  resume(): void;
  /** As after SIGKILL: never does anything again. */
  kill(): void;
}

interface Task {
  dueMs: number;
  order: number;
  /** undefined: the API server or the network. */
  owner: Owner | undefined;
  isTimer: boolean;
  run(): void;
}

/** A process. */
interface Owner {
  isPaused: boolean;
  isGone: boolean;
  readonly backlog: Task[];
}

interface StoredLease extends Lease {
  metadata: Lease["metadata"] & { uid: string; resourceVersion: string };
}

const INSTALLATION = "ci";
const CLIENT_DEADLINE_MS = 30_000;

/** An API server's Leases and the replicas that use them, in a time of their own: nothing here waits for anything real. */
export class ReplicaWorld {
  readonly installation = INSTALLATION;
  readonly replicas: SimulatedReplica[] = [];
  /** Called after each step; for what must be true at every instant. */
  onStep: () => void = () => {};
  nowMs = 1_000;
  isUp = true;
  readonly #random: () => number;
  readonly #tasks: Task[] = [];
  readonly #leases = new Map<string, StoredLease>();
  readonly #history: { version: number; event: WatchEvent<StoredLease> }[] = [];
  readonly #watchers = new Set<() => void>();
  #version = 100;
  #order = 0;
  #clocks = 0;

  constructor(random: () => number = () => 0.5) {
    this.#random = random;
  }

  get holders(): string[] {
    return this.replicas.filter(({ replicas, isGone }) => !isGone && replicas.isHolder).map(({ name }) => name);
  }

  lease(name: string = INSTALLATION): StoredLease | undefined {
    return this.#leases.get(name);
  }

  get names(): string[] {
    return [...this.#leases.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** A person's hand on a Lease. */
  edit(patch: object, name: string = INSTALLATION): void {
    const before = this.#leases.get(name);
    if (before) this.#store("MODIFIED", mergePatch(before, patch) as StoredLease);
  }

  remove(name: string = INSTALLATION): void {
    const before = this.#leases.get(name);
    if (before) this.#store("DELETED", before);
  }

  put(name: string, spec: LeaseSpec | undefined, labels: Record<string, string>): void {
    this.#store("ADDED", {
      metadata: { name, namespace: "ci", uid: `uid-${this.#version}`, resourceVersion: "", labels },
      ...(spec ? { spec } : {}),
    });
  }

  /** The first replica, once it is the holder. */
  async startHolder(name: string): Promise<SimulatedReplica> {
    const replica = await this.start(name);
    await this.until(() => replica.replicas.isHolder, 5_000);
    return replica;
  }

  /** `way`: its link, where that is another from the beginning. */
  async start(name: string, way: Partial<Link> = {}): Promise<SimulatedReplica> {
    const owner: Owner = { isPaused: false, isGone: false, backlog: [] };
    const clock = this.#makeClock(owner);
    const logged: string[] = [];
    const calls: string[] = [];
    const link: Link = { fate: () => "answered", latencyMs: () => 2, isSilent: false, ...way };
    const lines: LogLine[] = [];
    const logger = recordingLogger(logged, lines);
    const client = this.#makeClient(owner, link, calls, clock);
    const leases = new LeaseObjects({ client, namespace: "ci", installation: INSTALLATION, clock, logger });
    const replica: SimulatedReplica = {
      ...{ name, leases, link, logged, calls, changes: 0, isGone: false },
      fieldsOf: (message) => lines.filter((line) => line.message === message).map(({ fields }) => fields),
      replicas: new Replicas({ leases, installation: INSTALLATION, replica: name, clock, logger, onChange: () => void replica.changes++ }),
      pause() {
        owner.isPaused = true;
      },
      resume: () => {
        owner.isPaused = false;
        for (const task of owner.backlog.splice(0)) this.#tasks.push(Object.assign(task, { dueMs: this.nowMs }));
      },
      kill() {
        owner.isGone = true;
        replica.isGone = true;
      },
    };
    this.replicas.push(replica);
    await leases.start();
    await replica.replicas.start();
    return replica;
  }

  /** Something that happens to the world after a while. */
  later(ms: number, run: () => void): void {
    this.#schedule(undefined, ms, run);
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await this.#until(() => false, untilMs);
  }

  /** Lets time pass until something is so; returns how long it took. */
  async until(isSo: () => boolean, limitMs: number): Promise<number> {
    const startedMs = this.nowMs;
    await this.#until(isSo, startedMs + limitMs);
    if (!isSo()) throw new Error(`not so within ${limitMs} ms: ${isSo}\n${this.replicas.flatMap(({ logged }) => logged).join("\n")}`);
    return this.nowMs - startedMs;
  }

  /** Waits for something of the program while time passes. */
  async ends<T>(promise: Promise<T>, limitMs: number): Promise<number> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    const ms = await this.until(() => isSettled, limitMs);
    await settled;
    return ms;
  }

  /** Stops every replica that is not gone. */
  async close(): Promise<void> {
    const left = this.replicas.filter(({ isGone }) => !isGone);
    for (const each of left) each.resume();
    this.isUp = true;
    await this.ends(Promise.all(left.map(({ replicas }) => replicas.stop())), 10_000);
    await this.ends(Promise.all(left.map(({ leases }) => leases.stop())), 10_000);
    const timers = this.#tasks.filter(({ owner, isTimer }) => isTimer && owner && !owner.isGone);
    if (timers.length > 0) throw new Error(`${timers.length} timers are left`);
    for (const each of left) each.kill();
  }

  async #until(isSo: () => boolean, untilMs: number): Promise<void> {
    await immediate();
    while (!isSo()) {
      const next = this.#takeNext(untilMs);
      this.nowMs = Math.max(this.nowMs, next?.dueMs ?? untilMs);
      this.onStep();
      if (!next) return;
      if (next.owner?.isGone) continue;
      if (next.owner?.isPaused) {
        next.owner.backlog.push(next);
        continue;
      }
      next.run();
      await immediate();
      this.onStep();
    }
  }

  #takeNext(untilMs: number): Task | undefined {
    let best = -1;
    for (let index = 0; index < this.#tasks.length; index++) {
      const task = this.#tasks[index] as Task;
      const known = this.#tasks[best];
      if (task.dueMs <= untilMs && (!known || task.dueMs < known.dueMs || (task.dueMs === known.dueMs && task.order < known.order)))
        best = index;
    }
    return best < 0 ? undefined : this.#tasks.splice(best, 1)[0];
  }

  #schedule(owner: Owner | undefined, delayMs: number, run: () => void, isTimer = false): () => void {
    const task = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, owner, isTimer, run };
    this.#tasks.push(task);
    return () => {
      task.run = () => {};
      const index = this.#tasks.indexOf(task);
      if (index >= 0) this.#tasks.splice(index, 1);
    };
  }

  /** Of a machine whose wall clock is set every other second, by up to two hours. */
  #makeClock(owner: Owner | undefined): Clock {
    const machine = this.#clocks++;
    const wrongMs = () => (((machine + 1) * (Math.floor(this.nowMs / 2000) + 1) * 7_654_321) % 14_400_000) - 7_200_000;
    const schedule: Clock["schedule"] = (delayMs, callback) => this.#schedule(owner, delayMs, callback, true);
    return {
      now: () => new Date(1_800_000_000_000 + Math.floor(this.nowMs) + wrongMs()),
      steadyNow: () => new Date(1_800_000_000_000 + Math.floor(this.nowMs)),
      monotonicMs: () => this.nowMs,
      schedule,
      sleep: (delayMs, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const cancel = schedule(delayMs, resolve);
          const onAbort = () => {
            cancel();
            reject(signal?.reason);
          };
          signal?.addEventListener("abort", onAbort, { once: true });
        }),
    };
  }

  #store(type: "ADDED" | "MODIFIED" | "DELETED", lease: StoredLease): StoredLease {
    this.#version += 1;
    const stored = structuredClone(lease);
    stored.metadata.resourceVersion = String(this.#version);
    if (type === "DELETED") this.#leases.delete(stored.metadata.name);
    else this.#leases.set(stored.metadata.name, stored);
    this.#history.push({ version: this.#version, event: { type, object: structuredClone(stored) } });
    for (const look of this.#watchers) look();
    return structuredClone(stored);
  }

  #perform(verb: string, name: string, body: unknown): unknown {
    const before = this.#leases.get(name);
    if (verb === "list")
      return {
        metadata: { resourceVersion: String(this.#version) },
        items: structuredClone([...this.#leases.values()].filter(isSelected)),
      };
    if (verb === "create") {
      if (before) throw refusal("create", 409, "AlreadyExists");
      const { metadata, ...rest } = body as Lease;
      return this.#store("ADDED", {
        ...rest,
        metadata: { ...metadata, namespace: "ci", uid: `uid-${this.#version}`, resourceVersion: "" },
      });
    }
    if (!before) throw refusal(verb, 404, "NotFound");
    if (verb === "get") return structuredClone(before);
    if (verb === "delete") {
      if ((body as { uid?: string }).uid !== before.metadata.uid) throw refusal(verb, 409, "Conflict");
      return this.#store("DELETED", before);
    }
    if ((body as StoredLease).metadata.resourceVersion !== before.metadata.resourceVersion) throw refusal(verb, 409, "Conflict");
    return this.#store("MODIFIED", mergePatch(before, body) as StoredLease);
  }

  #makeClient(owner: Owner | undefined, link: Link, calls: string[], clock: Clock): KubeClient {
    const call = <T>(verb: string, name: string, body: unknown, signal: AbortSignal | undefined): Promise<T> =>
      new Promise<T>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        const fate = this.isUp ? link.fate(verb, name) : "hung";
        const answer = (settle: () => void) => this.#schedule(owner, link.latencyMs(), settle);
        // The client's own deadline; whoever asks usually has a shorter one.
        this.#schedule(owner, CLIENT_DEADLINE_MS, () =>
          reject(new KubeError("TH_KUBE_TIMEOUT", `${verb}: no answer`, { retryable: true })),
        );
        const failure = () => reject(parseStatus(verb, 500, { message: `the call was ${fate}` }));
        const lateMs = fate === "hung" ? this.#random() * 12_000 : 0;
        if (fate === "refused") return void answer(failure);
        if (!this.isUp || (fate === "hung" && this.#random() < 0.5)) return;
        this.#schedule(undefined, link.latencyMs() + lateMs, () => {
          calls.push(`${verb} ${name}`);
          let settle = failure;
          try {
            const result = this.#perform(verb, name, body);
            if (fate === "answered") settle = () => resolve(result as T);
          } catch (error) {
            if (fate === "answered") settle = () => reject(error);
          }
          if (fate !== "hung") answer(settle);
        });
      });
    const unused = () => Promise.reject(new Error("not in this world"));
    return {
      create: (_resource, _namespace, body, options) => call("create", (body as Lease).metadata.name, body, options?.signal),
      get: (_resource, _namespace, name, options) => call("get", name, undefined, options?.signal),
      list: (_resource, _namespace, options) => call("list", "", undefined, options?.signal),
      mergePatch: (_resource, _namespace, name, patch, options) => call("patch", name, patch, options?.signal),
      delete: async (_resource, _namespace, name, options) => {
        try {
          await call("delete", name, options, options.signal);
        } catch (error) {
          if (!(error instanceof KubeError) || error.code !== "TH_KUBE_NOT_FOUND") throw error;
        }
      },
      watch: (_resource, _namespace, options) => this.#watch(owner, link, clock, options) as AsyncIterable<WatchEvent<never>>,
      now: () => clock.now(),
      jsonPatch: unused,
      podLog: unused,
      openApi: unused,
      label: "the API server of this world",
      close: unused,
    };
  }

  async *#watch(owner: Owner | undefined, link: Link, clock: Clock, options: WatchOptions): AsyncGenerator<WatchEvent<StoredLease>> {
    const { signal, idleMs = 60_000 } = options;
    const arrived: WatchEvent<StoredLease>[] = [];
    let told = Number(options.resourceVersion);
    let lastArrivalMs = 0;
    let wake = () => {};
    let failure: unknown;
    const look = () => {
      const news = this.#history.filter(({ version }) => version > told);
      told = this.#version;
      if (link.isSilent || !this.isUp || news.length === 0) return;
      // They come in order, however long each of them takes.
      lastArrivalMs = Math.max(lastArrivalMs, this.nowMs + link.latencyMs());
      this.#schedule(owner, lastArrivalMs - this.nowMs, () => {
        arrived.push(...news.map(({ event }) => (isSelected(event.object) ? event : { ...event, type: "DELETED" as const })));
        wake();
      });
    };
    const onAbort = () => {
      failure = signal.reason;
      wake();
    };
    if (!this.isUp) throw parseStatus("watch", 500, { message: "the API server is down" });
    this.#watchers.add(look);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    look();
    try {
      for (;;) {
        const event = arrived.shift();
        if (event) {
          yield event;
          continue;
        }
        if (failure) throw failure;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const cancel = clock.schedule(idleMs, () => {
          failure = new KubeError("TH_KUBE_TIMEOUT", "the watch is silent", { retryable: true });
          resolve();
        });
        await promise;
        cancel();
      }
    } finally {
      this.#watchers.delete(look);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function isSelected({ metadata }: Lease): boolean {
  return metadata.labels?.["turbo-hipster.io/installation"] === INSTALLATION;
}

interface LogLine {
  message: string;
  /** With an error's message for the error. */
  fields: object;
}

function recordingLogger(texts: string[], lines: LogLine[], bound: object = {}): Logger {
  const write = (fields: object, message: string) => {
    const { err, ...rest } = fields as { err?: Error };
    texts.push(`${message} ${JSON.stringify(rest)} ${err?.message ?? ""}`);
    lines.push({ message, fields: { ...bound, ...rest, ...(err ? { err: err.message } : {}) } });
  };
  const child = (fields: object) => recordingLogger(texts, lines, { ...bound, ...fields });
  return { debug: write, info: write, warn: write, error: write, child };
}

function refusal(verb: string, code: number, reason: string): KubeError {
  return parseStatus(verb, code, { kind: "Status", apiVersion: "v1", status: "Failure", reason, code });
}
