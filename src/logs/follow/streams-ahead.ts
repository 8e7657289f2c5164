import type { RotationWatch } from "../../core/logs/rotation-watch.ts";
import type { LogSource } from "./log-source.ts";

/** Each is a connection with what fits into its buffers. */
const MAX_AHEAD = 4;

interface StreamAhead {
  readonly chunks: AsyncIterable<Buffer>;
  /** Ends it. */
  readonly leaving: AbortController;
}

/**
 * Streams of files that are not read yet. Who reads a log more slowly than it is printed finds the next file rotated away when he has come
 * to the end of his own; a stream that was opened while it was there has it still, as its reader has the file open.
 */
export class StreamsAhead {
  readonly #source: LogSource;
  readonly #rotation: RotationWatch;
  readonly #signal: AbortSignal;
  readonly #streams = new Map<string, StreamAhead>();

  constructor(source: LogSource, rotation: RotationWatch, signal: AbortSignal) {
    this.#source = source;
    this.#rotation = rotation;
    this.#signal = signal;
  }

  /** Opens one of the file that is written now and begins with the line of timestamp `head`, if that is not read yet. Rejects as `open` does. */
  async open(head: string): Promise<void> {
    for (const passed of [...this.#streams.keys()].filter((each) => !this.#rotation.isExpected(each))) this.#close(passed);
    if (!this.#rotation.isExpected(head) || this.#streams.has(head) || this.#streams.size >= MAX_AHEAD) return;
    const leaving = new AbortController();
    const signal = AbortSignal.any([this.#signal, leaving.signal]);
    const chunks = await this.#source.open({ sinceTime: undefined, previous: false, signal });
    this.#streams.set(head, { chunks, leaving });
    this.#rotation.noteOpen(head);
  }

  /** The stream of the file that comes next; it is the caller's to end. */
  take(): StreamAhead | undefined {
    const { next } = this.#rotation;
    const stream = next === undefined ? undefined : this.#streams.get(next);
    if (next !== undefined && stream !== undefined) {
      this.#streams.delete(next);
      this.#rotation.noteClosed(next);
    }
    return stream;
  }

  closeAll(): void {
    for (const head of [...this.#streams.keys()]) this.#close(head);
  }

  #close(head: string): void {
    this.#streams.get(head)?.leaving.abort();
    this.#streams.delete(head);
    this.#rotation.noteClosed(head);
  }
}
