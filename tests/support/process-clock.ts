import type { Clock } from "../../src/runtime/clock.ts";

/** It looks at the time at least so often, */
const TICK_MS = 20;
/** and what has passed since counts for so much at most, however long the machine kept this process waiting. */
const MAX_STEP_MS = 50;

/**
 * The time that this process had: on a machine that keeps up it is the real time, while any timer of it waits. Of what happens outside of its
 * turns of the event loop next to nothing is counted. Whatever goes to and fro within the process takes a few turns, so that by this clock no
 * machine is too slow for a limit of a second or two.
 */
export function makeProcessClock(): Clock {
  const timers = new Set<{ dueMs: number; fire(): void }>();
  let countedMs = 0;
  let lookedAtMs = performance.now();
  let nextLookMs = Number.POSITIVE_INFINITY;
  let stopTicking = () => {};
  const monotonicMs = () => countedMs + Math.min(performance.now() - lookedAtMs, MAX_STEP_MS);

  function look(): void {
    countedMs = monotonicMs();
    lookedAtMs = performance.now();
  }

  function tickAt(dueMs: number): void {
    stopTicking();
    nextLookMs = dueMs;
    let immediate: NodeJS.Immediate | undefined;
    // Timers that are late may all fire in one turn: after the immediate, what has arrived meanwhile was read.
    const onTimeout = () => {
      immediate = setImmediate(tick);
    };
    const timeout = setTimeout(onTimeout, Math.max(0, dueMs - monotonicMs()));
    stopTicking = () => {
      clearTimeout(timeout);
      clearImmediate(immediate);
    };
  }

  function tick(): void {
    nextLookMs = Number.POSITIVE_INFINITY;
    look();
    const due = [...timers].filter(({ dueMs }) => dueMs <= countedMs).sort((a, b) => a.dueMs - b.dueMs);
    for (const timer of due) if (timers.delete(timer)) timer.fire();
    if (timers.size > 0) tickAt(Math.min(countedMs + TICK_MS, ...[...timers].map(({ dueMs }) => dueMs)));
  }

  const clock: Clock = {
    now: () => new Date(),
    steadyNow: () => new Date(performance.timeOrigin + monotonicMs()),
    monotonicMs,
    schedule(delayMs, fire) {
      if (timers.size === 0) look();
      const timer = { dueMs: monotonicMs() + Math.max(0, delayMs), fire };
      timers.add(timer);
      const dueMs = Math.min(timer.dueMs, countedMs + TICK_MS);
      if (dueMs < nextLookMs) tickAt(dueMs);
      return () => {
        timers.delete(timer);
        if (timers.size > 0) return;
        stopTicking();
        nextLookMs = Number.POSITIVE_INFINITY;
      };
    },
    sleep: (delayMs, signal) => sleepBy(clock.schedule, delayMs, signal),
  };
  return clock;
}

export const processClock = makeProcessClock();

/** `Clock.sleep` of a clock that has timers. */
export function sleepBy(schedule: Clock["schedule"], delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = schedule(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
