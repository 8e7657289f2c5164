import type { AssignedSlot } from "../../core/zuul/assignment.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Slot } from "../../runtime/slot.ts";
import type { Tasks } from "../ports.ts";

export interface BuildSlotOptions {
  tasks: Pick<Tasks, "count" | "mayBegin">;
  taskKey: string;
  logger(): Logger;
  /** It has its slot: the build is carried out from now on. */
  onBegin(): void;
}

/**
 * The slot of one build: none yet, awaited in a lane's line, its own, or given back. Whatever else requests for the build bring along is given
 * back at once.
 */
export class BuildSlot {
  readonly #options: BuildSlotOptions;
  #state: { kind: "none" | "over" } | { kind: "awaited"; place: AssignedSlot } | { kind: "held"; slot: Slot } = { kind: "none" };

  constructor(options: BuildSlotOptions) {
    this.#options = options;
  }

  /** While its request waits in line: nothing was done for the build yet. */
  get isAwaited(): boolean {
    return this.#state.kind === "awaited";
  }

  /** One that is counted already, of a build that was found. */
  hold(slot: Slot): void {
    this.#state = { kind: "held", slot };
    this.#options.onBegin();
  }

  /** What a request brings along: a slot, or a place in line for one; a place that it had is left. */
  take(offered: AssignedSlot): void {
    const { tasks, taskKey, logger } = this.#options;
    if (this.#state.kind === "awaited") this.#state.place.release();
    if (this.#state.kind === "held" || this.#state.kind === "over") {
      offered.release();
      return;
    }
    if (!offered.onTurn) {
      this.hold(tasks.count(taskKey, offered));
      return;
    }
    this.#state = { kind: "awaited", place: offered };
    logger().info({}, "lets a build wait for a slot, as the request of another one may be behind it");
    offered.onTurn(
      (slot) => this.hold(tasks.count(taskKey, slot)),
      () => tasks.mayBegin(taskKey),
    );
  }

  /** The build needs none any more. */
  release(): void {
    const state = this.#state;
    this.#state = { kind: "over" };
    if (state.kind === "awaited") state.place.release();
    if (state.kind === "held") state.slot.release();
  }
}
