import type { Clock } from "../../src/runtime/clock.ts";

export interface ManualClock extends Clock {
  /** Timers that have neither fired nor been cancelled. */
  readonly pending: number;
  /** What falls due meanwhile fires before it returns, in order. */
  skip(ms: number): void;
  /** The machine's clock is set on, or back, by so much; no time passes. */
  jump(ms: number): void;
}

/** Time that stands still but for `skip`, and leaves no timer behind. */
export function makeManualClock(): ManualClock {
  const timers = new Set<{ dueMs: number; fire(): void }>();
  let nowMs = 0;
  let jumpedMs = 0;
  return {
    now: () => new Date(nowMs + jumpedMs),
    steadyNow: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: () => Promise.reject(new Error("not needed here")),
    schedule(delayMs, fire) {
      const timer = { dueMs: nowMs + Math.max(0, delayMs), fire };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get pending() {
      return timers.size;
    },
    jump(ms) {
      jumpedMs += ms;
    },
    skip(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const [next] = [...timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs);
        if (next === undefined) break;
        nowMs = next.dueMs;
        timers.delete(next);
        next.fire();
      }
      nowMs = endMs;
    },
  };
}
