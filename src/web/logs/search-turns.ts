import type { Clock } from "../../runtime/clock.ts";
import { BusyError } from "../../runtime/errors.ts";

/** Logs that are looked through at once, and for one address: it is work for the one processor, and nobody has all of it. */
const MAX_SEARCHES = 4;
const MAX_OF_ONE = 2;
/** One search is told after so long that it is to say how far it has come. */
const TURN_MS = 10_000;
/** One that does not, as its store does not answer, is not waited for any longer. */
const MAX_MS = 40_000;

/** Who may search, and for how long. */
export class SearchTurns {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `search` is to come to an end soon after its signal aborts: when its time is over, or `gone` aborts. Rejects with a BusyError where there is no turn. */
  async run<T>(address: string, gone: AbortSignal, search: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ofOne = this.#counts.get(address) ?? 0;
    if (this.#count >= MAX_SEARCHES || ofOne >= MAX_OF_ONE) throw new BusyError("Other logs are being searched; ask again in a moment");
    this.#count += 1;
    this.#counts.set(address, ofOne + 1);
    const over = new AbortController();
    const late = Promise.withResolvers<never>();
    const cancels = [
      this.#clock.schedule(TURN_MS, () => over.abort()),
      this.#clock.schedule(MAX_MS, () => late.reject(new BusyError("What holds the log does not answer; ask again in a moment"))),
    ];
    try {
      return await Promise.race([search(AbortSignal.any([gone, over.signal])), late.promise]);
    } finally {
      for (const cancel of cancels) cancel();
      this.#count -= 1;
      const left = (this.#counts.get(address) ?? 1) - 1;
      if (left === 0) this.#counts.delete(address);
      else this.#counts.set(address, left);
    }
  }
}
