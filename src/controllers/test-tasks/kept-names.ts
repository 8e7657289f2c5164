import { isDeepStrictEqual } from "node:util";
import { mergeRegisteredNames, type RegisteredNames, renewRegisteredNames } from "../../core/test-task/registered-names.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError, TurboHipsterError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";

/** All tries at reading the names before beginning without them. */
const LOAD_MS = 10_000;
/** One try at reading or writing them: what needs longer hangs. */
const TRY_MS = 3_000;
/** Until the next try at writing them. */
const RETRY_MS = 30_000;

/** Where the names of functions are kept over restarts. */
export interface NameStore {
  /** The API server's clock: all replicas write down times, and a machine's own may be wrong by years. */
  now(): Date;
  load(signal: AbortSignal): Promise<RegisteredNames>;
  /** Replaces what was loaded last; rejects if others have changed it since. */
  save(names: RegisteredNames, signal: AbortSignal): Promise<void>;
}

/** The functions that have been registered lately, those of deleted TestTasks among them. */
export class KeptNames {
  readonly #store: NameStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #names: RegisteredNames = new Map();
  /** What the store has, as far as it is known. */
  #saved: RegisteredNames | undefined;
  #retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { store: NameStore; clock: Clock; logger: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  keys(): Iterable<string> {
    return this.#names.keys();
  }

  /** These are served now. */
  renew(served: Iterable<string>): void {
    this.#names = renewRegisteredNames(this.#names, served, this.#store.now());
  }

  /**
   * Resolves within about 10 s, whatever the store does: without what was kept, builds of deleted TestTasks wait longer for their answer,
   * but all others must not wait for that. What could not be read is read by `save`.
   */
  async load(signal: AbortSignal): Promise<void> {
    const pause = new Wakeup(this.#clock);
    const endMs = this.#clock.monotonicMs() + LOAD_MS;
    const leftMs = () => Math.max(0, endMs - this.#clock.monotonicMs());
    for (let attempt = 0; leftMs() > 0 && !signal.aborted; attempt += 1) {
      try {
        await this.#read(Math.min(TRY_MS, leftMs()), signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn({ err: coerceError(error), attempt }, "retries to read the functions that were served before");
        await pause.wait(Math.min(backoffMs(attempt, 250, 2500), leftMs()), signal);
      }
    }
    if (!signal.aborted) this.#logger.warn({}, "goes on without the functions that were served before, until they can be read");
  }

  /**
   * Writes the names down if they have changed, together with those that the store has. Returns when to look at them again: at once
   * (0) when some came from the store, later if it failed. Resolves within seconds.
   */
  async save(signal: AbortSignal): Promise<number | undefined> {
    if (isDeepStrictEqual(this.#names, this.#saved)) return undefined;
    const waitMs = this.#retryAtMs - this.#clock.monotonicMs();
    if (waitMs > 0) return waitMs;
    try {
      return await this.#write(signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#logger.warn({ err: coerceError(error) }, "could not write down the functions that are served");
      this.#retryAtMs = this.#clock.monotonicMs() + RETRY_MS;
      return RETRY_MS;
    }
  }

  async #write(signal: AbortSignal): Promise<number | undefined> {
    const before = this.#names;
    await this.#read(TRY_MS, signal);
    const names = this.#names;
    if (!isDeepStrictEqual(names, this.#saved)) {
      await this.#try(TRY_MS, signal, (trySignal) => this.#store.save(names, trySignal));
      this.#saved = names;
    }
    return [...names.keys()].every((name) => before.has(name)) ? undefined : 0;
  }

  async #read(tryMs: number, signal: AbortSignal): Promise<void> {
    const stored = await this.#try(tryMs, signal, (trySignal) => this.#store.load(trySignal));
    this.#saved = stored;
    this.#names = renewRegisteredNames(mergeRegisteredNames(stored, this.#names), [], this.#store.now());
  }

  /** A call that hangs is ended after so long. */
  async #try<T>(tryMs: number, signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new AbortController();
    const late = new TurboHipsterError("TH_NAMES_TIMEOUT", `no answer from the API server within ${tryMs} ms`, { retryable: true });
    const cancel = this.#clock.schedule(tryMs, () => deadline.abort(late));
    try {
      return await call(AbortSignal.any([signal, deadline.signal]));
    } finally {
      cancel();
    }
  }
}
