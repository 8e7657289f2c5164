import type { Slot, SlotPool } from "../../runtime/slot.ts";

/** In memory only, everything synchronous. */
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
