import type { Clock } from "../../runtime/clock.ts";
import { BusyError } from "../../runtime/errors.ts";

/** Longer than a store's own patience with who reads. */
const ANSWER_MS = 20_000;
/** What is asked of a store that hangs is never answered; more is not asked of it then. */
const MAX_ASKED = 256;

/** For pages: who reads one is told after some seconds that a store, or the disk of the spools, does not answer. */
export class AnswerLimit {
  readonly #clock: Clock;
  #asked = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Settles as `ask` does; rejects with a BusyError where that takes too long, or too much is asked already. What comes later is let go. */
  async run<T>(ask: () => Promise<T>, letGo: (late: T) => void = () => {}): Promise<T> {
    if (this.#asked >= MAX_ASKED) throw new BusyError("What keeps logs is asked too much already; ask again in a moment");
    this.#asked += 1;
    const { promise: late, reject } = Promise.withResolvers<never>();
    let isLate = false;
    const cancel = this.#clock.schedule(ANSWER_MS, () => {
      isLate = true;
      reject(new BusyError(`What keeps logs has not answered for ${ANSWER_MS / 1000} s, perhaps a disk that hangs; ask again in a moment`));
    });
    const answer = ask();
    const settled = () => {
      this.#asked -= 1;
    };
    answer
      .then(
        (value) => isLate && letGo(value),
        () => {},
      )
      .then(settled, settled);
    try {
      return await Promise.race([answer, late]);
    } finally {
      cancel();
    }
  }
}
