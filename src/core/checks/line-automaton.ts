import { RE2Set } from "re2js";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** RE2's flag for the beginning of a text, as re2js's inputs tell it. */
const BEGIN_TEXT = 4;
const END_OF_TEXT = -1;
/** 1 MiB of rows; a set of patterns that needs more is left to the patterns themselves. */
const MAX_STATES = 1024;
/** In a row: nothing is known yet; the line may match. States are there as `state << 8`. */
const UNKNOWN = -1;
const MAY_MATCH = -2;

type Automaton = RE2Set["dfa"];
type State = ReturnType<Automaton["start"]>;

/**
 * Finds the lines that some of several regular expressions may match, in one pass over the bytes, whatever the expressions are: re2js's automaton
 * for all of them together, with rows of bytes. Lines that have more than ASCII in them are given out as well, and all lines once there are more states
 * than are kept.
 */
export class LineAutomaton {
  readonly #automaton: Automaton;
  readonly #rows = new Int32Array(MAX_STATES << 8).fill(UNKNOWN);
  readonly #states: State[] = [];
  readonly #numbers = new Map<State, number>();
  readonly #start: number;
  #isFull = false;

  /** At least one, each of which compiles. */
  constructor(patterns: readonly string[]) {
    const set = new RE2Set(RE2Set.UNANCHORED);
    for (const pattern of patterns) set.add(pattern);
    set.compile();
    this.#automaton = set.dfa;
    this.#start = this.#number(this.#automaton.start({ context: () => BEGIN_TEXT }, 0));
  }

  /** Calls `found` with begin and end (without its newline) of each line of `bytes`, which begins and ends with lines, that may match. */
  scan(bytes: Uint8Array, found: (start: number, end: number) => void): void {
    const rows = this.#rows;
    const end = bytes.length;
    let state = this.#start;
    let at = 0;
    while (at < end) {
      if (!this.#isFull) {
        let next = state;
        while (at < end && next >= 0) {
          state = next;
          next = rows[state | (bytes[at] as number)] as number;
          at += 1;
        }
        if (next >= 0) break;
        at -= 1;
        if (next === UNKNOWN) {
          rows[state | (bytes[at] as number)] = this.#step(state, bytes[at] as number);
          continue;
        }
      }
      const from = at === 0 ? 0 : bytes.lastIndexOf(NEWLINE, at - 1) + 1;
      const newline = bytes.indexOf(NEWLINE, at);
      const to = newline < 0 ? end : newline;
      found(from, to);
      at = to + 1;
      state = this.#start;
    }
  }

  /** What a row says: a state, or that the line may match. */
  #step(state: number, byte: number): number {
    if (byte >= 0x80 || byte === RETURN) return MAY_MATCH;
    const automaton = this.#automaton;
    const from = this.#states[state >> 8] as State;
    const isEnd = byte === NEWLINE;
    const to = isEnd
      ? automaton.step(from, automaton.numClasses, END_OF_TEXT, RE2Set.UNANCHORED)
      : automaton.step(from, automaton.runeClass(byte), byte, RE2Set.UNANCHORED);
    if (to === null) this.#isFull = true;
    if (to === null || to.isMatch) return MAY_MATCH;
    return isEnd ? this.#start : this.#number(to);
  }

  #number(state: State): number {
    if (state === null) this.#isFull = true;
    const known = this.#numbers.get(state);
    if (known !== undefined) return known;
    const number = this.#states.length;
    if (number >= MAX_STATES) {
      this.#isFull = true;
      return MAY_MATCH;
    }
    this.#states.push(state);
    this.#numbers.set(state, number << 8);
    return number << 8;
  }
}
