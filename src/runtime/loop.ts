import type { Clock } from "./clock.ts";
import type { Service } from "./service.ts";
import { Wakeup } from "./wakeup.ts";

/**
 * Calls one function again and again until it is stopped, one call at a time: when it is woken, and when the time is over that the last
 * call asked for.
 */
export class Loop implements Service {
  readonly #round: (signal: AbortSignal) => Promise<number | undefined>;
  readonly #wakeup: Wakeup;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  /**
   * `round` resolves to how many milliseconds to wait until the next call: none for 0 or less, until `wake` for undefined. It must not
   * throw; its signal aborts at `stop`, which waits for the call that is under way.
   */
  constructor(clock: Clock, round: (signal: AbortSignal) => Promise<number | undefined>) {
    this.#round = round;
    this.#wakeup = new Wakeup(clock);
  }

  async start(): Promise<void> {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Something has changed: the next call comes at once, after the one under way. May be called at any time. */
  wake(): void {
    this.#wakeup.wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const waitMs = await this.#round(signal);
      if (waitMs === undefined || waitMs > 0) await this.#wakeup.wait(waitMs, signal);
    }
  }
}
