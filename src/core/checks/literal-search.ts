/** Beyond that a longer window skips hardly more. */
const MAX_WINDOW = 200;

/**
 * Looks for several texts at once (Wu and Manber, 1994): of almost every window of as many bytes as the shortest text has, it looks at the last two alone, and
 * goes on by as many as can be without passing over one.
 */
export class LiteralSearch {
  readonly #literals: readonly Uint8Array[];
  readonly #window: number;
  /** By two bytes, how far the window may move when it ends with them; 0: one of the texts may be in it. */
  readonly #shift: Uint8Array;
  /** By two bytes, the texts whose first window ends with them. */
  readonly #ending = new Map<number, number[]>();

  /** Each of at least two bytes. */
  constructor(literals: readonly Uint8Array[]) {
    this.#literals = literals;
    const window = Math.min(MAX_WINDOW, ...literals.map(({ length }) => length));
    this.#window = window;
    this.#shift = new Uint8Array(1 << 16).fill(window - 1);
    for (const [index, literal] of literals.entries()) {
      for (let last = 1; last < window; last += 1) {
        const pair = ((literal[last - 1] as number) << 8) | (literal[last] as number);
        this.#shift[pair] = Math.min(this.#shift[pair] as number, window - 1 - last);
        if (last === window - 1) this.#ending.set(pair, [...(this.#ending.get(pair) ?? []), index]);
      }
    }
  }

  /** Calls `found` with each text and where it begins, in the order of the bytes. */
  scan(bytes: Uint8Array, found: (literal: number, at: number) => void): void {
    const shift = this.#shift;
    const end = bytes.length;
    let at = this.#window - 1;
    while (at < end) {
      const pair = ((bytes[at - 1] as number) << 8) | (bytes[at] as number);
      const step = shift[pair] as number;
      if (step === 0) {
        const start = at - this.#window + 1;
        for (const index of this.#ending.get(pair) ?? []) if (this.#isAt(bytes, start, index)) found(index, start);
        at += 1;
      } else at += step;
    }
  }

  #isAt(bytes: Uint8Array, start: number, index: number): boolean {
    const literal = this.#literals[index] as Uint8Array;
    for (let at = 0; at < literal.length; at += 1) if (bytes[start + at] !== literal[at]) return false;
    return true;
  }
}
