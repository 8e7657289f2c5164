import type { StoredLogEntry } from "../../core/logs/build-file.ts";
import type { AnswerLimit } from "./answer-limit.ts";
import type { LogStore } from "./log-store.ts";

/** How pages read from a store. */
export interface StoreReading {
  answers: AnswerLimit;
  /** Ends what is being read. */
  signal: AbortSignal;
}

/** A log in a store as pages read it. */
export class StoredLog {
  readonly #store: LogStore;
  readonly #path: string;
  readonly #entry: StoredLogEntry;
  readonly #reading: StoreReading;
  readonly #points: readonly { offset: number; lines: number }[];

  /** Of the build in `directory`. */
  constructor(store: LogStore, directory: string, entry: StoredLogEntry, reading: StoreReading) {
    this.#store = store;
    this.#path = `${directory}/${entry.file}`;
    this.#entry = entry;
    this.#reading = reading;
    const points = entry.points.map(([offset, lines]) => ({ offset, lines }));
    this.#points = points[0]?.offset === 0 ? points : [{ offset: 0, lines: 0 }, ...points];
  }

  snapshot() {
    const { bytes, holes, cut, attempts } = this.#entry;
    return { bytes, isEnded: true, holes, cut, attempts };
  }

  points() {
    return this.#points;
  }

  /** At most `maxBytes` from `offset` on; where that is not in the file, from the next run on. Empty at the end. */
  async read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }> {
    const run = this.#entry.runs.find((each) => each.offset + each.bytes > offset);
    if (run === undefined) return { offset: Math.max(offset, this.#entry.bytes), bytes: new Uint8Array() };
    const from = Math.max(offset, run.offset);
    const start = run.at + from - run.offset;
    const length = Math.min(maxBytes, run.offset + run.bytes - from);
    const { answers, signal } = this.#reading;
    const read = async () => {
      const part = await this.#store.read(this.#path, { start, end: start + length }, signal);
      return part === undefined ? new Uint8Array() : Buffer.concat(await part.body.toArray());
    };
    return { offset: from, bytes: await answers.run(read) };
  }

  /** Nothing more comes. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }
}
