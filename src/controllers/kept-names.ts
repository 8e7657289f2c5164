import { isDeepStrictEqual } from "node:util";
import { renewServedNames, type ServedNames } from "../core/served-names.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import { coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { Wakeup } from "../runtime/wakeup.ts";

/** Tries at reading the names before beginning without them. */
const MAX_TRIES = 5;
/** Until the next try at writing them. */
const RETRY_MS = 30_000;

/** Where the names of functions are kept over restarts. */
export interface NameStore {
  load(signal: AbortSignal): Promise<ServedNames>;
  save(names: ServedNames, signal: AbortSignal): Promise<void>;
}

/** The functions that have been registered lately, those of deleted TestTasks among them. */
export class KeptNames {
  readonly #store: NameStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #names: ServedNames = new Map();
  #saved: ServedNames = new Map();

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
    this.#names = renewServedNames(this.#names, served, this.#clock.now());
  }

  /** Without what was kept, builds of deleted TestTasks wait longer for their answer; so a failure must not keep all others waiting. */
  async load(signal: AbortSignal): Promise<void> {
    const pause = new Wakeup(this.#clock);
    for (let attempt = 0; attempt < MAX_TRIES && !signal.aborted; attempt++) {
      try {
        this.#names = await this.#store.load(signal);
        this.#saved = this.#names;
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn({ err: coerceError(error), attempt }, "retries to read the functions that were served before");
        await pause.wait(backoffMs(attempt, 250, 5000), signal);
      }
    }
  }

  /** Writes them down if they have changed; returns when to try again if that failed. */
  async save(signal: AbortSignal): Promise<number | undefined> {
    const names = this.#names;
    if (isDeepStrictEqual(names, this.#saved)) return undefined;
    try {
      await this.#store.save(names, signal);
      this.#saved = names;
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#logger.warn({ err: coerceError(error) }, "could not write down the functions that are served");
      return RETRY_MS;
    }
  }
}
