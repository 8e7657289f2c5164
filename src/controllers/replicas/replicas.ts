import { holderLeaseName } from "../../core/replicas/leadership.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import { HolderLease } from "./holder-lease.ts";
import { type LeaseStore, makeContactedLeases } from "./lease-store.ts";
import { OtherReplicas } from "./other-replicas.ts";
import { OwnLease } from "./own-lease.ts";

/** What a stop may take in all. */
const STOP_MS = 3_000;

export interface ReplicasOptions {
  leases: LeaseStore;
  installation: string;
  /** Must be another one for each process. */
  replica: string;
  clock: Clock;
  logger: Logger;
  /** The role of this replica, or whether another one lives, may have changed. */
  onChange(): void;
}

/**
 * The replicas of an installation: which of them holds it, and which live. Two Leases tell it: the holder's, which one replica renews, and
 * each replica's own. At no time do two replicas think that they are the holder; an API server that is away makes none of them one, and is
 * asked again for ever.
 */
export class Replicas implements Service {
  readonly #options: ReplicasOptions;
  readonly #holder: HolderLease;
  readonly #own: OwnLease;
  readonly #others: OtherReplicas;
  #unsubscribe = () => {};
  #stopped: Promise<void> | undefined;
  #isStarted = false;

  constructor(options: ReplicasOptions) {
    const { leases: store, installation, replica, clock, logger: parent } = options;
    this.#options = options;
    const logger = parent.child({ replica });
    const leases = makeContactedLeases(store, clock, () => this.#wake());
    const shared = { leases, installation, replica, clock, logger };
    this.#own = new OwnLease({ ...shared, onCreated: () => this.#wake() });
    this.#others = new OtherReplicas({
      ...shared,
      ownName: this.#own.name,
      isHolder: () => this.isHolder,
      onChange: () => options.onChange(),
    });
    this.#holder = new HolderLease({
      ...shared,
      mayAsk: () => this.#own.wasCreated,
      ownLeasesOfOthers: () => this.#others.leases(),
      onChange: () => {
        this.#others.wake();
        options.onChange();
      },
    });
  }

  /** True only while the last renewal that succeeded was sent less than 10 s ago, by the clock of this moment. */
  get isHolder(): boolean {
    return this.#holder.isHolder;
  }

  /** A replica lives until the API server has confirmed that its own Lease is over, or gone for 2 s. This one itself always does. */
  isAlive(replica: string): boolean {
    return this.#others.isAlive(replica);
  }

  /** Gives up the holder's Lease, if held, and never asks for it again; within 2 s. The own Lease stays. */
  resign(): Promise<void> {
    return this.#holder.resign();
  }

  async start(): Promise<void> {
    if (this.#isStarted || this.#stopped !== undefined) return;
    this.#isStarted = true;
    this.#unsubscribe = this.#options.leases.onChange((name) => this.#noteChange(name));
    for (const { metadata } of this.#options.leases.cachedAll()) this.#noteChange(metadata.name);
    this.#own.start();
    this.#holder.start();
    this.#others.start();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    const late = new AbortController();
    const cancelTimer = this.#options.clock.schedule(STOP_MS, () => late.abort());
    try {
      await Promise.all([this.#holder.stop(), this.#own.stop(late.signal), this.#others.stop()]);
    } finally {
      cancelTimer();
      this.#unsubscribe();
    }
  }

  #noteChange(name: string | undefined): void {
    if (name === undefined) this.#wake();
    else if (name === holderLeaseName(this.#options.installation)) this.#holder.wake();
    else if (name === this.#own.name) this.#own.noteChange();
    else this.#others.noteChange(name);
  }

  #wake(): void {
    this.#holder.wake();
    this.#others.wake();
  }
}
