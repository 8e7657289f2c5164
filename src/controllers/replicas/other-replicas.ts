import { decideReplica, type Lease, leaseLabels, replicaLeaseName, versionOf } from "../../core/replicas/leadership.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { earliest, Wakeup } from "../../runtime/wakeup.ts";
import { type ContactedLeases, isWorthTelling } from "./lease-store.ts";

const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 3_000;
/** Names that someone has asked for and that have no Lease; more of them are forgotten, and asked for again. */
const MAX_STRANGERS = 1_000;
/** Longer than any name of a Pod with what is added to it. */
const MAX_NAME_LENGTH = 300;

export interface OtherReplicasOptions {
  leases: ContactedLeases;
  installation: string;
  /** Name of this replica's own Lease. */
  ownName: string;
  clock: Clock;
  logger: Logger;
  isHolder(): boolean;
  /** One lives that was not known, or one is dead. */
  onChange(): void;
}

interface Seen {
  /** undefined: there is none. */
  version: string | undefined;
  atMs: number;
  isDead: boolean;
}

/** The own Leases of the other replicas: which of them live, and the deletion of what dead ones have left. */
export class OtherReplicas {
  readonly #options: OtherReplicasOptions;
  readonly #wakeup: Wakeup;
  readonly #ending = new AbortController();
  readonly #seen = new Map<string, Seen>();
  #loop: Promise<void> | undefined;

  constructor(options: OtherReplicasOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  start(): void {
    if (!this.#ending.signal.aborted) this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
  }

  /** Something else that it decides by may have changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Until the API server has said that a replica has no Lease that stands, it lives: whoever is not known, too. */
  isAlive(replica: string): boolean {
    if (replica.length > MAX_NAME_LENGTH) return false;
    const name = replicaLeaseName(this.#options.installation, replica);
    if (!this.#isOthers(name)) return name === this.#options.ownName;
    return !this.#observe(name, true)?.isDead;
  }

  /** The Lease of this name was seen to change. */
  noteChange(name: string): void {
    if (this.#isOthers(name)) this.#observe(name, false);
  }

  *leases(): Iterable<Lease> {
    for (const lease of this.#options.leases.cachedAll()) if (this.#isOthers(lease.metadata.name)) yield lease;
  }

  #isOthers(name: string): boolean {
    const { installation, ownName } = this.#options;
    return name !== ownName && name.startsWith(`${installation}-`);
  }

  /** Takes down what is seen of it now; `isAsked`: also if there is no Lease, and never was. */
  #observe(name: string, isAsked: boolean): Seen | undefined {
    const { leases, clock, onChange } = this.#options;
    const lease = leases.cached(name);
    const version = lease ? versionOf(lease) : undefined;
    const before = this.#seen.get(name);
    if (before?.version === version && before !== undefined) return before;
    if (before === undefined && !lease && !isAsked) return undefined;
    // One that was dead and has no Lease any more does not come back to life by that.
    const isDead = before?.isDead === true && version === undefined;
    const seen = { version, atMs: clock.monotonicMs(), isDead };
    this.#seen.delete(name);
    this.#seen.set(name, seen);
    this.#forget();
    this.#wakeup.wake();
    if ((before === undefined || before.isDead) && lease) onChange();
    return seen;
  }

  #forget(): void {
    const strangers = [...this.#seen].filter(([, { version }]) => version === undefined);
    for (const [name] of strangers.slice(0, -MAX_STRANGERS)) this.#seen.delete(name);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs: number | undefined;
      try {
        waitMs = await this.#round(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const fields = { failures: failures + 1, err: coerceError(error) };
        if (isWorthTelling(failures)) this.#options.logger.warn(fields, "asks again for the Leases of other replicas after a failure");
        await new Wakeup(this.#options.clock).wait(backoffMs(failures++, RETRY_BASE_MS, RETRY_MAX_MS), signal);
        continue;
      }
      await this.#wakeup.wait(waitMs, signal);
    }
  }

  /** Does what is due; returns when something will be. */
  async #round(signal: AbortSignal): Promise<number | undefined> {
    const { clock, leases, isHolder } = this.#options;
    let waitMs: number | undefined;
    for (const [name, { version, atMs, isDead }] of [...this.#seen]) {
      const nowMs = clock.monotonicMs();
      const view = { nowMs, isThere: version !== undefined, seenAtMs: atMs, isDead, isHolder: isHolder() };
      const action = decideReplica({ ...view, reachableSinceMs: leases.reachableSinceMs });
      if (action.kind === "wait") {
        waitMs = earliest(waitMs, action.waitMs);
        continue;
      }
      waitMs = 0;
      await leases.get(name, signal);
      // What the API server says may be news; then it is looked at in the next round.
      const seen = this.#observe(name, true);
      if (signal.aborted) return undefined;
      if (seen?.version !== version) continue;
      if (action.kind === "confirm") this.#bury(name, seen);
      else await this.#remove(name, signal);
    }
    return waitMs;
  }

  #bury(name: string, seen: Seen | undefined): void {
    if (!seen) return;
    seen.isDead = true;
    const { logger, onChange } = this.#options;
    logger.info({ lease: name }, seen.version === undefined ? "finds another replica gone" : "finds another replica dead");
    onChange();
  }

  async #remove(name: string, signal: AbortSignal): Promise<void> {
    const { leases, installation, logger } = this.#options;
    const lease = leases.cached(name);
    if (!lease) return;
    const labels = lease.metadata.labels ?? {};
    if (Object.entries(leaseLabels(installation)).some(([label, value]) => labels[label] !== value)) {
      this.#seen.delete(name);
      return;
    }
    await leases.delete(lease, signal);
    logger.info({ lease: name }, "has deleted the Lease of a replica that is dead");
    this.#observe(name, false);
  }
}
