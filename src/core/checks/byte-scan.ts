import { byteScanCode } from "./byte-scan-code.ts";

const NEWLINE = 0x0a;
const STEP_BYTES = 16;
const TEXT_AT = 128;
/** What is read behind the text. */
const BEHIND_BYTES = 48;
const GROUPS = 8;

/** Of what every JavaScript has, which TypeScript knows of for browsers alone. */
declare const WebAssembly: {
  Module: new (code: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object) => { exports: object };
};

interface Exports {
  memory: { buffer: ArrayBuffer };
  next(at: number, end: number): number;
  newlines(at: number, end: number): number;
}

/** How many bytes `ByteScan` looks for. */
export const FINGERPRINT_BYTES = 3;

/** Goes through a piece of text with vector instructions, sixteen bytes at a time. */
export class ByteScan {
  readonly #exports: Exports;
  readonly #memory: Uint8Array;
  #length = 0;

  /** For pieces of up to `maxBytes`. */
  constructor(maxBytes: number) {
    const code = new WebAssembly.Module(byteScanCode(TEXT_AT, TEXT_AT + maxBytes + BEHIND_BYTES));
    this.#exports = new WebAssembly.Instance(code).exports as Exports;
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
  }

  /** From now on `next` looks for these, of three bytes each, and those that it was told before. */
  lookFor(fingerprints: Iterable<Uint8Array>): void {
    let group = 0;
    for (const fingerprint of fingerprints) {
      for (const [place, byte] of fingerprint.entries()) {
        const table = place * 2 * STEP_BYTES;
        const [low, high] = [table + (byte & 0x0f), table + STEP_BYTES + (byte >> 4)];
        this.#memory[low] = (this.#memory[low] as number) | (1 << group);
        this.#memory[high] = (this.#memory[high] as number) | (1 << group);
      }
      group = (group + 1) % GROUPS;
    }
  }

  /** The text that is looked at from now on. */
  load(text: Uint8Array): void {
    this.#memory.set(text, TEXT_AT);
    this.#length = text.length;
  }

  /** Where, from `at` on, a fingerprint stands, or something much like one; the text's length or more where nothing does. */
  next(at: number): number {
    return at >= this.#length ? this.#length : this.#exports.next(at, this.#length);
  }

  countNewlines(start: number, end: number): number {
    const steps = end - ((end - start) % STEP_BYTES);
    let count = steps > start ? this.#exports.newlines(start, steps) : 0;
    for (let at = steps; at < end; at += 1) if (this.#memory[TEXT_AT + at] === NEWLINE) count += 1;
    return count;
  }
}
