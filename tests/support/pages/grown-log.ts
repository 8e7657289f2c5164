import type { LogAttemptAt, LogHoleAt, LogPoint, LogSnapshot, ReadableLog } from "../../../src/web/logs/readable-log.ts";

const POINT_SPACING = 64 * 1024;

/** A log that a test prints into. */
export class GrownLog implements ReadableLog {
  readonly #parts: Buffer[] = [];
  #joined = Buffer.alloc(0);
  readonly #points: LogPoint[] = [{ offset: 0, lines: 0 }];
  readonly #waiting = new Set<() => void>();
  readonly holes: LogHoleAt[] = [];
  readonly attempts: LogAttemptAt[] = [];
  #cut: LogSnapshot["cut"];
  #bytes = 0;
  #lines = 0;
  #isEnded = false;
  readonly #onWaiting: (() => void)[] = [];
  /** How often it was read. */
  reads = 0;

  constructor(text: string | Buffer = "") {
    this.print(text);
  }

  print(text: string | Buffer): void {
    const bytes = Buffer.from(text);
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) {
      this.#lines += 1;
      const [previous, last] = this.#points.slice(-2);
      if (previous && last && last.offset - previous.offset < POINT_SPACING) this.#points.pop();
      this.#points.push({ offset: this.#bytes + at + 1, lines: this.#lines });
    }
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    this.#tell();
  }

  /** Where it ends now something is missing. */
  hole(after: string, before?: string): void {
    this.holes.push({ offset: this.#bytes, after, before });
  }

  /** What comes now is printed by another run of the container. */
  startAgain(attempt: number): void {
    this.attempts.push({ offset: this.#bytes, attempt });
  }

  cut(from: number, to: number): void {
    this.#cut = { from, to };
  }

  end(): void {
    this.#isEnded = true;
    this.#tell();
  }

  snapshot(): LogSnapshot {
    return { bytes: this.#bytes, isEnded: this.#isEnded, holes: this.holes, cut: this.#cut, attempts: this.attempts };
  }

  async read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }> {
    this.reads += 1;
    if (this.#parts.length > 0) this.#joined = Buffer.concat([this.#joined, ...this.#parts.splice(0)]);
    const from = this.#cut && offset >= this.#cut.from && offset < this.#cut.to ? this.#cut.to : offset;
    const to = this.#cut && from < this.#cut.from ? Math.min(from + maxBytes, this.#cut.from) : from + maxBytes;
    return { offset: from, bytes: this.#joined.subarray(from, to) };
  }

  points(): readonly LogPoint[] {
    return this.#points;
  }

  /** Resolves once somebody has read all that there is, and waits for more. */
  async awaited(): Promise<void> {
    if (this.#waiting.size > 0) return;
    await new Promise<void>((resolve) => this.#onWaiting.push(resolve));
  }

  async changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    this.#waiting.add(resolve);
    for (const tell of this.#onWaiting.splice(0)) tell();
    if (signal.aborted) abort();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(resolve);
    }
  }

  #tell(): void {
    for (const resolve of [...this.#waiting]) resolve();
  }
}
