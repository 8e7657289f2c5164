import type { SlotPool } from "../../runtime/slot.ts";

/** One connection's worth of functions, on every server; `slots` is shared by its connections to all servers. */
export interface LaneSpec {
  readonly name: string;
  readonly functions: readonly string[];
  readonly slots: SlotPool;
}

export interface Registrations {
  /** All that must be in `status`, with or without a lane that serves it. Functions of lanes are added to it. */
  readonly functions: readonly string[];
  readonly lanes: readonly LaneSpec[];
}
