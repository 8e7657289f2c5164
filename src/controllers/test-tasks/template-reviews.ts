import type { ManifestSettings } from "../../core/job/manifest.ts";
import { renderReviewedObjects, type TemplateReview } from "../../core/job/template-review.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import type { TemplateReviewer } from "../ports.ts";

/** Quick tries at an API server that does not answer; after them, and for what it refuses, the last of the delays below counts. */
const MAX_QUICK_TRIES = 8;
/** A refusal may be about what comes a moment later, as a ServiceAccount from the same file, or what an administrator changes. */
const REFUSED_DELAYS_MS = [10_000, 60_000, 600_000];
const SLOW_MS = 600_000;

export interface TemplateReviewsOptions {
  reviewer: TemplateReviewer;
  settings: ManifestSettings;
  clock: Clock;
  logger: Logger;
  /** A task's review has changed. */
  onReviewed(): void;
}

interface Entry {
  task: TestTask;
  result: TemplateReview | undefined;
  /** Reviews of this generation so far. */
  tries: number;
  sinceMs: number;
  dueMs: number;
}

/**
 * Asks the API server what it would make of each TestTask's Job and pods: once for each generation, one task at a time. What is accepted is
 * not asked about again; what is refused, or could not be asked, is, ever more seldom.
 */
export class TemplateReviews implements Service {
  readonly #options: TemplateReviewsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #loop: Loop;

  constructor(options: TemplateReviewsOptions) {
    this.#options = options;
    this.#loop = new Loop(options.clock, (signal) => this.#round(signal));
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** The tasks there are now: new ones and new generations are reviewed, those that are gone are forgotten. */
  setTasks(tasks: ReadonlyMap<string, TestTask>): void {
    for (const key of this.#entries.keys()) if (!tasks.has(key)) this.#entries.delete(key);
    const nowMs = this.#options.clock.monotonicMs();
    for (const [key, task] of tasks) {
      const known = this.#entries.get(key);
      if (known && isSameGeneration(known.task, task)) known.task = task;
      else this.#entries.set(key, { task, result: undefined, tries: 0, sinceMs: nowMs, dueMs: nowMs });
    }
    this.#loop.wake();
  }

  /** What was found for this very generation of the task; undefined before it was asked. */
  of(task: TestTask): TemplateReview | undefined {
    const entry = this.#entries.get(testTaskKey(task));
    return entry && isSameGeneration(entry.task, task) ? entry.result : undefined;
  }

  /** How long this generation of the task has been there without a first answer, in milliseconds; undefined when nothing is awaited. */
  awaitedMs(task: TestTask): number | undefined {
    const entry = this.#entries.get(testTaskKey(task));
    if (!entry || entry.result || !isSameGeneration(entry.task, task)) return undefined;
    return this.#options.clock.monotonicMs() - entry.sinceMs;
  }

  /** Asks about the next one that is due, or returns when it will be. */
  async #round(signal: AbortSignal): Promise<number | undefined> {
    const next = this.#next();
    if (!next) return undefined;
    const waitMs = next.dueMs - this.#options.clock.monotonicMs();
    if (waitMs <= 0) await this.#review(next, signal);
    return waitMs;
  }

  #next(): Entry | undefined {
    let next: Entry | undefined;
    for (const entry of this.#entries.values()) if (!next || entry.dueMs < next.dueMs) next = entry;
    return next && Number.isFinite(next.dueMs) ? next : undefined;
  }

  async #review(entry: Entry, signal: AbortSignal): Promise<void> {
    const { reviewer, settings, clock, logger, onReviewed } = this.#options;
    try {
      const rendered = renderReviewedObjects(entry.task, settings);
      entry.result = rendered.ok ? await reviewer.review(rendered.objects, signal) : { kind: "unrenderable", message: rendered.problem };
    } catch (error) {
      if (signal.aborted) return;
      const { message } = coerceError(error);
      logger.warn({ err: coerceError(error), testTask: testTaskKey(entry.task), tries: entry.tries }, "could not review a TestTask");
      entry.result = { kind: "unknown", message };
    }
    entry.dueMs = clock.monotonicMs() + delayMs(entry.result, entry.tries);
    entry.tries += 1;
    onReviewed();
  }
}

function delayMs(result: TemplateReview, tries: number): number {
  switch (result.kind) {
    case "accepted":
    case "unrenderable":
      return Number.POSITIVE_INFINITY;
    case "refused":
      return REFUSED_DELAYS_MS[tries] ?? SLOW_MS;
    case "unknown":
      return tries < MAX_QUICK_TRIES ? backoffMs(tries, 1000, 60_000) : SLOW_MS;
  }
}

/** A task that was deleted and made again begins at generation 1 as well. */
function isSameGeneration(a: TestTask, b: TestTask): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.generation === b.metadata.generation;
}
