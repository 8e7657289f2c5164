import type { Clock } from "./clock.ts";

export interface ThrottleOptions {
  /** Between two runs. */
  leastMs: number;
  clock: Clock;
  work(): void;
}

/** One run of cheap work for all that ask for it: when the event loop has done what it has to do, but no sooner than `leastMs` after the last one. */
export class Throttle {
  readonly #options: ThrottleOptions;
  #ranAtMs: number = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Asks for a run. */
  ask(): void {
    const { leastMs, clock } = this.#options;
    if (this.#cancel) return;
    const leftMs = this.#ranAtMs + leastMs - clock.monotonicMs();
    if (leftMs > 0) {
      this.#cancel = clock.schedule(leftMs, () => this.run());
      return;
    }
    const immediate = setImmediate(() => this.run());
    this.#cancel = () => clearImmediate(immediate);
  }

  /** Runs at once, for all that have asked. */
  run(): void {
    this.noteRun();
    this.#options.work();
  }

  /** What was asked for is being done by somebody else. */
  noteRun(): void {
    this.cancel();
    this.#ranAtMs = this.#options.clock.monotonicMs();
  }

  /** Nothing that was asked for is done any more. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
