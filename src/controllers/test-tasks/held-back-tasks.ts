import { isHeldBack, type ShareFacts } from "../../core/test-task/shares.ts";
import type { Clock } from "../../runtime/clock.ts";

/** A task whose builds have waited keeps a lane of its own for this long after the last of them. */
const OWN_LANE_MS = 10 * 60_000;

/** The tasks whose builds that wait for a node hold back their own next ones; in memory, as the counts are. */
export class HeldBackTasks {
  readonly #clock: Clock;
  readonly #tasks = new Map<string, { isPaused: boolean; waitedAtMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(taskKey: string): { isPaused: boolean } | undefined {
    return this.#tasks.get(taskKey);
  }

  /**
   * Weighs all tasks anew. A task keeps a lane of its own for a while, so that lanes change no oftener than needed. Returns those for which
   * something has changed.
   */
  weigh(waitingOf: ReadonlyMap<string, number>, facts: Omit<ShareFacts, "waiting">): string[] {
    const changed: string[] = [];
    const nowMs = this.#clock.monotonicMs();
    for (const [taskKey, waiting] of waitingOf) {
      const known = this.#tasks.get(taskKey);
      const isPaused = isHeldBack({ ...facts, waiting });
      if (!known && !isPaused) continue;
      this.#tasks.set(taskKey, { isPaused, waitedAtMs: nowMs });
      if (known?.isPaused !== isPaused) changed.push(taskKey);
    }
    for (const [taskKey, known] of this.#tasks) {
      if (waitingOf.has(taskKey)) continue;
      const isOver = nowMs - known.waitedAtMs >= OWN_LANE_MS;
      if (isOver) this.#tasks.delete(taskKey);
      if (isOver || known.isPaused) changed.push(taskKey);
      known.isPaused = false;
    }
    return changed;
  }
}
