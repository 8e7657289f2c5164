import type { StatusFacts } from "../../core/task-status/conditions.ts";
import type { Clock } from "../../runtime/clock.ts";
import { earliest } from "../../runtime/wakeup.ts";

/** Builds that wait for a node this long are told of in the task's status. */
const TOLD_AFTER_MS = 60_000;

export interface WaitingTasksOptions {
  builds: {
    readonly pendingByTask: ReadonlyMap<string, number>;
    waitOf(taskKey: string): { builds: number; first: { words: string; sinceMs: number } } | undefined;
  };
  isHeldBack(taskKey: string): boolean;
  clock: Clock;
}

/** The tasks that are to be told of because no node takes their builds. */
export class WaitingTasks {
  readonly #options: WaitingTasksOptions;

  constructor(options: WaitingTasksOptions) {
    this.#options = options;
  }

  /** What no node takes of this task's, once that holds it back or has lasted. */
  of(taskKey: string): StatusFacts["waiting"] {
    const { builds, isHeldBack, clock } = this.#options;
    const wait = builds.waitOf(taskKey);
    const holdsBack = isHeldBack(taskKey);
    if (!wait || (!holdsBack && clock.monotonicMs() - wait.first.sinceMs < TOLD_AFTER_MS)) return undefined;
    return { builds: wait.builds, words: wait.first.words, isHeldBack: holdsBack };
  }

  /** When the next one is to be told of. */
  nextMs(): number | undefined {
    const { builds, clock } = this.#options;
    const since = [...builds.pendingByTask.keys()].flatMap((key) => builds.waitOf(key)?.first.sinceMs ?? []);
    return earliest(...since.map((sinceMs) => sinceMs + TOLD_AFTER_MS - clock.monotonicMs()).filter((ms) => ms > 0));
  }
}
