import type { Clock } from "../../runtime/clock.ts";

/** Steps in so long that keep a cluster busy: eight builds that come, and eight that go. Fewer are everyday life. */
const MANY = 40;
const WINDOW_MS = 2_000;

/**
 * Tells when so many builds come, start and end that API server and controllers have no time to spare: every write that can wait then
 * brings the results of the others sooner.
 */
export class Rush {
  readonly #clock: Clock;
  /** When the last steps were, each in the place of the oldest. */
  readonly #steps: number[] = [];
  #oldest = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A build has come, or got one step further. */
  noteStep(): void {
    this.#steps[this.#oldest] = this.#clock.monotonicMs();
    this.#oldest = (this.#oldest + 1) % MANY;
  }

  /** When to look again whether it is over, in milliseconds from now; 0 when there is none. */
  get leftMs(): number {
    const atMs = this.#steps[this.#oldest];
    return atMs === undefined ? 0 : Math.max(0, atMs + WINDOW_MS - this.#clock.monotonicMs());
  }
}
