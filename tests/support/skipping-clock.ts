import { type Clock, systemClock } from "../../src/runtime/clock.ts";
import { sleepBy } from "./process-clock.ts";

export interface SkippingClock extends Clock {
  /** Timers that have neither fired nor been cancelled. */
  readonly pending: number;
  /** Moves both clocks on by so much; what falls due meanwhile fires before it returns, in order. */
  skip(ms: number): void;
  /** The machine's clock is set on, or back, by so much; no time passes. */
  jump(ms: number): void;
  /** Called with the delay of each new timer; returns what unsubscribes. */
  onSchedule(listener: (delayMs: number) => void): () => void;
}

/** Another clock's time, plus what tests have skipped: what waits for minutes is tested in no time, and everything else goes on as always. */
export function makeSkippingClock(base: Clock = systemClock): SkippingClock {
  let skippedMs = 0;
  let jumpedMs = 0;
  const pending = new Set<{ dueMs: number; fire(): void; arm(): void }>();
  const listeners = new Set<(delayMs: number) => void>();
  const monotonicMs = () => base.monotonicMs() + skippedMs;

  const clock: SkippingClock = {
    now: () => new Date(Date.now() + skippedMs + jumpedMs),
    steadyNow: () => new Date(performance.timeOrigin + monotonicMs()),
    monotonicMs,
    schedule(delayMs, callback) {
      let disarm = () => {};
      const cancel = () => {
        disarm();
        pending.delete(entry);
      };
      const entry = {
        dueMs: monotonicMs() + Math.max(0, delayMs),
        fire() {
          cancel();
          callback();
        },
        arm() {
          disarm();
          disarm = base.schedule(entry.dueMs - monotonicMs(), entry.fire);
        },
      };
      pending.add(entry);
      entry.arm();
      for (const listener of listeners) listener(delayMs);
      return cancel;
    },
    sleep: (delayMs, signal) => sleepBy(clock.schedule, delayMs, signal),
    onSchedule(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get pending() {
      return pending.size;
    },
    jump(ms) {
      jumpedMs += ms;
    },
    skip(ms) {
      skippedMs += ms;
      const due = [...pending].filter(({ dueMs }) => dueMs <= monotonicMs()).sort((a, b) => a.dueMs - b.dueMs);
      for (const entry of due) if (pending.has(entry)) entry.fire();
      for (const entry of pending) entry.arm();
    },
  };
  return clock;
}
