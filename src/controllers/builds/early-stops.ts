import type { Clock } from "../../runtime/clock.ts";

/**
 * A stop for a build not known yet is remembered this long, and at most so many of them: the Job of a build that is under way appears when the
 * API server takes it, which may be long after Zuul has stopped the build.
 */
const EARLY_MS = 24 * 60 * 60_000;
const MAX_EARLY = 1000;
/**
 * A request that comes after the stop is the one that was stopped only where its server hands it out again, as a replica that had it is gone:
 * at once, or when another has taken over and has room. Later it is one that uses a unique again.
 */
const AGAIN_MS = 10 * 60_000;
/** By so much two replicas may differ in what they know of the API server's clock. */
const SKEW_MS = 5 * 60_000;
/** Zuul may stop a build that ends in this moment, or twice. */
const ENDED_MS = 10 * 60_000;

/** Stops that came before their builds, by number. A number is that of all requests of one unique: a stop is for one of them alone. */
export class EarlyStops {
  readonly #clock: Clock;
  readonly #clusterNow: () => Date;
  /** Oldest first, as are those that have ended. */
  readonly #stops = new Map<string, { atMs: number; at: Date }>();
  readonly #ended = new Map<string, { atMs: number }>();

  /** `clusterNow` is the API server's clock, of which requests have their times, see `BuildCluster.now`. */
  constructor(clock: Clock, clusterNow: () => Date) {
    this.#clock = clock;
    this.#clusterNow = clusterNow;
  }

  /** How many numbers are known, of stops and of ends. */
  get size(): number {
    return this.#stops.size + this.#ended.size;
  }

  /** Returns false where the build of this number has ended a moment ago: it is no longer to be stopped. */
  add(number: string): boolean {
    const atMs = this.#clock.monotonicMs();
    const ended = this.#ended.get(number);
    if (ended && atMs - ended.atMs <= ENDED_MS) return false;
    this.#put(this.#stops, number, { atMs, at: this.#clusterNow() }, EARLY_MS);
    return true;
  }

  noteEnd(number: string): void {
    this.#stops.delete(number);
    this.#put(this.#ended, number, { atMs: this.#clock.monotonicMs() }, ENDED_MS);
  }

  /** Whether a request that was given out just now was stopped; asks once. */
  takeForRequest(number: string): boolean {
    const stop = this.#take(number);
    return stop !== undefined && this.#clock.monotonicMs() - stop.atMs <= AGAIN_MS;
  }

  /** Whether the build of a Job was stopped whose request was given out at `since` (RFC 3339, of the API server's clock); asks once. */
  takeForJob(number: string, since: string): boolean {
    const stop = this.#take(number);
    if (!stop || this.#clock.monotonicMs() - stop.atMs > EARLY_MS) return false;
    // NaN, of a Job that does not tell, is after nothing.
    return !(Date.parse(since) > stop.at.getTime() + SKEW_MS);
  }

  #take(number: string): { atMs: number; at: Date } | undefined {
    const stop = this.#stops.get(number);
    this.#stops.delete(number);
    return stop;
  }

  #put<T extends { atMs: number }>(map: Map<string, T>, number: string, entry: T, keptMs: number): void {
    map.delete(number);
    for (const [old, { atMs }] of map) {
      if (entry.atMs - atMs <= keptMs && map.size < MAX_EARLY) break;
      map.delete(old);
    }
    map.set(number, entry);
  }
}
