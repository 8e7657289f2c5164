import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";

const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 5 * 60_000;

/**
 * Does it until it works, `signal` aborts, or `untilMs` (of the clock) is over: then it resolves with undefined. `what` is for the log, after "could
 * not". Never rejects. Other than `runtime/retry.ts` it takes no refusal for the last word: a store's owner may mend it.
 */
export type KeepTrying = <T>(what: string, work: () => Promise<T>, signal: AbortSignal, untilMs?: number) => Promise<T | undefined>;

export function makeKeepTrying({ clock, logger }: { clock: Clock; logger: Logger }): KeepTrying {
  return async (what, work, signal, untilMs = Number.POSITIVE_INFINITY) => {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        return await work();
      } catch (thrown) {
        if (signal.aborted) return undefined;
        const isLast = clock.monotonicMs() > untilMs;
        logger[isLast ? "error" : "warn"]({ err: coerceError(thrown), attempt }, `could not ${what}${isLast ? "" : ", tries again"}`);
        if (isLast) return undefined;
        await clock.sleep(backoffMs(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS), signal).catch(() => {});
      }
    }
    return undefined;
  };
}
