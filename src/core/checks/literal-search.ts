import { type ByteScan, FINGERPRINT_BYTES } from "./byte-scan.ts";

/** Bytes of logs, the most frequent first. */
const FREQUENT = " e0t1aoi2nsr3l4d5c6u7m8p9.f-hg:/ybvk_wINEARSTO";

interface Literal {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** In it, where its fingerprint begins. */
  readonly offset: number;
}

/** Looks for several texts at once: for three bytes of each, the rarest ones, and where they stand for all of it. */
export class LiteralSearch {
  readonly #scan: ByteScan;
  /** By fingerprint. */
  readonly #literals = new Map<number, Literal[]>();

  /** Each of at least three bytes; `scan` looks for nothing else. */
  constructor(literals: readonly Uint8Array[], scan: ByteScan) {
    const fingerprints = new Map<number, Uint8Array>();
    for (const [index, bytes] of literals.entries()) {
      const offset = rarestPlace(bytes);
      const key = keyAt(bytes, offset);
      this.#literals.set(key, [...(this.#literals.get(key) ?? []), { index, bytes, offset }]);
      fingerprints.set(key, bytes.subarray(offset, offset + FINGERPRINT_BYTES));
    }
    scan.lookFor(fingerprints.values());
    this.#scan = scan;
  }

  /** Of `text`, which `scan` has loaded; calls `found` with each of the texts and a place in it, in the order of those. */
  scan(text: Uint8Array, found: (literal: number, at: number) => void): void {
    for (let at = this.#scan.next(0); at < text.length; at = this.#scan.next(at + 1)) {
      for (const { index, bytes, offset } of this.#literals.get(keyAt(text, at)) ?? []) {
        if (isAt(text, at - offset, bytes)) found(index, at);
      }
    }
  }
}

function keyAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}

function isAt(text: Uint8Array, start: number, literal: Uint8Array): boolean {
  for (let at = 0; at < literal.length; at += 1) if (text[start + at] !== literal[at]) return false;
  return true;
}

function rarestPlace(bytes: Uint8Array): number {
  const rarity = Array.from(bytes, (byte) => {
    const place = FREQUENT.indexOf(String.fromCharCode(byte));
    return place < 0 ? FREQUENT.length : place;
  });
  let [best, most] = [0, -1];
  for (let at = 0; at + FINGERPRINT_BYTES <= bytes.length; at += 1) {
    const sum = rarity.slice(at, at + FINGERPRINT_BYTES).reduce((all, each) => all + each, 0);
    if (sum > most) [best, most] = [at, sum];
  }
  return best;
}
