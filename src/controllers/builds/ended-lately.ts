import type { Clock } from "../../runtime/clock.ts";

/** The watch shows what was written well before this. */
const WATCH_LAG_MS = 60_000;

/** Jobs, by uid, whose builds have ended a moment ago: the cache may still show them as they were before that was written down. */
export class EndedLately {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #ended = new Map<string, { atMs: number; hasAnswer: boolean }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `hasAnswer`: a relaunch by Zuul may have it as well. */
  note(uid: string, hasAnswer: boolean): void {
    this.#forget();
    this.#ended.set(uid, { atMs: this.#clock.monotonicMs(), hasAnswer });
  }

  has(uid: string | undefined): boolean {
    this.#forget();
    return uid !== undefined && this.#ended.has(uid);
  }

  /** How many are known. */
  get size(): number {
    return this.#ended.size;
  }

  /** Whether it ended with an answer that a relaunch may have; undefined where nothing is known. */
  hadAnswer(uid: string | undefined): boolean | undefined {
    return uid === undefined ? undefined : this.#ended.get(uid)?.hasAnswer;
  }

  #forget(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [old, { atMs }] of this.#ended) {
      if (nowMs - atMs <= WATCH_LAG_MS) break;
      this.#ended.delete(old);
    }
  }
}
