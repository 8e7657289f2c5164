import { renderPoint, type SpoolPoint, type SpoolState } from "../../core/logs/spool-journal.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import { writeTurn } from "../stores/disk-turns.ts";
import type { JournalFile } from "./journal-file.ts";
import type { Segments } from "./segments.ts";

/** So often a disk that was full is tried again. */
const FULL_PAUSE_MS = 1000;

/** Bytes that are written together, and what the journal is to say after them. */
interface Batch {
  readonly parts: Uint8Array[];
  readonly bytes: number;
  readonly notes: string;
}

interface SpoolWriterOptions {
  readonly segments: Segments;
  /** None of a log that has ended: nothing can be written. */
  readonly journal: JournalFile | undefined;
  readonly clock: Clock;
  /** What a journal would say of so many bytes. */
  readonly stateUpTo: (size: number) => SpoolState;
  /** There is more to read, or the disk is full, or no longer. */
  readonly onChange: () => void;
}

/** Writes to segments and journal, in the order of the calls and in the background, whatever is called meanwhile. */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #notes = "";
  #point: SpoolPoint | undefined;
  #batch: Batch | undefined;
  #writing: Promise<void> | undefined;
  #isDiskFull = false;
  readonly #failing = new AbortController();
  readonly #closing = new AbortController();

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
  }

  /** Aborts, with what a write has failed with: nothing is written any more. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  /** What was appended waits until there is room. */
  get isDiskFull(): boolean {
    return this.#isDiskFull;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Throws what a write before has failed with, as the others do. */
  append(part: Uint8Array): void {
    this.#waitingBytes += part.length;
    this.#waiting.push(part);
    this.#wake();
  }

  /** To be said by the journal behind what was appended. */
  note(text: string): void {
    this.#notes += text;
    this.#wake();
  }

  /** Of those that come while others are written only the last counts. */
  notePoint(point: SpoolPoint): void {
    this.#point = point;
    this.#wake();
  }

  /** Resolves when all is written; rejects when it can't be. On a full disk that takes as long as that is full. */
  async flush(): Promise<void> {
    await this.#writing;
    this.failed.throwIfAborted();
  }

  /** What waits for room on a full disk is dropped. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await writeTurn(async () => {
      await this.#options.journal?.close();
      await this.#options.segments.close();
    });
  }

  #wake(): void {
    this.failed.throwIfAborted();
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    try {
      // What comes in the same turn is written together.
      await Promise.resolve();
      while (this.#batch !== undefined || this.#waiting.length > 0 || this.#notes !== "" || this.#point !== undefined) {
        await writeTurn(() => this.#writeOnce()).then(
          () => this.#noteDisk(false),
          (thrown) => this.#waitForRoom(coerceError(thrown)),
        );
      }
    } catch (thrown) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#failing.abort(coerceError(thrown));
    } finally {
      this.#writing = undefined;
    }
  }

  /** What it could not write, because the disk is full, it takes up when it is called again. */
  async #writeOnce(): Promise<void> {
    const { segments, journal, stateUpTo, onChange } = this.#options;
    if (journal === undefined) throw new Error("the log has ended: nothing can be appended");
    await journal.check();
    if (journal.isLong) await journal.rewrite(stateUpTo(segments.size));
    this.#batch ??= this.#nextBatch();
    const { parts, notes, bytes } = this.#batch;
    await segments.append(parts);
    // Only then: what the journal speaks of must be there.
    if (notes !== "") await journal.append(notes);
    this.#batch = undefined;
    this.#waitingBytes -= bytes;
    if (bytes > 0) onChange();
  }

  #nextBatch(): Batch {
    const parts = this.#waiting;
    const notes = this.#notes + (this.#point === undefined ? "" : renderPoint(this.#point));
    this.#waiting = [];
    this.#notes = "";
    this.#point = undefined;
    return { parts, notes, bytes: this.#waitingBytes };
  }

  async #waitForRoom(error: Error): Promise<void> {
    if (!["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    this.#noteDisk(true);
    await this.#options.clock.sleep(FULL_PAUSE_MS, this.#closing.signal).catch(() => {
      throw error;
    });
  }

  #noteDisk(isFull: boolean): void {
    if (this.#isDiskFull === isFull) return;
    this.#isDiskFull = isFull;
    this.#options.onChange();
  }
}
