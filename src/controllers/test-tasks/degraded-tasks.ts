import { type Degradation, decideDegradation, noteBuildEnd } from "../../core/task-status/degradation.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";

/** How a task is to be taken while its builds cannot be carried out. */
export interface DegradedTask {
  /** None before this many milliseconds; 0: one may come. */
  holdMs: number;
  /** When something changes by itself: the end of the hold, or that it is forgotten. */
  changesInMs: number;
  failures: number;
  message: string;
  /** For people: by this machine's clock as it was when the last build failed, so that the text stays what it is. */
  holdUntil: Date;
}

/** Counts per TestTask (`namespace/name`) the builds in a row that ended for infrastructure. In memory: a new process begins with trust. */
export class DegradedTasks {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #known = new Map<string, Degradation & { noted: Date }>();

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
  }

  note(taskKey: string, verdict: Verdict): void {
    const was = this.of(taskKey);
    const known = noteBuildEnd(this.#known.get(taskKey), verdict, this.#clock.steadyNow());
    if (known) this.#known.set(taskKey, { ...known, noted: this.#clock.now() });
    else this.#known.delete(taskKey);
    const is = this.of(taskKey);
    if (is && known) this.#logger.warn({ testTask: taskKey, failures: known.failures, holdMs: is.holdMs }, "takes a TestTask slowly");
    else if (was && !is) this.#logger.info({ testTask: taskKey }, "takes a TestTask as always again");
  }

  of(taskKey: string): DegradedTask | undefined {
    const now = this.#clock.steadyNow();
    const known = this.#known.get(taskKey);
    const decided = decideDegradation(known, now);
    if (!known || !decided) return undefined;
    const holdMs = Math.max(0, decided.holdUntil.getTime() - now.getTime());
    const forgottenInMs = decided.until.getTime() - now.getTime();
    const { failures, message, noted, at } = known;
    const holdUntil = new Date(noted.getTime() + decided.holdUntil.getTime() - at.getTime());
    return { holdMs, changesInMs: holdMs > 0 ? holdMs : forgottenInMs, failures, message, holdUntil };
  }

  /** Forgets the tasks that are not there any more. */
  keep(taskKeys: { has(taskKey: string): boolean }): void {
    for (const key of this.#known.keys()) if (!taskKeys.has(key)) this.#known.delete(key);
  }
}
