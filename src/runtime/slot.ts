/** A place in a bounded number; whoever holds it must release it. */
export interface Slot {
  /** Idempotent. */
  release(): void;
}

/** Counts how many builds there may be, for one TestTask or for the whole installation. Everything is synchronous. */
export interface SlotPool {
  readonly capacity: number;
  readonly used: number;
  /** Whether `tryReserve` would give one, were it not for the parent. */
  readonly hasRoom: boolean;
  /** undefined when the pool, or its parent, is full or paused. A pool with a parent reserves in both or in none. */
  tryReserve(): Slot | undefined;
  /** Counts a build that runs already, here and in the parent: `used` may go above `capacity`. */
  occupy(): Slot;
  /** Counts a build here alone, that is counted in the parent by a slot of its own. */
  occupyHere(): Slot;
  /** Whether this pool has given out the slot. */
  holds(slot: Slot): boolean;
  /** Raising wakes waiters; lowering never takes a slot away: `used` stays above `capacity` until enough are released. */
  setCapacity(capacity: number): void;
  /** A paused pool hands out nothing; resuming wakes waiters. */
  setPaused(isPaused: boolean): void;
  /**
   * `listener` is called when a slot may have become free; it takes one with `tryReserve` if it wants one, and does not give it back within
   * the call. Listeners are called in turn while there is something to take; who took one goes to the end of the queue. Returns what
   * unsubscribes.
   */
  onFree(listener: () => void): () => void;
}
