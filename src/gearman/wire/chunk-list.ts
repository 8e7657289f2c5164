/** Pieces below this are copied together: many tiny ones must not cost an object each. */
const SMALL_BYTES = 4096;
const SLAB_BYTES = 65_536;

/**
 * Collects a long body piece by piece and joins it once, so that the cost is linear in its length however it is cut. Large pieces are kept
 * as they are, small ones are copied into shared slabs: memory stays near the number of bytes even when each arrives alone.
 */
export class ChunkList {
  #chunks: Buffer[] = [];
  #length = 0;
  #slab: Buffer | undefined;
  #slabUsed = 0;
  /** Where in the slab the last chunk of the list begins; -1 when the last chunk is not a piece of the slab. */
  #viewStart = -1;

  get length(): number {
    return this.#length;
  }

  append(chunk: Buffer): void {
    this.#length += chunk.length;
    if (chunk.length >= SMALL_BYTES) {
      this.#chunks.push(chunk);
      this.#viewStart = -1;
      return;
    }
    this.#appendSmall(chunk);
  }

  /** Everything appended since the last `take`, in one buffer. */
  take(): Buffer {
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [];
    this.#length = 0;
    this.#viewStart = -1;
    return whole;
  }

  #appendSmall(chunk: Buffer): void {
    if (this.#slab === undefined || SLAB_BYTES - this.#slabUsed < chunk.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabUsed = 0;
      this.#viewStart = -1;
    }
    const start = this.#slabUsed;
    chunk.copy(this.#slab, start);
    this.#slabUsed += chunk.length;
    if (this.#viewStart === -1) {
      this.#viewStart = start;
      this.#chunks.push(this.#slab.subarray(start, this.#slabUsed));
    } else {
      this.#chunks[this.#chunks.length - 1] = this.#slab.subarray(this.#viewStart, this.#slabUsed);
    }
  }
}
