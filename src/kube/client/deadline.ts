import type { Clock } from "../../runtime/clock.ts";
import { KubeError } from "./kube-error.ts";

/** A signal that aborts with the first aborted parent's reason, or with `TH_KUBE_TIMEOUT` when time is up. */
export interface Deadline {
  readonly signal: AbortSignal;
  readonly expired: boolean;
  /** Starts counting anew; undefined waits for ever. */
  extend(delayMs: number | undefined, message: string): void;
  /** Must be called in the end: it takes the timer and the listener away. */
  release(): void;
  /** Settles as `promise` does, or rejects as soon as the signal aborts. */
  race<T>(promise: Promise<T>): Promise<T>;
}

export function makeDeadline(clock: Clock, parents: readonly AbortSignal[]): Deadline {
  const controller = new AbortController();
  const forward = () => {
    // Whoever was to release it may never come: a stream that is opened and then not read.
    cancelTimer();
    controller.abort(parents.find((parent) => parent.aborted)?.reason);
  };
  let cancelTimer = () => {};
  let expired = false;
  if (parents.some((parent) => parent.aborted)) forward();
  for (const parent of parents) parent.addEventListener("abort", forward, { once: true });

  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    extend(delayMs, message) {
      cancelTimer();
      cancelTimer = () => {};
      if (delayMs === undefined || controller.signal.aborted) return;
      cancelTimer = clock.schedule(delayMs, () => {
        expired = true;
        controller.abort(new KubeError("TH_KUBE_TIMEOUT", message, { retryable: true }));
      });
    },
    release() {
      cancelTimer();
      for (const parent of parents) parent.removeEventListener("abort", forward);
    },
    race(promise) {
      const { signal } = controller;
      return new Promise((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        if (signal.aborted) onAbort();
        signal.addEventListener("abort", onAbort, { once: true });
        promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
      });
    },
  };
}
