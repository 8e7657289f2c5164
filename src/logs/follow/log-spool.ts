import { mkdir } from "node:fs/promises";
import { BEFORE_ALL, type LogHole, type LogPosition } from "../../core/logs/log-position.ts";
import {
  addPoint,
  renderAttempt,
  renderEnd,
  renderHole,
  renderPoint,
  type SpoolAttempt,
  type SpoolHole,
  type SpoolPoint,
  type SpoolState,
} from "../../core/logs/spool-journal.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import { JournalFile } from "./journal-file.ts";
import { type LogCut, Segments } from "./segments.ts";

/** Bytes that wait to be written, above which whoever brings more has to wait as well. */
const MAX_WAITING_BYTES = 2 ** 20;
const MAX_JOURNAL_BYTES = 2 ** 20;
/** So often a disk that was full is tried again. */
const FULL_PAUSE_MS = 1000;

interface SpoolOptions {
  /** Of what is kept; a sixteenth more is on the disk. */
  readonly limitBytes: number;
  /**
   * Grows with whoever has the right to write, over all processes: who comes with a smaller one than the last writer's is refused. With an equal
   * one the later comer has it.
   */
  readonly term?: number;
  readonly clock?: Clock;
}

/** Bytes that are being written, and what the journal is to say after them. */
interface Batch {
  readonly parts: Uint8Array[];
  readonly bytes: number;
  readonly notes: string;
}

/**
 * What one container has printed, byte for byte, in a directory of its own: segments of the log, and a journal that says how far it was
 * followed. One process writes, at any moment it may be killed, and the next one goes on from the journal's last point, whether or not the
 * one before knows that it was replaced. Anybody in this process may read what is there and is told when there is more.
 */
export class LogSpool {
  readonly #segments: Segments;
  /** None of a log that has ended: nothing is written. */
  readonly #journal: JournalFile | undefined;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  readonly #points: SpoolPoint[];
  readonly #holes: SpoolHole[];
  readonly #attempts: SpoolAttempt[];
  #isEnded: boolean;
  #size: number;
  /** To be written, and what the journal is to say after it. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #notes = "";
  #point: SpoolPoint | undefined;
  #batch: Batch | undefined;
  #appended: number;
  #writing: Promise<void> | undefined;
  #isDiskFull = false;
  readonly #failing = new AbortController();
  readonly #closing = new AbortController();

  private constructor(segments: Segments, state: SpoolState, journal: JournalFile | undefined, clock: Clock) {
    this.#segments = segments;
    this.#journal = journal;
    this.#clock = clock;
    this.#points = state.points;
    this.#holes = [...state.holes];
    this.#attempts = [...state.attempts];
    this.#isEnded = state.endedAt !== undefined;
    this.#size = segments.size;
    this.#appended = segments.size;
  }

  /**
   * Makes the directory, or takes over what another process has left there or still writes, back to the last point of its journal; a log that
   * has ended is only opened to be read. Rejects with a SpoolTakenError where another one has a later term, or takes over in this moment.
   */
  static async open(directory: string, { limitBytes, term = 0, clock = systemClock }: SpoolOptions): Promise<LogSpool> {
    await mkdir(directory, { recursive: true });
    const segments = await Segments.open(directory, limitBytes);
    const { state, known } = await JournalFile.read(directory, segments.size);
    segments.goBack(state.endedAt ?? (state.points.at(-1) as SpoolPoint).offset);
    if (state.endedAt !== undefined) return new LogSpool(segments, state, undefined, clock);
    const journal = await JournalFile.claim(directory, { state, known, term });
    await segments.takeOver(journal.number);
    return new LogSpool(segments, state, journal, clock);
  }

  /** Bytes that can be read, those that were thrown away included. */
  get size(): number {
    return this.#size;
  }

  /** Aborts, with what a write has failed with: nothing is written any more. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  /** The disk has no room: what was appended waits until there is some. */
  get isDiskFull(): boolean {
    return this.#isDiskFull;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get holes(): readonly SpoolHole[] {
    return this.#holes;
  }

  /** Where the container was started again. */
  get attempts(): readonly SpoolAttempt[] {
    return this.#attempts;
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

  /** Calls `listener` whenever there is more to read, the end is, or the disk is full or no longer; returns what ends that. */
  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Written in the order of the calls. Throws what a write before has failed with. */
  append(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      if (part.length === 0) continue;
      this.#appended += part.length;
      this.#waitingBytes += part.length;
      this.#waiting.push(part);
    }
    this.#wake();
  }

  /** Where the spool ends now there is a hole. */
  noteHole(hole: LogHole): void {
    const placed = { offset: this.#appended, ...hole };
    if (this.#holes.some(({ offset, after }) => offset === placed.offset && after === placed.after)) return;
    this.#holes.push(placed);
    this.#notes += renderHole(placed);
    this.#wake();
  }

  /** Where the spool ends now a line begins: from here another process can go on. */
  notePoint(lines: number, position: LogPosition): void {
    this.#addPoint({ offset: this.#appended, lines, attempt: (this.#points.at(-1) as SpoolPoint).attempt, position });
  }

  /** Where the spool ends now another run of the container begins, one that had been started again so often. */
  noteAttempt(attempt: number, lines: number): void {
    const placed = { offset: this.#appended, attempt };
    this.#attempts.push(placed);
    this.#notes += renderAttempt(placed);
    this.#addPoint({ ...placed, lines, position: BEFORE_ALL });
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

  /** Resolves when all that was appended is written; rejects when it can't be. On a full disk that takes as long as that is full. */
  async flush(): Promise<void> {
    await this.#writing;
    this.failed.throwIfAborted();
  }

  /** What can be written at once is; what waits for room on a full disk is dropped, and can be had again from where the spool ends then. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await this.#journal?.close();
    await this.#segments.close();
  }

  #addPoint(point: SpoolPoint): void {
    this.#point = point;
    addPoint(this.#points, point);
    this.#wake();
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
        await this.#writeOnce().then(
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

  /** Where the disk is full, the same is written once more. */
  async #writeOnce(): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) throw new Error("the log has ended: nothing can be appended");
    await journal.check();
    if (journal.bytes > MAX_JOURNAL_BYTES) await journal.rewrite(this.#writtenState());
    const batch = this.#batch ?? this.#nextBatch();
    this.#batch = batch;
    await this.#segments.append(batch.parts);
    // Only then: what the journal speaks of must be there.
    if (batch.notes !== "") await journal.append(batch.notes);
    this.#batch = undefined;
    this.#waitingBytes -= batch.bytes;
    this.#size = this.#segments.size;
    if (batch.bytes > 0) this.#tell();
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
    await this.#clock.sleep(FULL_PAUSE_MS, this.#closing.signal).catch(() => {
      throw error;
    });
  }

  #noteDisk(isFull: boolean): void {
    if (this.#isDiskFull === isFull) return;
    this.#isDiskFull = isFull;
    this.#tell();
  }

  /** As far as it is written. */
  #writtenState(): SpoolState {
    const written = this.#segments.size;
    const upTo = ({ offset }: { offset: number }) => offset <= written;
    const [points, holes, attempts] = [this.#points.filter(upTo), this.#holes.filter(upTo), this.#attempts.filter(upTo)];
    return { points, holes, attempts, endedAt: this.#isEnded ? written : undefined };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
