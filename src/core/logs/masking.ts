import { makePatternAutomaton, type PatternAutomaton, step } from "./pattern-automaton.ts";
import { type SecretValue, secretPatterns } from "./secret-patterns.ts";

/** What stands where a secret stood, however long that was. */
export const MASK = "***";

const MASK_BYTES = new TextEncoder().encode(MASK);
const NOTHING = new Uint8Array(0);

/** Masks one stream of bytes. */
export interface Masking {
  /**
   * What may be shown now that `chunk` has come. The end of what came is kept back while it may be the beginning of a secret: 511 bytes at
   * most, and none across the end of a line. The parts may share memory with `chunk`.
   */
  write(chunk: Uint8Array): Uint8Array[];
  /** The rest. Nothing may be written after it. */
  end(): Uint8Array[];
}

export interface Masker {
  /** Names of values that are not masked, and why, as a clause. */
  readonly unmasked: readonly { name: string; why: string }[];
  /** For one more stream; streams share what was made of the values. */
  begin(): Masking;
}

/**
 * Masks the values of Secrets in any number of streams, see `secretPatterns` for the forms in which they are found, whatever chunks they
 * come in. The time is proportional to the bytes, not to the number of values.
 */
export function makeMasker(values: readonly SecretValue[]): Masker {
  const { patterns, unmasked } = secretPatterns(values);
  const automaton = makePatternAutomaton(patterns);
  return { unmasked, begin: () => (patterns.length === 0 ? { write: (chunk) => [chunk], end: () => [] } : new StreamMasking(automaton)) };
}

class StreamMasking implements Masking {
  readonly #automaton: PatternAutomaton;
  #state = 0;
  /** What came and was not given out: the bytes that led to the state. */
  #kept: Uint8Array = NOTHING;
  /** Places of `#kept` that are masked, begin and end in turn, in order. */
  #masked: number[] = [];
  /** The mask of the first of them, which begins at 0, was given out with what came before. */
  #isTold = false;

  constructor(automaton: PatternAutomaton) {
    this.#automaton = automaton;
  }

  write(chunk: Uint8Array): Uint8Array[] {
    const data = this.#kept.length === 0 ? chunk : joined(this.#kept, chunk);
    this.#scan(data, this.#kept.length);
    return this.#giveOut(data, data.length - (this.#automaton.depth[this.#state] as number));
  }

  end(): Uint8Array[] {
    this.#state = 0;
    return this.#giveOut(this.#kept, this.#kept.length);
  }

  #scan(data: Uint8Array, start: number): void {
    const automaton = this.#automaton;
    const { dense, denseStates, found } = automaton;
    let state = this.#state;
    let at = start;
    while (at < data.length) {
      if (state < denseStates) {
        let next = state << 8;
        while (at < data.length && next >= 0) {
          next = dense[next | (data[at] as number)] as number;
          at += 1;
        }
        state = next >= 0 ? next >> 8 : ~next;
      } else {
        state = step(automaton, state, data[at] as number);
        at += 1;
      }
      if (found[state] !== 0) this.#mask(at - (found[state] as number), at);
    }
    this.#state = state;
  }

  /** Places come by their ends; one may begin within those that are known, and takes them in. What only touches stays two, in whatever chunks. */
  #mask(from: number, to: number): void {
    const masked = this.#masked;
    let begin = from;
    while (masked.length > 0 && (masked[masked.length - 1] as number) > begin) {
      begin = Math.min(begin, masked[masked.length - 2] as number);
      masked.length -= 2;
    }
    masked.push(begin, to);
  }

  /** What comes before `end`, masked; the rest is kept. */
  #giveOut(data: Uint8Array, end: number): Uint8Array[] {
    const parts: Uint8Array[] = [];
    const left: number[] = [];
    let at = 0;
    let isTold = false;
    for (let index = 0; index < this.#masked.length; index += 2) {
      const [from, to] = [this.#masked[index] as number, this.#masked[index + 1] as number];
      if (from < end) {
        if (from > at) parts.push(data.subarray(at, from));
        if (!(this.#isTold && from === 0)) parts.push(MASK_BYTES);
        at = Math.min(to, end);
      }
      if (to > end) {
        left.push(Math.max(from, end) - end, to - end);
        isTold ||= from < end;
      }
    }
    if (at < end) parts.push(data.subarray(at, end));
    this.#kept = end === data.length ? NOTHING : data.slice(end);
    this.#isTold = isTold || (this.#isTold && end === 0);
    this.#masked = left;
    return parts;
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
