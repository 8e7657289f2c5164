import type { Clock } from "./clock.ts";

/**
 * Lets one loop wait for "something has changed". A wake-up that comes while the loop is busy is kept, any number of them as one, so
 * none is lost between looking and waiting.
 */
export class Wakeup {
  readonly #clock: Clock;
  #isPending = false;
  #notify: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#isPending = true;
    this.#notify?.();
  }

  /** Resolves at the next wake-up, after `timeoutMs` (none: never by itself), or when `signal` aborts; never rejects. */
  async wait(timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#isPending && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#notify = resolve;
      const cancelTimer = timeoutMs === undefined ? undefined : this.#clock.schedule(timeoutMs, resolve);
      const stopListening = onceAborted(signal, resolve);
      try {
        await promise;
      } finally {
        cancelTimer?.();
        stopListening();
        this.#notify = undefined;
      }
    }
    this.#isPending = false;
  }
}

/** The shortest of the delays that are given; undefined when none is. */
export function earliest(...delaysMs: (number | undefined)[]): number | undefined {
  const given = delaysMs.filter((delayMs) => delayMs !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

const listenersOf = new WeakMap<AbortSignal, Set<() => void>>();

/** As `addEventListener`, which goes through all listeners there are: a thousand loops that wait again and again share one signal. */
function onceAborted(signal: AbortSignal, listener: () => void): () => void {
  const listeners = listenersOf.get(signal) ?? new Set();
  if (!listenersOf.has(signal)) {
    listenersOf.set(signal, listeners);
    signal.addEventListener("abort", () => listeners.forEach((each) => void each()), { once: true });
  }
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
