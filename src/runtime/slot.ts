/** A place in a bounded number; whoever holds it must release it. */
export interface Slot {
  /** Idempotent. */
  release(): void;
}
