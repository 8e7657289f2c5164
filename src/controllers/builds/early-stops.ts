import type { Clock } from "../../runtime/clock.ts";

/** A stop for a build not known yet is remembered this long, and at most so many of them. */
const EARLY_STOP_MS = 60_000;
const MAX_EARLY_STOPS = 1000;

/** Stops that came before their builds. */
export class EarlyStops {
  readonly #clock: Clock;
  readonly #atMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  remember(number: string): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [old, atMs] of this.#atMs) {
      if (nowMs - atMs > EARLY_STOP_MS || this.#atMs.size >= MAX_EARLY_STOPS) this.#atMs.delete(old);
    }
    this.#atMs.set(number, nowMs);
  }

  /** Whether this build was to be stopped; asks once. */
  take(number: string): boolean {
    const atMs = this.#atMs.get(number);
    if (atMs === undefined) return false;
    this.#atMs.delete(number);
    return this.#clock.monotonicMs() - atMs <= EARLY_STOP_MS;
  }
}
