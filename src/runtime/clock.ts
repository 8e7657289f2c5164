import { setTimeout as sleepTimer } from "node:timers/promises";

/**
 * Time as everything outside `core` sees it. Tests pass a clock of their own; `core` takes `now` as an argument.
 */
export interface Clock {
  /** Wall clock, for stamps that leave the process. It may be wrong and may be set at any time: it decides nothing. */
  now(): Date;
  /**
   * The clock that never jumps, as a Date: for how long something has been as it is. Only differences mean anything; others' stamps are compared
   * with the clock of who wrote them (`BuildCluster.now`).
   */
  steadyNow(): Date;
  /** Milliseconds of a clock that never jumps; only differences mean anything. */
  monotonicMs(): number;
  /** Resolves after `delayMs`; rejects with the signal's reason as soon as it aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `delayMs` and returns what cancels it. The callback must not throw. */
  schedule(delayMs: number, callback: () => void): () => void;
}

/** Longest delay Node's timers take; a longer one fires at once, so `schedule` and `sleep` stop here. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  steadyNow: () => new Date(performance.timeOrigin + performance.now()),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => sleepTimer(Math.min(delayMs, MAX_TIMER_MS), undefined, signal ? { signal } : {}),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
