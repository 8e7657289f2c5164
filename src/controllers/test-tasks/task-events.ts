import { randomBytes } from "node:crypto";
import type { TestTaskEvent } from "../../core/task-status/events.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import type { EventTarget, EventTimes, EventWriter } from "../ports.ts";

/** What happens again within this time is counted, and the count written once. */
const REPEAT_INTERVAL_MS = 60_000;
/** Different things said of one task within `FORGOTTEN_MS`; what is beyond is only logged. */
const MAX_PER_TASK = 20;
/** Things said in all. */
const MAX_ENTRIES = 2000;
/** The API server's default lifetime of an event. */
const FORGOTTEN_MS = 3_600_000;
const MAX_TRIES = 5;
const MAX_MESSAGE_LENGTH = 1000;
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
const MAX_NAME_LENGTH = 253;

export interface TaskEventsOptions {
  writer: EventWriter;
  clock: Clock;
  logger: Logger;
}

interface Entry {
  task: EventTarget;
  event: TestTaskEvent;
  times: EventTimes;
  /** Name of the Event, once it is written. */
  name: string | undefined;
  isWritten: boolean;
  tries: number;
  lastMs: number;
  dueMs: number;
}

/** Events on TestTasks: the same thing said again is one event with a count; never more than people can read, or the API server bear. */
export class TaskEvents implements Service {
  readonly #options: TaskEventsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #loop: Loop;

  constructor(options: TaskEventsOptions) {
    this.#options = options;
    this.#loop = new Loop(options.clock, (signal) => this.#round(signal));
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  /** What was not written by now is not told. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Says something of a task, soon. */
  note(task: EventTarget, event: TestTaskEvent): void {
    const { clock, logger } = this.#options;
    this.#forget();
    const message = printable(event.message);
    const key = JSON.stringify([task.uid, event.reason, message]);
    const nowMs = clock.monotonicMs();
    const now = clock
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    const known = this.#entries.get(key);
    if (known) {
      known.times = { ...known.times, count: known.times.count + 1, last: now };
      if (known.isWritten) known.dueMs = Math.max(nowMs, known.dueMs);
      Object.assign(known, { isWritten: false, tries: 0, lastMs: nowMs });
    } else if (this.#entries.size >= MAX_ENTRIES || this.#countOf(task.uid) >= MAX_PER_TASK) {
      logger.info({ testTask: `${task.namespace}/${task.name}`, reason: event.reason, text: message }, "says no more about a TestTask");
      return;
    } else {
      const times = { count: 1, first: now, last: now };
      const entry = { name: undefined, isWritten: false, tries: 0, lastMs: nowMs, dueMs: nowMs };
      this.#entries.set(key, { task, event: { ...event, message }, times, ...entry });
    }
    this.#loop.wake();
  }

  #countOf(uid: string): number {
    return [...this.#entries.values()].filter(({ task }) => task.uid === uid).length;
  }

  #forget(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [key, entry] of this.#entries) {
      if (entry.isWritten && nowMs - entry.lastMs >= FORGOTTEN_MS) this.#entries.delete(key);
    }
  }

  /** Writes the next one that is due, or returns when it will be. */
  async #round(signal: AbortSignal): Promise<number | undefined> {
    const unwritten = [...this.#entries.values()].filter(({ isWritten }) => !isWritten);
    const next = unwritten.reduce<Entry | undefined>((first, entry) => (first && first.dueMs <= entry.dueMs ? first : entry), undefined);
    if (!next) return undefined;
    const waitMs = next.dueMs - this.#options.clock.monotonicMs();
    if (waitMs <= 0) await this.#write(next, signal);
    return waitMs;
  }

  async #write(entry: Entry, signal: AbortSignal): Promise<void> {
    const { writer, clock, logger } = this.#options;
    const { task, event, times } = entry;
    try {
      if (entry.name === undefined || !(await writer.repeat(task.namespace, entry.name, times, signal))) {
        const name = eventName(task.name);
        await writer.create(name, task, event, times, signal);
        entry.name = name;
      }
      entry.isWritten = entry.times === times;
      entry.tries = 0;
      entry.dueMs = clock.monotonicMs() + REPEAT_INTERVAL_MS;
    } catch (error) {
      if (signal.aborted) return;
      entry.tries += 1;
      entry.dueMs = clock.monotonicMs() + backoffMs(entry.tries, 500, 30_000);
      entry.isWritten = entry.tries >= MAX_TRIES;
      const fields = { err: coerceError(error), testTask: `${task.namespace}/${task.name}`, reason: event.reason };
      logger.warn(fields, entry.isWritten ? "gives up an event about a TestTask" : "retries to write an event about a TestTask");
    }
  }
}

/** A TestTask of an older version may have a name as long as any may be. */
function eventName(taskName: string): string {
  return `${taskName.slice(0, MAX_NAME_LENGTH - 17).replace(/[^a-z0-9]+$/, "")}.${randomBytes(8).toString("hex")}`;
}

/** Parts of it may come from a request. */
function printable(message: string): string {
  const line = message.replaceAll(/\p{C}/gu, "?");
  return line.length <= MAX_MESSAGE_LENGTH ? line : `${line.slice(0, MAX_MESSAGE_LENGTH - 3).toWellFormed()}...`;
}
