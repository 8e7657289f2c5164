import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isRetryable } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** For how long a call is tried again. A store that restarts is away for a minute; who reads a page waits for seconds. */
export const PATIENCE_MS = { write: 5 * 60_000, read: 10_000 } as const;

export interface PatienceOptions {
  /** In the log, after "could not". */
  what: string;
  patienceMs: number;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

/** Calls until it succeeds, fails with what would come again, or has failed for longer than the patience; then rejects as the last call did. */
export async function patiently<T>(call: () => Promise<T>, { what, patienceMs, clock, logger, signal }: PatienceOptions): Promise<T> {
  const startedMs = clock.monotonicMs();
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      const pauseMs = backoffMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
      if (!isRetryable(error) || clock.monotonicMs() - startedMs + pauseMs > patienceMs) throw error;
      logger.warn({ err: error, attempt, pauseMs: Math.round(pauseMs) }, `could not ${what}, tries again`);
      await clock.sleep(pauseMs, signal);
    }
  }
}
