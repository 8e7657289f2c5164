import { isRemovable, type RetentionLimits } from "../../core/logs/build-index.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import type { LogStore } from "./log-store.ts";
import type { StoredBuilds } from "./stored-builds.ts";

const LOOK_MS = 10 * 60_000;
/** Builds that are removed in one go; when there are more, the next look comes soon. */
const MAX_REMOVALS = 200;
const SOON_MS = 5000;
/** An upload that has begun so long ago has no process any more. */
const UNFINISHED_MS = 24 * 3_600_000;

export interface RetentionOptions {
  store: LogStore;
  builds: StoredBuilds;
  limits: RetentionLimits;
  /** One replica alone removes. */
  isHolder(): boolean;
  /** By the API server's clock: a machine whose clock is wrong must not remove everything. */
  now(): Date;
  clock: Clock;
  logger: Logger;
}

/** Removes builds that are too old, or too much together, and what uploads have left. What fails is told, and done again at the next look. */
export class Retention implements Service {
  readonly #options: RetentionOptions;
  readonly #loop: Loop;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#loop = new Loop(options.clock, (signal) => this.#round(signal));
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** This replica has become the holder. */
  wake(): void {
    this.#loop.wake();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { isHolder, store, now, logger } = this.#options;
    if (!isHolder()) return LOOK_MS;
    try {
      const removed = await this.#removeBuilds(signal);
      await store.removeUnfinished(new Date(now().getTime() - UNFINISHED_MS), signal);
      return removed === MAX_REMOVALS ? SOON_MS : LOOK_MS;
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: coerceError(error) }, "could not remove old builds from the log store");
      return LOOK_MS;
    }
  }

  async #removeBuilds(signal: AbortSignal): Promise<number> {
    const { builds, limits, isHolder, now, logger } = this.#options;
    let total = 0;
    for await (const { entry } of builds.oldestFirst(signal)) total += entry.bytes ?? 0;
    let removed = 0;
    for await (const build of builds.oldestFirst(signal)) {
      if (removed === MAX_REMOVALS || !isHolder()) break;
      if (isRemovable(build.entry, total, limits, now())) {
        await builds.remove(build, signal);
        total -= build.entry.bytes ?? 0;
        removed += 1;
      } else if (build.entry.bytes !== undefined) break; // Those behind it are younger.
    }
    if (removed > 0) logger.info({ builds: removed, bytes: total }, "removed old builds from the log store");
    return removed;
  }
}
