import { HOLD_MS, isHeld } from "../../core/replicas/leadership.ts";
import type { Clock } from "../../runtime/clock.ts";

export interface HoldOptions {
  clock: Clock;
  /** Its time has passed without a renewal. */
  onLapse(): void;
  /** `isHeld` has changed since it was told last. */
  onChange(): void;
}

/** Whether a replica relies on the holder's Lease: for `HOLD_MS` after a renewal was sent, told to others as it changes. */
export class Hold {
  readonly #options: HoldOptions;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #told = false;
  #cancelLapse = () => {};

  constructor(options: HoldOptions) {
    this.#options = options;
  }

  /** Compared with the clock when asked: a process that wakes from a stop knows at once. */
  get isHeld(): boolean {
    return isHeld({ nowMs: this.#options.clock.monotonicMs(), renewedAtMs: this.#renewedAtMs });
  }

  /** When the last renewal that succeeded was sent; -Infinity without one. */
  get renewedAtMs(): number {
    return this.#renewedAtMs;
  }

  /** A renewal that was sent then has succeeded. */
  renew(sentAtMs: number): void {
    const { clock } = this.#options;
    // A process that was stopped may ask again before it has told that its time had passed, and another may have held meanwhile.
    this.#tell();
    this.#renewedAtMs = sentAtMs;
    this.#cancelLapse();
    this.#cancelLapse = () => {};
    if (this.isHeld) this.#cancelLapse = clock.schedule(sentAtMs + HOLD_MS - clock.monotonicMs(), () => this.#lapse());
    this.#tell();
  }

  /** It is another's, or given away. */
  end(): void {
    this.renew(Number.NEGATIVE_INFINITY);
  }

  #lapse(): void {
    if (this.isHeld) {
      // Timers may be early.
      this.renew(this.#renewedAtMs);
      return;
    }
    this.#options.onLapse();
    this.#tell();
  }

  #tell(): void {
    const { isHeld } = this;
    if (isHeld === this.#told) return;
    this.#told = isHeld;
    this.#options.onChange();
  }
}
