import { ByteScan } from "./byte-scan.ts";
import { LineAutomaton } from "./line-automaton.ts";
import { compilePattern, type LineMatch, type LinePattern } from "./line-pattern.ts";
import { LiteralSearch } from "./literal-search.ts";
import { requiredLiteral } from "./required-literal.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Of a longer line only the beginning is looked at. */
const MAX_LINE_BYTES = 64 * 1024;
/** Lines are looked at together up to so many bytes, which stay in the processor's cache: the longest line, cut, and its end. */
const SLICE_BYTES = MAX_LINE_BYTES + 1;
const NOTHING = new Uint8Array(0);
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
  readonly #scan = new ByteScan(SLICE_BYTES);
  /** Of patterns that need a text: looking for that takes less time than the automaton. */
  readonly #withLiteral: readonly number[];
  readonly #literals: LiteralSearch | undefined;
  readonly #others: readonly number[];
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
    const places = [...patterns.keys()];
    this.#withLiteral = places.filter((place) => literals[place] !== undefined);
    this.#others = places.filter((place) => literals[place] === undefined);
    const texts = this.#withLiteral.map((place) => ENCODER.encode(literals[place]));
    if (texts.length > 0) this.#literals = new LiteralSearch(texts, this.#scan);
    if (this.#others.length > 0) this.#automaton = new LineAutomaton(this.#others.map((place) => patterns[place] as string));
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
    this.#lookAtLines(beginningOf(rest));
    // Its end is still to come, and is counted then.
    this.#lines -= 1;
    this.#isSkipping = true;
  }

  /** Whole lines, each with its end. */
  #look(lines: Uint8Array): void {
    for (let from = 0; from < lines.length; ) {
      const wanted = from + SLICE_BYTES;
      const to = wanted >= lines.length ? lines.length : lines.lastIndexOf(NEWLINE, wanted - 1) + 1;
      const isLong = to <= from;
      this.#lookAtLines(isLong ? beginningOf(lines.subarray(from, wanted)) : lines.subarray(from, to));
      from = isLong ? lines.indexOf(NEWLINE, wanted) + 1 : to;
    }
  }

  /** Up to SLICE_BYTES of whole lines, each with its end. */
  #lookAtLines(bytes: Uint8Array): void {
    this.#scan.load(bytes);
    let counted = 0;
    for (const { pattern, start, end } of this.#candidates(bytes)) {
      const text = this.#textOf(bytes, start, end);
      const match = this.#patterns[pattern]?.exec(text);
      if (!match) continue;
      this.#lines += this.#scan.countNewlines(counted, start);
      counted = start;
      this.#found({ pattern, line: this.#lines + 1, text, match });
    }
    this.#lines += this.#scan.countNewlines(counted, bytes.length);
  }

  /** Lines that may match, in order. */
  #candidates(bytes: Uint8Array): Candidate[] {
    const candidates: Candidate[] = [];
    const ends = this.#withLiteral.map(() => 0);
    this.#literals?.scan(bytes, (literal, at) => {
      // Its line is known already.
      if (at < (ends[literal] as number)) return;
      const start = at === 0 ? 0 : bytes.lastIndexOf(NEWLINE, at - 1) + 1;
      const end = bytes.indexOf(NEWLINE, at);
      candidates.push({ pattern: this.#withLiteral[literal] as number, start, end });
      ends[literal] = end;
    });
    this.#automaton?.scan(bytes, (start, end) => {
      for (const pattern of this.#others) candidates.push({ pattern, start, end });
    });
    return candidates.sort((one, other) => one.start - other.start || one.pattern - other.pattern);
  }

  #textOf(bytes: Uint8Array, start: number, end: number): string {
    const to = end > start && bytes[end - 1] === RETURN ? end - 1 : end;
    return this.#decoder.decode(bytes.subarray(start, to));
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Of a line that is too long, with an end. */
function beginningOf(line: Uint8Array): Uint8Array {
  return joined(line.subarray(0, MAX_LINE_BYTES), END_OF_LINE);
}
