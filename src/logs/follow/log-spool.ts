import { type FileHandle, mkdir, open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LogHole, LogPosition } from "../../core/logs/log-position.ts";
import {
  addPoint,
  parseJournal,
  renderEnd,
  renderHole,
  renderJournal,
  renderPoint,
  type SpoolHole,
  type SpoolPoint,
} from "../../core/logs/spool-journal.ts";
import { coerceError } from "../../runtime/errors.ts";
import { type LogCut, Segments } from "./segments.ts";

/** Bytes that wait to be written, above which whoever brings more has to wait as well. */
const MAX_WAITING_BYTES = 4 * 2 ** 20;
const MAX_JOURNAL_BYTES = 2 ** 20;

/**
 * What one container has printed, byte for byte, in a directory of its own: segments of the log, and a journal that says how far it was
 * followed. One process writes, at any moment it may be killed, and the next one goes on from the journal's last point. Anybody in this
 * process may read what is there and is told when there is more.
 */
export class LogSpool {
  readonly #journalFile: string;
  readonly #segments: Segments;
  readonly #listeners = new Set<() => void>();
  readonly #points: SpoolPoint[];
  #holes: SpoolHole[];
  #isEnded: boolean;
  #journalBytes = 0;
  #size: number;
  /** To be written, and what the journal is to say after it. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #notes = "";
  #point: SpoolPoint | undefined;
  #journal: FileHandle | undefined;
  #appended: number;
  #writing: Promise<void> | undefined;
  readonly #failing = new AbortController();

  private constructor(directory: string, segments: Segments, state: ReturnType<typeof parseJournal>) {
    this.#journalFile = join(directory, "journal");
    this.#segments = segments;
    this.#points = state.points;
    this.#holes = [...state.holes];
    this.#isEnded = state.endedAt !== undefined;
    this.#size = segments.size;
    this.#appended = segments.size;
  }

  /** Makes the directory, or takes up what another process has left there, back to the last point of its journal. */
  static async open(directory: string, { limitBytes }: { limitBytes: number }): Promise<LogSpool> {
    await mkdir(directory, { recursive: true });
    const segments = await Segments.open(directory, limitBytes);
    const text = await readFile(join(directory, "journal"), "utf8").catch((error) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw error;
    });
    const state = parseJournal(text, segments.size);
    if (state.endedAt === undefined) await segments.truncate((state.points.at(-1) as SpoolPoint).offset);
    const spool = new LogSpool(directory, segments, state);
    await spool.#rewriteJournal();
    return spool;
  }

  /** Bytes that can be read, those that were thrown away included. */
  get size(): number {
    return this.#size;
  }

  /** Aborts, with what a write has failed with: nothing is written any more. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get holes(): readonly SpoolHole[] {
    return this.#holes;
  }

  get cut(): LogCut | undefined {
    return this.#segments.cut;
  }

  /** Where lines begin, with their numbers and times: an index. The last is where following goes on. */
  get points(): readonly SpoolPoint[] {
    return this.#points;
  }

  /** At most `maxBytes` from `offset` on; where that was thrown away, from behind the cut on. Empty where nothing has come yet. */
  read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Buffer }> {
    return this.#segments.read(offset, Math.min(maxBytes, Math.max(0, this.#size - offset)));
  }

  /** Calls `listener` whenever there is more to read, or the end is; returns what ends that. */
  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Written in the order of the calls. Throws what a write before has failed with. */
  append(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#appended += part.length;
      this.#waitingBytes += part.length;
      this.#waiting.push(part);
    }
    this.#wake();
  }

  /** Where the spool ends now there is a hole. */
  noteHole(hole: LogHole): void {
    const placed = { offset: this.#appended, ...hole };
    this.#holes.push(placed);
    this.#notes += renderHole(placed);
    this.#wake();
  }

  /** Where the spool ends now a line begins: from here another process can go on. */
  notePoint(lines: number, position: LogPosition): void {
    this.#point = { offset: this.#appended, lines, position };
    addPoint(this.#points, this.#point);
    this.#wake();
  }

  /** Nothing more comes. */
  async end(): Promise<void> {
    await this.flush();
    this.#notes += renderEnd(this.#appended);
    this.#wake();
    await this.flush();
    this.#isEnded = true;
    this.#tell();
  }

  /** Undefined as long as more may be appended at once; else resolves when there is room. */
  room(): Promise<void> | undefined {
    return this.#waitingBytes < MAX_WAITING_BYTES ? undefined : this.flush();
  }

  /** Resolves when all that was appended is written; rejects when it can't be. */
  async flush(): Promise<void> {
    await this.#writing;
    this.failed.throwIfAborted();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#journal?.close();
    this.#journal = undefined;
    await this.#segments.close();
  }

  #wake(): void {
    this.failed.throwIfAborted();
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    try {
      // What comes in the same turn is written together.
      await Promise.resolve();
      while (this.#waiting.length > 0 || this.#notes !== "" || this.#point !== undefined) await this.#writeOnce();
    } catch (thrown) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#failing.abort(coerceError(thrown));
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeOnce(): Promise<void> {
    const parts = this.#waiting;
    const notes = this.#notes + (this.#point === undefined ? "" : renderPoint(this.#point));
    this.#waiting = [];
    this.#notes = "";
    this.#point = undefined;
    await this.#segments.append(parts);
    for (const { length } of parts) this.#waitingBytes -= length;
    // Only then: what the journal speaks of must be there.
    if (notes !== "") {
      this.#journal ??= await open(this.#journalFile, "a");
      await this.#journal.appendFile(notes);
      this.#journalBytes += notes.length;
      if (this.#journalBytes > MAX_JOURNAL_BYTES) await this.#rewriteJournal();
    }
    this.#size = this.#segments.size;
    if (parts.length > 0) this.#tell();
  }

  async #rewriteJournal(): Promise<void> {
    const written = this.#segments.size;
    const points = this.#points.filter(({ offset }) => offset <= written);
    const holes = this.#holes.filter(({ offset }) => offset <= written);
    const text = renderJournal({ points, holes, endedAt: this.#isEnded ? written : undefined });
    await this.#journal?.close();
    this.#journal = undefined;
    await writeFile(`${this.#journalFile}.new`, text);
    await rename(`${this.#journalFile}.new`, this.#journalFile);
    this.#journalBytes = 0;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
