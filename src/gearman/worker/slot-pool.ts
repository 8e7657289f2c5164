import type { Slot } from "../../runtime/slot.ts";

/** Counts how many builds there may be, for one TestTask or for the whole installation. In memory only, everything synchronous. */
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

export function makeSlotPool(options: { capacity: number; parent?: SlotPool }): SlotPool {
  return new CountingSlotPool(options.capacity, options.parent);
}

class CountingSlotPool implements SlotPool {
  #capacity: number;
  #used = 0;
  #isPaused: boolean = false;
  readonly #parent: SlotPool | undefined;
  /** Subscribed to the parent only while somebody waits here, so that a pool nobody uses any more is not kept by its parent. */
  #leaveParent: (() => void) | undefined;
  #waiters: { wake: () => void }[] = [];
  readonly #slots = new WeakSet<Slot>();
  #isWaking: boolean = false;
  #mustWakeAgain: boolean = false;

  constructor(capacity: number, parent: SlotPool | undefined) {
    this.#capacity = capacity;
    this.#parent = parent;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get used(): number {
    return this.#used;
  }

  get hasRoom(): boolean {
    return !this.#isPaused && this.#used < this.#capacity;
  }

  tryReserve(): Slot | undefined {
    if (!this.hasRoom) return undefined;
    const parentSlot = this.#parent?.tryReserve();
    if (this.#parent !== undefined && parentSlot === undefined) return undefined;
    return this.#take(parentSlot);
  }

  occupy(): Slot {
    return this.#take(this.#parent?.occupy());
  }

  occupyHere(): Slot {
    return this.#take(undefined);
  }

  holds(slot: Slot): boolean {
    return this.#slots.has(slot);
  }

  #take(parentSlot: Slot | undefined): Slot {
    this.#used += 1;
    let isReleased = false;
    const slot = {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#used -= 1;
        // With a parent it is the parent who says which of its pools is next; it calls this one too.
        if (parentSlot === undefined) this.#wake();
        else parentSlot.release();
      },
    };
    this.#slots.add(slot);
    return slot;
  }

  setCapacity(capacity: number): void {
    const isRaised = capacity > this.#capacity;
    this.#capacity = capacity;
    if (isRaised) this.#wake();
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) this.#wake();
  }

  onFree(listener: () => void): () => void {
    const waiter = { wake: listener };
    this.#waiters.push(waiter);
    this.#leaveParent ??= this.#parent?.onFree(() => this.#wake());
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      if (this.#waiters.length > 0) return;
      this.#leaveParent?.();
      this.#leaveParent = undefined;
    };
  }

  /** A release from within a listener does not nest: it makes this go round once more. */
  #wake(): void {
    if (this.#isWaking) {
      this.#mustWakeAgain = true;
      return;
    }
    this.#isWaking = true;
    try {
      do {
        this.#mustWakeAgain = false;
        for (const waiter of [...this.#waiters]) {
          if (!this.hasRoom) break;
          if (this.#waiters.includes(waiter)) this.#offer(waiter);
        }
      } while (this.#mustWakeAgain);
    } finally {
      this.#isWaking = false;
    }
  }

  #offer(waiter: { wake: () => void }): void {
    const usedBefore = this.#used;
    waiter.wake();
    const index = this.#waiters.indexOf(waiter);
    if (this.#used > usedBefore && index !== -1) this.#waiters.push(...this.#waiters.splice(index, 1));
  }
}
