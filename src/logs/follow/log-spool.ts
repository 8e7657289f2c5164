import { mkdir } from "node:fs/promises";
import { LineTimes } from "../../core/checks/line-times.ts";
import { BEFORE_ALL, type LogHole, type LogPosition } from "../../core/logs/log-position.ts";
import {
  addPoint,
  renderAttempt,
  renderEnd,
  renderHole,
  renderTime,
  type SpoolAttempt,
  type SpoolHole,
  type SpoolPoint,
  type SpoolState,
} from "../../core/logs/spool-journal.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { writeTurn } from "../stores/disk-turns.ts";
import { JournalFile } from "./journal-file.ts";
import { type LogCut, Segments } from "./segments.ts";
import { SpoolWriter } from "./spool-writer.ts";

/** Bytes that wait to be written, above which whoever brings more has to wait as well. */
const MAX_WAITING_BYTES = 2 ** 20;

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

/**
 * What one container has printed, byte for byte, in a directory of its own: segments of the log, and a journal that says how far it was
 * followed. One process writes, at any moment it may be killed, and the next one goes on from the journal's last point, whether or not the
 * one before knows that it was replaced. Anybody in this process may read what is there and is told when there is more.
 */
export class LogSpool {
  readonly #segments: Segments;
  readonly #writer: SpoolWriter;
  readonly #listeners = new Set<() => void>();
  readonly #points: SpoolPoint[];
  readonly #holes: SpoolHole[];
  readonly #attempts: SpoolAttempt[];
  readonly #times = new LineTimes();
  #isEnded: boolean;
  #isClosed = false;
  #appended: number;

  private constructor(segments: Segments, state: SpoolState, journal: JournalFile | undefined, clock: Clock) {
    this.#segments = segments;
    this.#points = state.points;
    this.#holes = [...state.holes];
    this.#attempts = [...state.attempts];
    for (const { line, ms } of state.times ?? []) this.#times.note(line, ms);
    this.#isEnded = state.endedAt !== undefined;
    this.#appended = segments.size;
    const stateUpTo = (size: number) => this.#stateUpTo(size);
    this.#writer = new SpoolWriter({ segments, journal, clock, stateUpTo, onChange: () => this.#tell() });
  }

  /**
   * Makes the directory, or takes over what another process has left there or still writes, back to the last point of its journal; a log that
   * has ended is only opened to be read. Rejects with a SpoolTakenError where another one has a later term, or takes over in this moment, and
   * with ENOSPC on a full disk.
   */
  static open(directory: string, options: SpoolOptions): Promise<LogSpool> {
    return writeTurn(() => LogSpool.#open(directory, options));
  }

  static async #open(directory: string, { limitBytes, term = 0, clock = systemClock }: SpoolOptions): Promise<LogSpool> {
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
    return this.#segments.size;
  }

  /** Aborts, with what a write has failed with: nothing is written any more. */
  get failed(): AbortSignal {
    return this.#writer.failed;
  }

  /** The disk has no room: what was appended waits until there is some. */
  get isDiskFull(): boolean {
    return this.#writer.isDiskFull;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Nothing more comes by this object, though perhaps by another one. */
  get isClosed(): boolean {
    return this.#isClosed;
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

  /** When lines were printed; empty where nobody has asked for that. */
  get times(): LineTimes {
    return this.#times;
  }

  /** At most `maxBytes` from `offset` on; where that was thrown away, from behind the cut on. Empty where nothing has come yet. */
  read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Buffer }> {
    return this.#segments.read(offset, maxBytes);
  }

  /** Calls `listener` whenever there is more to read, the end is, it is closed, or the disk is full or no longer; returns what ends that. */
  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Written in the order of the calls. Throws what a write before has failed with. */
  append(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#appended += part.length;
      this.#writer.append(part);
    }
  }

  /** Where the spool ends now there is a hole. */
  noteHole(hole: LogHole): void {
    const placed = { offset: this.#appended, ...hole };
    if (this.#holes.some(({ offset, after }) => offset === placed.offset && after === placed.after)) return;
    this.#holes.push(placed);
    this.#writer.note(renderHole(placed));
  }

  /** Where the spool ends now a line begins: from here another process can go on. */
  notePoint(lines: number, position: LogPosition): void {
    this.#addPoint({ offset: this.#appended, lines, attempt: (this.#points.at(-1) as SpoolPoint).attempt, position });
  }

  /** Where the spool ends now another run of the container begins, one that had been started again so often. */
  noteAttempt(attempt: number, lines: number): void {
    const placed = { offset: this.#appended, attempt };
    this.#attempts.push(placed);
    this.#writer.note(renderAttempt(placed));
    this.#addPoint({ ...placed, lines, position: BEFORE_ALL });
  }

  /** When this line was printed: from 1, in the order of lines. Those that are too close together to be told apart are not written down. */
  noteTime(line: number, ms: number): void {
    if (this.#times.note(line, ms)) this.#writer.note(renderTime({ line, ms }));
  }

  /** Nothing more comes. */
  async end(): Promise<void> {
    this.#writer.note(renderEnd(this.#appended));
    await this.flush();
    this.#isEnded = true;
    this.#tell();
  }

  /** Undefined as long as more may be appended at once; else resolves when there is room. */
  room(): Promise<void> | undefined {
    return this.#writer.waitingBytes < MAX_WAITING_BYTES ? undefined : this.flush();
  }

  /** Resolves when all that was appended is written; rejects when it can't be. On a full disk that takes as long as that is full. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** What can be written at once is; what waits for room on a full disk is dropped, and can be had again from where the spool ends then. */
  async close(): Promise<void> {
    await this.#writer.close();
    this.#isClosed = true;
    this.#tell();
  }

  #addPoint(point: SpoolPoint): void {
    addPoint(this.#points, point);
    this.#writer.notePoint(point);
  }

  #stateUpTo(size: number): SpoolState {
    const isIn = ({ offset }: { offset: number }) => offset <= size;
    const [points, holes, attempts] = [this.#points.filter(isIn), this.#holes.filter(isIn), this.#attempts.filter(isIn)];
    const times = this.#times.entries;
    return { points, holes, attempts, ...(times.length === 0 ? {} : { times }), endedAt: undefined };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
