import type { AssignedSlot } from "../../core/zuul/assignment.ts";
import type { Slot } from "../../runtime/slot.ts";

/** Requests that wait here at most: one may have 128 KiB. */
const MAX_WAITING = 500;

/** Requests of one lane that were taken without a slot; first come, first served among those that may begin. */
export class SlotLine {
  readonly #waiting: PlaceInLine[] = [];

  /** Whether somebody would take a slot now. Whoever may not begin keeps nobody waiting who may. */
  get isDue(): boolean {
    return this.#next !== undefined;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** A place at its end. */
  join(): AssignedSlot {
    const place = new PlaceInLine((gone) => this.#remove(gone));
    this.#waiting.push(place);
    return place;
  }

  /** Gives out what `reserve` has, as long as somebody takes it. What a slot sets off may come back here. */
  serve(reserve: () => Slot | undefined): void {
    for (let next = this.#next; next !== undefined; next = this.#next) {
      const slot = reserve();
      if (slot === undefined) return;
      this.#remove(next);
      next.take(slot);
    }
  }

  /** Nobody who waits will get anything: their link is gone. */
  clear(): void {
    this.#waiting.length = 0;
  }

  get #next(): PlaceInLine | undefined {
    return this.#waiting.find((place) => place.mayBegin);
  }

  #remove(place: PlaceInLine): void {
    const index = this.#waiting.indexOf(place);
    if (index !== -1) this.#waiting.splice(index, 1);
  }
}

class PlaceInLine implements AssignedSlot {
  readonly #leave: (place: PlaceInLine) => void;
  #turn: { take(slot: Slot): void; mayBegin(): boolean } | undefined;
  #slot: Slot | undefined;
  #isReleased: boolean = false;

  constructor(leave: (place: PlaceInLine) => void) {
    this.#leave = leave;
  }

  get mayBegin(): boolean {
    return this.#turn?.mayBegin() ?? true;
  }

  onTurn = (take: (slot: Slot) => void, mayBegin: () => boolean): void => {
    this.#turn = { take, mayBegin };
    if (this.#slot !== undefined && !this.#isReleased) take(this.#slot);
  };

  take(slot: Slot): void {
    this.#slot = slot;
    this.#turn?.take(slot);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#leave(this);
    this.#slot?.release();
  }
}
