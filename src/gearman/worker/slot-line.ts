import type { AssignedSlot } from "../../core/zuul/assignment.ts";
import type { Slot } from "../../runtime/slot.ts";

/** Requests that wait here at most: one may have 128 KiB. */
const MAX_WAITING = 500;

/** Requests of one lane that were taken without a slot, first come, first served. */
export class SlotLine {
  readonly #waiting: PlaceInLine[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** A place at its end. */
  join(): AssignedSlot {
    const place = new PlaceInLine((gone) => {
      const index = this.#waiting.indexOf(gone);
      if (index !== -1) this.#waiting.splice(index, 1);
    });
    this.#waiting.push(place);
    return place;
  }

  /** Gives out what `reserve` has, as long as somebody waits. */
  serve(reserve: () => Slot | undefined): void {
    while (this.#waiting.length > 0) {
      const slot = reserve();
      if (slot === undefined) return;
      this.#waiting.shift()?.take(slot);
    }
  }

  /** Nobody who waits will get anything: their link is gone. */
  clear(): void {
    this.#waiting.length = 0;
  }
}

class PlaceInLine implements AssignedSlot {
  readonly #leave: (place: PlaceInLine) => void;
  #listener: ((slot: Slot) => void) | undefined;
  #slot: Slot | undefined;
  #isReleased: boolean = false;

  constructor(leave: (place: PlaceInLine) => void) {
    this.#leave = leave;
  }

  onTurn = (listener: (slot: Slot) => void): void => {
    this.#listener = listener;
    if (this.#slot !== undefined && !this.#isReleased) listener(this.#slot);
  };

  take(slot: Slot): void {
    this.#slot = slot;
    this.#listener?.(slot);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#leave(this);
    this.#slot?.release();
  }
}
