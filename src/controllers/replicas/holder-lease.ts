import {
  decideHolder,
  HOLD_MS,
  type HolderAction,
  holderLeaseName,
  isHeld,
  isOurs,
  type Lease,
  MAX_JITTER_MS,
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
import { type ContactedLeases, isWorthTelling } from "./lease-store.ts";

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 1_000;
const RELEASE_MS = 2_000;
/** Beginnings of holding that are remembered: a write of which nobody knows whether it was done may show up late. */
const MAX_TENURES = 10;

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

/** A state of the Lease, since when it is seen, and whether the API server has said so itself since. */
interface Seen {
  key: string;
  atMs: number;
  confirmedAtMs: number | undefined;
  jitterMs: number;
}

/** Since when this replica says that it holds the Lease. */
interface Tenure {
  began: Date;
  /** Only what is sent from then on makes it the holder; undefined: that is known once the API server has answered. */
  holdsFromMs: number | undefined;
}

/** The Lease of an installation's holder, as one replica sees it, asks for it, renews it and gives it up. */
export class HolderLease {
  readonly #options: HolderLeaseOptions;
  readonly #name: string;
  readonly #wakeup: Wakeup;
  /** No further round begins once this aborts; a call under way is let finish. */
  readonly #resigning = new AbortController();
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #resigned: Promise<void> | undefined;
  #seen: Seen | undefined;
  #wasSeen = false;
  #mustConfirm = false;
  #tenures: Tenure[] = [];
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #told = false;
  #cancelLapse = () => {};

  constructor(options: HolderLeaseOptions) {
    this.#options = options;
    this.#name = holderLeaseName(options.installation);
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Compared with the clock when asked: a process that wakes from a stop knows at once. */
  get isHolder(): boolean {
    return isHeld({ nowMs: this.#options.clock.monotonicMs(), renewedAtMs: this.#renewedAtMs });
  }

  start(): void {
    if (!this.#resigning.signal.aborted) this.#loop ??= this.#run();
  }

  /** Something that it decides by may have changed. */
  wake(): void {
    this.#observe();
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
    this.#setRenewed(Number.NEGATIVE_INFINITY);
    try {
      await until(this.#loop, late.signal);
      for (let attempt = 0; !late.signal.aborted; attempt++) {
        const lease = leases.cached(this.#name);
        const tenure = lease && this.#tenureOf(lease);
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
    const seen = this.#observe();
    if (this.#mustConfirm) return { kind: "confirm" };
    return decideHolder({
      nowMs: clock.monotonicMs(),
      replica,
      lease: leases.cached(this.#name),
      seenAtMs: seen.atMs,
      confirmedAtMs: seen.confirmedAtMs,
      tenures: this.#tenures.map(({ began }) => began),
      renewedAtMs: this.#renewedAtMs,
      writtenAtMs: this.#writtenAtMs,
      mayBeHeld: this.#mayBeHeld(),
      reachableSinceMs: leases.reachableSinceMs,
      jitterMs: seen.jitterMs,
    });
  }

  #mayBeHeld(): boolean {
    return !this.#options.leases.hasSynced || mayHaveHolder(this.#wasSeen, this.#options.ownLeasesOfOthers());
  }

  #tenureOf(lease: Lease): Tenure | undefined {
    return this.#tenures.find(({ began }) => isOurs(lease, this.#options.replica, [began]));
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
        const key = this.#seen?.key;
        const seen = this.#observe();
        if (seen.key === key) seen.confirmedAtMs = askedAtMs;
        return true;
      }
      case "yield":
        this.#options.logger.warn(
          { lease: this.#name, holder: lease?.spec?.holderIdentity },
          "finds the holder's Lease written by another",
        );
        this.#setRenewed(Number.NEGATIVE_INFINITY);
        return true;
      case "create":
        return this.#write(
          this.#beginTenure(undefined),
          (spec, signal) => leases.create(this.#name, spec, signal),
          undefined,
          !this.#mayBeHeld(),
        );
      case "take":
        return lease
          ? this.#write(this.#beginTenure(Number.NEGATIVE_INFINITY), (spec, signal) => leases.update(lease, spec, signal), lease)
          : false;
      case "renew": {
        const tenure = lease && this.#tenureOf(lease);
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
    if (sentAtMs >= tenure.holdsFromMs) this.#setRenewed(sentAtMs);
    if (!wasHolder && this.isHolder)
      logger.info({ lease: this.#name, before: before?.spec?.holderIdentity ?? "" }, "holds the installation");
    this.#observe();
    return true;
  }

  #beginTenure(holdsFromMs: number | undefined): Tenure {
    const tenure = { began: this.#options.clock.now(), holdsFromMs };
    this.#tenures = [...this.#tenures, tenure].slice(-MAX_TENURES);
    return tenure;
  }

  #observe(): Seen {
    const { leases, clock } = this.#options;
    const lease = leases.cached(this.#name);
    const key = lease ? versionOf(lease) : String(lease);
    if (this.#seen?.key !== key) {
      const jitterMs = Math.random() * MAX_JITTER_MS;
      this.#seen = { key, atMs: clock.monotonicMs(), confirmedAtMs: undefined, jitterMs };
      if (lease) this.#wasSeen = true;
      // Whatever we have sent was for an older state. Should our words stand there again, then somebody else has put them there.
      if (lease && !this.#tenureOf(lease)) this.#tenures = [];
    }
    return this.#seen;
  }

  #setRenewed(sentAtMs: number): void {
    const { clock, logger } = this.#options;
    // A process that was stopped may ask again before it has told that its time had passed, and another may have held meanwhile.
    this.#tell();
    this.#renewedAtMs = sentAtMs;
    this.#cancelLapse();
    this.#cancelLapse = () => {};
    if (this.isHolder) {
      this.#cancelLapse = clock.schedule(sentAtMs + HOLD_MS - clock.monotonicMs(), () => {
        // Timers may be early.
        if (this.isHolder) return this.#setRenewed(this.#renewedAtMs);
        logger.warn({ lease: this.#name }, "holds the installation no more: its Lease could not be renewed");
        this.#tell();
      });
    }
    this.#tell();
  }

  #tell(): void {
    const isHolder = this.isHolder;
    if (isHolder === this.#told) return;
    this.#told = isHolder;
    this.#options.onChange();
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
