import type { StoredLogEntry } from "../../core/logs/build-file.ts";
import type { LogStore } from "./log-store.ts";

/** A log in a store as pages read it. */
export class StoredLog {
  readonly #store: LogStore;
  readonly #path: string;
  readonly #entry: StoredLogEntry;
  readonly #signal: AbortSignal;
  readonly #points: readonly { offset: number; lines: number }[];

  /** Of the build in `directory`; `signal` ends what is being read. */
  constructor(store: LogStore, directory: string, entry: StoredLogEntry, signal: AbortSignal) {
    this.#store = store;
    this.#path = `${directory}/${entry.file}`;
    this.#entry = entry;
    this.#signal = signal;
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
    const part = await this.#store.read(this.#path, { start, end: start + length }, this.#signal);
    return { offset: from, bytes: part === undefined ? new Uint8Array() : Buffer.concat(await part.body.toArray()) };
  }

  /** Nothing more comes. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }
}
