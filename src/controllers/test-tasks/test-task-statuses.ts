import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { decideTestTaskEvents, type TestTaskEvent } from "../../core/task-status/events.ts";
import { type TestTaskStatus, testTaskStatusSchema } from "../../core/test-task/schema/status.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { EventTarget } from "../ports.ts";

/** At most one write of a task's status in this time. */
export const STATUS_INTERVAL_MS = 5000;

export interface TestTaskStatusesOptions {
  write(namespace: string, name: string, status: TestTaskStatus, signal: AbortSignal): Promise<void>;
  /** Called with what a written status tells that the one before did not. */
  onNews(task: EventTarget, event: TestTaskEvent): void;
  clock: Clock;
  logger: Logger;
}

/** Keeps the statuses of TestTasks as they should be: no write when nothing has changed, at most one for each task and five seconds. */
export class TestTaskStatuses {
  readonly #options: TestTaskStatusesOptions;
  /** By uid: a task that was made anew has no status yet. */
  readonly #written = new Map<string, { status: TestTaskStatus | undefined; atMs: number }>();

  constructor(options: TestTaskStatusesOptions) {
    this.#options = options;
  }

  /**
   * Writes those that are due; `render` gives the status that a task should have, from the one that it has, or in how many milliseconds
   * it will know. Resolves to how long until the next one is due; undefined when none is.
   */
  async write(
    objects: Iterable<KubeObject>,
    render: (object: KubeObject, previous: TestTaskStatus | undefined) => TestTaskStatus | number,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { clock } = this.#options;
    let waitMs: number | undefined;
    const present = new Set<string>();
    for (const object of objects) {
      if (signal.aborted) return undefined;
      const id = idOf(object);
      present.add(id);
      const written = this.#written.get(id);
      const previous = written?.status ?? readStatus(object);
      const status = render(object, previous);
      if (typeof status === "number") {
        waitMs = Math.min(waitMs ?? status, status);
        continue;
      }
      if (isDeepStrictEqual(status, previous)) continue;
      const dueMs = written ? written.atMs + STATUS_INTERVAL_MS - clock.monotonicMs() : 0;
      const isWritten = dueMs <= 0 && (await this.#writeOne(object, previous, status, signal));
      if (!isWritten) waitMs = Math.min(waitMs ?? STATUS_INTERVAL_MS, dueMs > 0 ? dueMs : STATUS_INTERVAL_MS);
    }
    for (const id of this.#written.keys()) if (!present.has(id)) this.#written.delete(id);
    return waitMs;
  }

  async #writeOne(object: KubeObject, previous: TestTaskStatus | undefined, status: TestTaskStatus, signal: AbortSignal): Promise<boolean> {
    const { write, onNews, clock, logger } = this.#options;
    const { namespace = "default", name, uid = "" } = object.metadata;
    const atMs = clock.monotonicMs();
    try {
      await write(namespace, name, status, signal);
      this.#written.set(idOf(object), { status, atMs });
      for (const event of decideTestTaskEvents(previous?.conditions, status.conditions)) onNews({ namespace, name, uid }, event);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      // Whether it took effect is not known: the next one is written in any case, unless the watch shows it.
      this.#written.set(idOf(object), { status: undefined, atMs });
      logger.warn({ err: coerceError(error), testTask: `${namespace}/${name}` }, "retries to write the status of a TestTask");
      return false;
    }
  }
}

function idOf({ metadata: { namespace = "default", name, uid = "" } }: KubeObject): string {
  return `${namespace}/${name}/${uid}`;
}

/** A status that cannot be read, another version's perhaps, counts as none. */
function readStatus(object: KubeObject): TestTaskStatus | undefined {
  const parsed = testTaskStatusSchema.safeParse((object as { status?: unknown }).status);
  return parsed.success ? parsed.data : undefined;
}
