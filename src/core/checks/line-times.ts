/** More than twice as many are thinned out. */
const MAX_TIMES = 32_768;
/** The kubelet stamps lines one by one; a burst of them is one moment. */
const FIRST_SPACING_MS = 10;

/** From this line on, and the time of it: milliseconds since 1970. */
export interface LineTime {
  readonly line: number;
  readonly ms: number;
}

/**
 * When lines of a log were printed, as exactly as a fixed number of entries can tell: each line's time is that of an entry, or less than twice
 * `spacingMs` later. That is 10 ms to begin with, and doubles each time that there are too many.
 */
export class LineTimes {
  #times: LineTime[] = [];
  #spacingMs = FIRST_SPACING_MS;
  #lastMs: number | undefined;

  /** Lines come in order; times may go back a little, as of two streams. Returns whether an entry was made of it. */
  note(line: number, ms: number): boolean {
    const last = this.#times.at(-1);
    this.#lastMs = Math.max(ms, this.#lastMs ?? ms);
    if (last && ms - last.ms < this.#spacingMs) return false;
    this.#times.push({ line, ms });
    if (this.#times.length > 2 * MAX_TIMES) this.#thin();
    return true;
  }

  get entries(): readonly LineTime[] {
    return this.#times;
  }

  get spacingMs(): number {
    return this.#spacingMs;
  }

  /** Of the last line that was noted, whether an entry was made of it or not. */
  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  /** undefined before the first entry. */
  at(line: number): number | undefined {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as LineTime).line <= line) low = middle + 1;
      else high = middle;
    }
    return this.#times[low - 1]?.ms;
  }

  #thin(): void {
    while (this.#times.length > MAX_TIMES) {
      this.#spacingMs *= 2;
      const kept: LineTime[] = [];
      for (const time of this.#times) {
        const last = kept.at(-1);
        if (!last || time.ms - last.ms >= this.#spacingMs) kept.push(time);
      }
      this.#times = kept;
    }
  }
}
