import type { SpoolState } from "../../core/logs/spool-journal.ts";
import type { Clock } from "../../runtime/clock.ts";
import { readTurn } from "../stores/disk-turns.ts";
import { JournalView } from "./journal-view.ts";
import { isMissing } from "./missing-file.ts";
import { Segments } from "./segments.ts";

/** No file system that several machines share tells of changes. */
const LOOK_MS = 200;

/**
 * A spool that another process writes, perhaps on another machine, as pages read it: as far as its journal says that it was followed, as from
 * there whoever comes next goes on. It is looked at while somebody waits for more, however many do.
 */
export class SpoolView {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #journal: JournalView;
  readonly #waiters = new Set<() => void>();
  #segments: Segments;
  #state: SpoolState;
  /** It is gone, or can't be read. */
  #isLeft = false;
  /** Files of it are gone. */
  #isStale = false;
  #looking: Promise<boolean> | undefined;
  #watching: Promise<void> | undefined;
  #pause = new AbortController();

  private constructor(directory: string, clock: Clock, journal: JournalView, { segments, state }: Opened) {
    this.#directory = directory;
    this.#clock = clock;
    this.#journal = journal;
    this.#segments = segments;
    this.#state = state;
  }

  /** Undefined where there is no spool, or nobody has begun to write it. */
  static async open(directory: string, clock: Clock): Promise<SpoolView | undefined> {
    const journal = new JournalView(directory);
    try {
      await readTurn(() => journal.look());
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    return new SpoolView(directory, clock, journal, await openAsFarAs(journal, directory));
  }

  snapshot() {
    const { endedAt, holes, attempts } = this.#state;
    const { size, cut } = this.#segments;
    return { bytes: size, isEnded: endedAt !== undefined, isLeft: this.#isLeft, holes, cut, attempts };
  }

  points() {
    return this.#state.points;
  }

  async read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }> {
    try {
      return await this.#segments.read(offset, maxBytes);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    // Meanwhile it was thrown away.
    this.#isStale = true;
    await this.#looking?.catch(() => {});
    await this.look();
    return this.#segments.read(offset, maxBytes);
  }

  /** Resolves to whether there is anything new in it. Rejects when it is gone. */
  look(): Promise<boolean> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Resolves once there is more than at the last look, or no more comes; rejects with the reason of `signal`. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state.endedAt !== undefined || this.#isLeft) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    this.#waiters.add(resolve);
    this.#watching ??= this.#watch();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiters.delete(resolve);
      if (this.#waiters.size === 0) this.#pause.abort();
    }
  }

  async #watch(): Promise<void> {
    while (this.#waiters.size > 0) {
      this.#pause = new AbortController();
      await this.#clock.sleep(LOOK_MS, this.#pause.signal).catch(() => {});
      if (this.#waiters.size === 0) break;
      try {
        if (!(await this.look())) continue;
      } catch {
        // Whoever asks anew is told why, or is shown what is stored by now.
        this.#isLeft = true;
      }
      for (const resolve of this.#waiters) resolve();
    }
    this.#watching = undefined;
  }

  async #look(): Promise<boolean> {
    const isNew = await readTurn(() => this.#journal.look());
    return isNew || this.#isStale || this.#journal.reader.isAhead ? this.#open() : false;
  }

  async #open(): Promise<boolean> {
    this.#isStale = false;
    const before = this.snapshot();
    const { segments, state } = await openAsFarAs(this.#journal, this.#directory);
    const isEnded = state.endedAt !== undefined;
    // Who has just taken over may begin earlier, and comes by here again with the same bytes.
    if (!isEnded && segments.size < before.bytes) return false;
    this.#segments = segments;
    this.#state = state;
    return isEnded || segments.size > before.bytes;
  }
}

interface Opened {
  readonly segments: Segments;
  readonly state: SpoolState;
}

async function openAsFarAs({ reader }: JournalView, directory: string): Promise<Opened> {
  // Nothing is written: there is no limit.
  const segments = await readTurn(() => Segments.open(directory, Number.POSITIVE_INFINITY));
  const state = reader.state(segments.size);
  segments.goBack(state.endedAt ?? state.points.at(-1)?.offset ?? 0);
  return { segments, state };
}
