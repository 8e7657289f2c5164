import { LineAutomaton } from "./line-automaton.ts";
import { compilePattern, type LineMatch, type LinePattern } from "./line-pattern.ts";
import { LiteralSearch } from "./literal-search.ts";
import { requiredLiteral } from "./required-literal.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Of a longer line only the beginning is looked at. */
const MAX_LINE_BYTES = 64 * 1024;
/** Lines are looked at together up to so many bytes: more would only take more memory. */
const SLICE_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);
const NO_WORDS = new Uint32Array(0);
const ENCODER = new TextEncoder();
const END_OF_LINE = new Uint8Array([NEWLINE]);

export interface FoundLine {
  /** Of the patterns, by its place among them. */
  readonly pattern: number;
  /** Of the line, from 1. */
  readonly line: number;
  /** Without the line's end, and perhaps without the rest of a very long one. */
  readonly text: string;
  readonly match: LineMatch;
}

interface Candidate {
  readonly pattern: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the lines of a text that match patterns, in the order of lines, of one line in the order of patterns. The text comes in pieces of any
 * size; time is proportional to it, and memory depends on neither its size nor that of its lines.
 */
export class LineScanner {
  readonly #patterns: readonly LinePattern[];
  /** Where each pattern has a text that it needs: looking for these takes less time than the automaton. */
  readonly #literals: LiteralSearch | undefined;
  readonly #automaton: LineAutomaton | undefined;
  readonly #found: (line: FoundLine) => void;
  readonly #decoder = new TextDecoder();
  /** Whole lines before what is looked at next. */
  #lines = 0;
  /** The beginning of a line whose end has not come. */
  #kept: Uint8Array = NOTHING;
  /** The rest of a line that was too long is passed over. */
  #isSkipping = false;

  /** Throws for a pattern that does not compile. */
  constructor(patterns: readonly string[], found: (line: FoundLine) => void) {
    this.#patterns = patterns.map(compilePattern);
    const literals = patterns.map(requiredLiteral);
    const known = literals.filter((literal) => literal !== undefined);
    const isEach = known.length === patterns.length;
    this.#literals = isEach && known.length > 0 ? new LiteralSearch(known.map((literal) => ENCODER.encode(literal))) : undefined;
    this.#automaton = isEach ? undefined : new LineAutomaton(patterns);
    this.#found = found;
  }

  /** Lines whose ends have come, a last one without an end not among them until `end`. */
  get lines(): number {
    return this.#lines;
  }

  write(chunk: Uint8Array): void {
    let data = chunk;
    if (this.#isSkipping) {
      const newline = data.indexOf(NEWLINE);
      if (newline < 0) return;
      this.#isSkipping = false;
      this.#lines += 1;
      data = data.subarray(newline + 1);
    }
    if (this.#kept.length > 0) {
      const begun = data.indexOf(NEWLINE) + 1;
      // The line that has begun, by itself: copying all that comes would take longer than much of what is done with it.
      if (begun === 0) {
        this.#keep(joined(this.#kept, data));
        return;
      }
      this.#look(joined(this.#kept, data.subarray(0, begun)));
      this.#kept = NOTHING;
      data = data.subarray(begun);
    }
    const end = data.lastIndexOf(NEWLINE) + 1;
    if (end > 0) this.#look(data.subarray(0, end));
    this.#keep(data.subarray(end));
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#kept.length > 0) this.#look(joined(this.#kept, END_OF_LINE));
    this.#kept = NOTHING;
  }

  #keep(rest: Uint8Array): void {
    if (rest.length <= MAX_LINE_BYTES) {
      // Whoever brings the next piece may use the same memory.
      this.#kept = rest.length === 0 ? NOTHING : new Uint8Array(rest);
      return;
    }
    this.#kept = NOTHING;
    this.#look(joined(rest.subarray(0, MAX_LINE_BYTES), END_OF_LINE));
    // Its end is still to come, and is counted then.
    this.#lines -= 1;
    this.#isSkipping = true;
  }

  /** Whole lines, each with its end. */
  #look(lines: Uint8Array): void {
    for (let from = 0; from < lines.length; ) {
      const wanted = from + SLICE_BYTES;
      // One line at least, however long.
      const last = wanted >= lines.length ? lines.length : lines.lastIndexOf(NEWLINE, wanted - 1) + 1;
      const to = last > from ? last : lines.indexOf(NEWLINE, wanted) + 1;
      this.#lookAtSlice(lines.subarray(from, to));
      from = to;
    }
  }

  #lookAtSlice(bytes: Uint8Array): void {
    const candidates: Candidate[] = [];
    const ends = this.#patterns.map(() => 0);
    this.#literals?.scan(bytes, (pattern, at) => {
      // Its line is known already.
      if (at < (ends[pattern] as number)) return;
      const start = at === 0 ? 0 : bytes.lastIndexOf(NEWLINE, at - 1) + 1;
      const end = bytes.indexOf(NEWLINE, at);
      candidates.push({ pattern, start, end });
      ends[pattern] = end;
    });
    this.#automaton?.scan(bytes, (start, end) => {
      for (const pattern of this.#patterns.keys()) candidates.push({ pattern, start, end });
    });
    candidates.sort((one, other) => one.start - other.start || one.pattern - other.pattern);
    let counted = 0;
    for (const candidate of candidates) {
      const { pattern, start, end } = candidate;
      const text = this.#textOf(bytes, start, end);
      const match = this.#patterns[pattern]?.exec(text);
      if (!match) continue;
      this.#lines += countNewlines(bytes, counted, start);
      counted = start;
      this.#found({ pattern, line: this.#lines + 1, text, match });
    }
    this.#lines += countNewlines(bytes, counted, bytes.length);
  }

  #textOf(bytes: Uint8Array, start: number, end: number): string {
    const cut = Math.min(end, start + MAX_LINE_BYTES);
    const to = cut === end && end > start && bytes[end - 1] === RETURN ? end - 1 : cut;
    return this.#decoder.decode(bytes.subarray(start, to));
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Sums are of 255 at most. */
const MOST_WORDS = 255;

/** Four bytes at a time: the highest bit of each of `~(((x & 0x7f..) + 0x7f..) | x | 0x7f..)` is set where that byte of `x` is zero. */
export function countNewlines(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  let at = start;
  while (at < end && (bytes.byteOffset + at) % 4 !== 0) count += bytes[at++] === NEWLINE ? 1 : 0;
  const words = end - at < 4 ? NO_WORDS : new Uint32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >> 2);
  for (let from = 0; from < words.length; from += MOST_WORDS) {
    const to = Math.min(words.length, from + MOST_WORDS);
    let sums = 0;
    for (let index = from; index < to; index += 1) {
      const x = (words[index] as number) ^ 0x0a0a0a0a;
      sums = (sums + (~(((x & 0x7f7f7f7f) + 0x7f7f7f7f) | x | 0x7f7f7f7f) >>> 7)) | 0;
    }
    count += (sums & 0xff) + ((sums >>> 8) & 0xff) + ((sums >>> 16) & 0xff) + (sums >>> 24);
  }
  for (at += words.length * 4; at < end; at += 1) count += bytes[at] === NEWLINE ? 1 : 0;
  return count;
}
