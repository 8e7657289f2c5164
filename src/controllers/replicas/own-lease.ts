import { type Lease, OWN_RENEWAL_MS, renderLeaseSpec, replicaLeaseName } from "../../core/replicas/leadership.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import { type ContactedLeases, isWorthTelling } from "./lease-store.ts";

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 3_000;

export interface OwnLeaseOptions {
  leases: ContactedLeases;
  installation: string;
  replica: string;
  clock: Clock;
  logger: Logger;
  /** It is there for the first time. */
  onCreated(): void;
}

/** A replica's own Lease, by which the others know that it lives: made, renewed, made again when someone deletes it, deleted in the end. */
export class OwnLease {
  readonly name: string;
  readonly #options: OwnLeaseOptions;
  readonly #wakeup: Wakeup;
  readonly #ending = new AbortController();
  /** By the clock that is never set: others see in the Lease the replica's age, not the object's. */
  readonly #began: Date;
  #loop: Promise<void> | undefined;
  #wasCreated = false;
  #failures = 0;

  constructor(options: OwnLeaseOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    this.#began = options.clock.steadyNow();
    this.name = replicaLeaseName(options.installation, options.replica);
  }

  /** It has been there once. */
  get wasCreated(): boolean {
    return this.#wasCreated;
  }

  start(): void {
    if (!this.#ending.signal.aborted) this.#loop ??= this.#run();
  }

  /** It was seen to change. */
  noteChange(): void {
    if (this.#wasCreated && this.#options.leases.cached(this.name) === null) this.#wakeup.wake();
  }

  /** Deletes it, until `signal` aborts. */
  async stop(signal: AbortSignal): Promise<void> {
    const { leases, clock, logger } = this.#options;
    this.#ending.abort();
    await this.#loop;
    if (this.#loop === undefined) return;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        // What a call that was broken off has made is not in the cache yet.
        const lease = leases.cached(this.name) ?? (await leases.get(this.name, signal));
        if (lease) await leases.delete(lease, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ lease: this.name, err: coerceError(error) }, "retries to delete the Lease of this replica");
        await new Wakeup(clock).wait(backoffMs(attempt, RETRY_BASE_MS, RETRY_MAX_MS), signal);
      }
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const waitMs = await this.#renew(signal);
      await this.#wakeup.wait(waitMs, signal);
    }
  }

  /** Returns when to come again. */
  async #renew(signal: AbortSignal): Promise<number> {
    const { leases, clock, logger } = this.#options;
    const sentAtMs = clock.monotonicMs();
    try {
      if (await this.#write(leases.cached(this.name), signal)) {
        this.#failures = 0;
        this.#noteThere();
        return Math.max(0, sentAtMs + OWN_RENEWAL_MS - clock.monotonicMs());
      }
      await this.#options.leases.get(this.name, signal);
    } catch (error) {
      if (signal.aborted) return 0;
      const fields = { lease: this.name, failures: this.#failures + 1, err: coerceError(error) };
      if (isWorthTelling(this.#failures)) logger.warn(fields, "tries the Lease of this replica again after a failure");
    }
    return backoffMs(this.#failures++, RETRY_BASE_MS, RETRY_MAX_MS);
  }

  #write(lease: Lease | null | undefined, signal: AbortSignal): Promise<Lease | undefined> {
    const { leases, replica, clock } = this.#options;
    const now = clock.now();
    const ageMs = clock.steadyNow().getTime() - this.#began.getTime();
    const spec = renderLeaseSpec(replica, new Date(now.getTime() - ageMs), now, lease ?? undefined);
    return lease ? leases.update(lease, spec, signal) : leases.create(this.name, spec, signal);
  }

  #noteThere(): void {
    if (this.#wasCreated) return;
    this.#wasCreated = true;
    this.#options.onCreated();
  }
}
