import { backoffMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { coerceError, isRetryable } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Wakeup } from "./wakeup.ts";

export interface RetryOptions {
  /** In the log, after "retries to". */
  what: string;
  /** Pauses between two tries: the first, and the longest. */
  firstMs: number;
  maxMs: number;
  /** Waits between tries; a wake-up ends a pause. */
  wakeup: Wakeup;
  clock: Clock;
  logger: Logger;
}

/** "given-up": `error` would come again, however often it is tried. "stopped": `signal` aborted. */
export type Retried<T> = { kind: "done"; value: T } | { kind: "given-up"; error: Error } | { kind: "stopped" };

/**
 * A call that is refused, by an error without `retryable`, is given up when it was refused this often, and first this long ago: who refuses
 * may not know better yet, as an API server that has just started. Other failures never count.
 */
export const MAX_REFUSALS = 8;
export const MAX_REFUSED_MS = 5 * 60_000;

/** Calls until it works, is refused too often, or `signal` aborts; a call that is under way then is waited for. Never rejects. */
export async function retry<T>(call: () => Promise<T>, options: RetryOptions, signal: AbortSignal): Promise<Retried<T>> {
  const { what, firstMs, maxMs, wakeup, clock, logger } = options;
  let refusals = 0;
  let refusedAtMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      return { kind: "done", value: await call() };
    } catch (thrown) {
      const error = coerceError(thrown);
      if (!isRetryable(error)) {
        refusals += 1;
        refusedAtMs = Math.min(refusedAtMs, clock.monotonicMs());
      }
      const isRefused = refusals >= MAX_REFUSALS && clock.monotonicMs() - refusedAtMs >= MAX_REFUSED_MS;
      if (isRefused && !isRetryable(error)) return { kind: "given-up", error };
      logger.warn({ err: error, attempt }, `retries to ${what}`);
      await wakeup.wait(backoffMs(attempt, firstMs, maxMs), signal);
    }
  }
  return { kind: "stopped" };
}
