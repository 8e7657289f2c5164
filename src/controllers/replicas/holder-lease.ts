import {
  decideHolder,
  HOLD_MS,
  type HolderAction,
  holderLeaseName,
  type Lease,
  mayHaveHolder,
  renderLeaseSpec,
  renderReleasedSpec,
  versionOf,
} from "../../core/replicas/leadership.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import { Hold } from "./hold.ts";
import { LeaseSight, type Tenure } from "./lease-sight.ts";
import { type ContactedLeases, isWorthTelling } from "./lease-store.ts";

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 1_000;
const RELEASE_MS = 2_000;

export interface HolderLeaseOptions {
  leases: ContactedLeases;
  installation: string;
  replica: string;
  clock: Clock;
  logger: Logger;
  /** Whether this replica may ask for the Lease: its own one is there. */
  mayAsk(): boolean;
  /** The own Leases of the others. */
  ownLeasesOfOthers(): Iterable<Lease>;
  /** `isHolder` may have changed. */
  onChange(): void;
}

/** Asks for the Lease of an installation's holder, renews it and gives it up, for one replica. */
export class HolderLease {
  readonly #options: HolderLeaseOptions;
  readonly #name: string;
  readonly #wakeup: Wakeup;
  readonly #sight: LeaseSight;
  readonly #hold: Hold;
  /** No further round begins once this aborts; a call under way is let finish. */
  readonly #resigning = new AbortController();
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #resigned: Promise<void> | undefined;
  #mustConfirm = false;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(options: HolderLeaseOptions) {
    const { installation, replica, clock, leases, logger, onChange } = options;
    this.#options = options;
    this.#name = holderLeaseName(installation);
    this.#wakeup = new Wakeup(clock);
    this.#sight = new LeaseSight({ replica, clock, cached: () => leases.cached(this.#name) });
    const onLapse = () => logger.warn({ lease: this.#name }, "holds the installation no more: its Lease could not be renewed");
    this.#hold = new Hold({ clock, onLapse, onChange });
  }

  /** Compared with the clock when asked: a process that wakes from a stop knows at once. */
  get isHolder(): boolean {
    return this.#hold.isHeld;
  }

  start(): void {
    if (!this.#resigning.signal.aborted) this.#loop ??= this.#run();
  }

  /** Something that it decides by may have changed. */
  wake(): void {
    this.#sight.look();
    this.#wakeup.wake();
  }

  /** Is no holder at once and never again; resolves when the others may know, 2 s later at most. */
  resign(): Promise<void> {
    this.#resigned ??= this.#release();
    return this.#resigned;
  }

  async stop(): Promise<void> {
    await this.resign();
    this.#stopping.abort();
    await this.#loop;
  }

  async #release(): Promise<void> {
    const { clock, logger, leases } = this.#options;
    this.#resigning.abort();
    const late = new AbortController();
    const cancelTimer = clock.schedule(RELEASE_MS, () => late.abort());
    const wasHolder = this.isHolder;
    this.#hold.end();
    try {
      await until(this.#loop, late.signal);
      for (let attempt = 0; !late.signal.aborted; attempt++) {
        const lease = leases.cached(this.#name);
        const tenure = lease && this.#sight.tenureOf(lease);
        // Who has never held it has nothing to give: another must wait for the Lease's end, as this one had to.
        if (!lease || !tenure || !(clock.monotonicMs() >= (tenure.holdsFromMs ?? Number.POSITIVE_INFINITY))) break;
        try {
          if (await leases.update(lease, renderReleasedSpec(clock.now(), lease), late.signal)) {
            logger.info({ lease: this.#name }, "has given up the holder's Lease");
            break;
          }
          await leases.get(this.#name, late.signal);
        } catch (error) {
          if (!late.signal.aborted) logger.warn({ lease: this.#name, err: coerceError(error) }, "retries to give up the holder's Lease");
          await new Wakeup(clock).wait(backoffMs(attempt, RETRY_BASE_MS / 2, RETRY_MAX_MS), late.signal);
        }
      }
      if (late.signal.aborted && wasHolder)
        logger.warn({ lease: this.#name }, "could not give up the holder's Lease: it runs out by itself");
    } finally {
      cancelTimer();
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#resigning;
    while (!signal.aborted) {
      const action = this.#decide();
      if (action.kind === "wait") await this.#wakeup.wait(action.waitMs, signal);
      else await this.#try(action, signal);
    }
  }

  #decide(): HolderAction {
    const { clock, replica, leases } = this.#options;
    if (!this.#options.mayAsk()) return { kind: "wait", waitMs: RETRY_MAX_MS };
    const seen = this.#sight.look();
    if (this.#mustConfirm) return { kind: "confirm" };
    return decideHolder({
      nowMs: clock.monotonicMs(),
      replica,
      lease: leases.cached(this.#name),
      seenAtMs: seen.atMs,
      confirmedAtMs: seen.confirmedAtMs,
      tenures: this.#sight.began,
      renewedAtMs: this.#hold.renewedAtMs,
      writtenAtMs: this.#writtenAtMs,
      mayBeHeld: this.#mayBeHeld(),
      reachableSinceMs: leases.reachableSinceMs,
      jitterMs: seen.jitterMs,
    });
  }

  #mayBeHeld(): boolean {
    return !this.#options.leases.hasSynced || mayHaveHolder(this.#sight.wasSeen, this.#options.ownLeasesOfOthers());
  }

  async #try(action: HolderAction, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      if (await this.#perform(action)) {
        this.#failures = 0;
        return;
      }
      this.#mustConfirm = true;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const fields = { lease: this.#name, action: action.kind, failures: this.#failures + 1, err: coerceError(error) };
      if (isWorthTelling(this.#failures)) logger.warn(fields, "tries the holder's Lease again after a failure");
    }
    // Others' changes do not make it quicker: it would be a loop without a pause.
    await new Wakeup(clock).wait(backoffMs(this.#failures++, RETRY_BASE_MS, RETRY_MAX_MS), signal);
  }

  /** Returns false when the Lease was not as it was seen. */
  async #perform({ kind }: HolderAction): Promise<boolean> {
    const { clock, leases } = this.#options;
    const lease = leases.cached(this.#name);
    switch (kind) {
      case "confirm": {
        const askedAtMs = clock.monotonicMs();
        await leases.get(this.#name, this.#stopping.signal);
        this.#mustConfirm = false;
        this.#sight.confirm(askedAtMs);
        return true;
      }
      case "yield":
        this.#options.logger.warn(
          { lease: this.#name, holder: lease?.spec?.holderIdentity },
          "finds the holder's Lease written by another",
        );
        this.#hold.end();
        return true;
      case "create":
        return this.#write(
          this.#sight.beginTenure(undefined),
          (spec, signal) => leases.create(this.#name, spec, signal),
          undefined,
          !this.#mayBeHeld(),
        );
      case "take":
        return lease
          ? this.#write(this.#sight.beginTenure(Number.NEGATIVE_INFINITY), (spec, signal) => leases.update(lease, spec, signal), lease)
          : false;
      case "renew": {
        const tenure = lease && this.#sight.tenureOf(lease);
        return tenure ? this.#write(tenure, (spec, signal) => leases.update(lease, spec, signal), lease) : false;
      }
      case "wait":
        return true;
    }
  }

  async #write(
    tenure: Tenure,
    send: (spec: ReturnType<typeof renderLeaseSpec>, signal: AbortSignal) => Promise<Lease | undefined>,
    before: Lease | undefined,
    isFree = false,
  ): Promise<boolean> {
    const { clock, replica, logger } = this.#options;
    const wasHolder = this.isHolder;
    const sentAtMs = clock.monotonicMs();
    const written = await send(renderLeaseSpec(replica, tenure.began, clock.now(), before), this.#stopping.signal);
    if (!written || (before && versionOf(written) === versionOf(before))) return false;
    this.#writtenAtMs = sentAtMs;
    // Made by who is the holder still, it goes on; made where nobody can be, it holds at once.
    tenure.holdsFromMs ??= isFree || this.isHolder ? Number.NEGATIVE_INFINITY : clock.monotonicMs() + HOLD_MS;
    // Who has resigned meanwhile gives it up by what is cached now.
    if (this.#resigning.signal.aborted) return true;
    if (sentAtMs >= tenure.holdsFromMs) this.#hold.renew(sentAtMs);
    if (!wasHolder && this.isHolder)
      logger.info({ lease: this.#name, before: before?.spec?.holderIdentity ?? "" }, "holds the installation");
    this.#sight.look();
    return true;
  }
}

/** Resolves when `promise` does, or the signal aborts. */
async function until(promise: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  if (signal.aborted) return;
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
