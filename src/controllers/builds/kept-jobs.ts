import { setImmediate } from "node:timers/promises";
import { isRecorded, readJobRecord } from "../../core/job/record.ts";
import { MANAGED_BY, MANAGED_BY_LABEL } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { endCondition, isJobOver } from "../../core/observation/build-state.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import { Wakeup } from "../../runtime/wakeup.ts";

/** Time between looks by themselves, and the least between any two: looking at thousands of Jobs at each change of one would cost more. */
const LOOK_MS = 60_000;
const LEAST_MS = 5_000;
/** Jobs that are looked at in one go, at some 20 us each. */
const JOBS_AT_ONCE = 200;
/** Deletions at once. */
const MAX_DELETIONS = 8;
/** What ended just now may be asked for again: by Zuul's relaunch, by a server that lost its answer. */
const YOUNG_MS = 10 * 60_000;

export interface KeptJobsOptions {
  cluster: {
    cachedJobs(): Iterable<Job>;
    /** Deletes the Job with its pods; one of another uid stays. That there is none is no error. */
    deleteJob(namespace: string, name: string, uid: string | undefined): Promise<void>;
  };
  isHolder(): boolean;
  /** Finished Jobs that may stay until their time is over. */
  maxKept: number;
  clock: Clock;
  logger: Logger;
}

/**
 * Keeps finished Jobs from becoming too many: of those whose builds are recorded as done, the oldest are deleted with their pods, before
 * their own `ttlSecondsAfterFinished` is over. Those that ended within ten minutes are never deleted, however many there are.
 */
export class KeptJobs implements Service {
  readonly #options: KeptJobsOptions;
  readonly #loop: Loop;
  /** Between two looks, whatever happens. */
  readonly #rest: Wakeup;
  /** By the cache's object, which is another when the Job has changed; undefined for one that is not done. */
  readonly #ends = new WeakMap<Job, { endMs: number | undefined }>();
  /** uids of Jobs that were deleted and may still be in the cache. */
  #deleted = new Set<string>();

  constructor(options: KeptJobsOptions) {
    this.#options = options;
    this.#loop = new Loop(options.clock, (signal) => this.#round(signal));
    this.#rest = new Wakeup(options.clock);
  }

  async start(): Promise<void> {
    await this.#loop.start();
  }

  /** Waits for deletions that are under way. */
  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** A build has ended, or this replica has become the holder. */
  wake(): void {
    this.#loop.wake();
  }

  async #round(signal: AbortSignal): Promise<number> {
    if (!this.#options.isHolder()) return LOOK_MS;
    try {
      await this.#look(signal);
    } catch (error) {
      this.#options.logger.warn({ err: coerceError(error) }, "could not delete all finished Jobs that are too many");
    }
    await this.#rest.wait(LEAST_MS, signal);
    return LOOK_MS - LEAST_MS;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { maxKept, logger } = this.#options;
    const done = await this.#findDone();
    const tooMany = done.length - maxKept;
    if (tooMany <= 0) return;
    const youngMs = this.#options.clock.now().getTime() - YOUNG_MS;
    const old = done
      .sort((a, b) => a.endMs - b.endMs)
      .slice(0, tooMany)
      .filter(({ endMs }) => endMs <= youngMs);
    if (old.length === 0) return;
    logger.info({ jobs: done.length, maxKept, deleted: old.length }, "deletes the oldest finished Jobs");
    await this.#deleteAll(
      old.map(({ job }) => job),
      signal,
    );
  }

  /** Finished Jobs that are not being deleted, and when they ended; none while even all Jobs are not too many. */
  async #findDone(): Promise<{ job: Job; endMs: number }[]> {
    const jobs = [...this.#options.cluster.cachedJobs()];
    if (jobs.length <= this.#options.maxKept) return [];
    const done: { job: Job; endMs: number }[] = [];
    const deleted = new Set<string>();
    for (const [index, job] of jobs.entries()) {
      const { uid = "" } = job.metadata;
      const endMs = this.#endOf(job);
      if (this.#deleted.has(uid)) deleted.add(uid);
      else if (endMs !== undefined) done.push({ job, endMs });
      // Thousands of Jobs must not hold up the links.
      if (index % JOBS_AT_ONCE === JOBS_AT_ONCE - 1) await setImmediate();
    }
    this.#deleted = deleted;
    return done;
  }

  #endOf(job: Job): number | undefined {
    let known = this.#ends.get(job);
    if (!known) {
      known = { endMs: isDone(job) ? endOf(job) : undefined };
      this.#ends.set(job, known);
    }
    return known.endMs;
  }

  /** In this order, some at once; after the first that fails no more are begun. */
  async #deleteAll(jobs: readonly Job[], signal: AbortSignal): Promise<void> {
    const { cluster, isHolder } = this.#options;
    const left = jobs.values();
    let hasFailed = false;
    const work = async () => {
      for (const { metadata } of left) {
        if (hasFailed || signal.aborted || !isHolder()) return;
        try {
          await cluster.deleteJob(metadata.namespace ?? "", metadata.name, metadata.uid);
          if (metadata.uid !== undefined) this.#deleted.add(metadata.uid);
        } catch (error) {
          hasFailed = true;
          throw error;
        }
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: MAX_DELETIONS }, work));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed && !signal.aborted) throw failed.reason;
  }
}

/** Ours, over, and its build is recorded, with a verdict that can be read: any other is left for people to look at. */
function isDone(job: Job): boolean {
  const { labels = {}, deletionTimestamp } = job.metadata;
  const isOver = labels[MANAGED_BY_LABEL] === MANAGED_BY && deletionTimestamp === undefined && isJobOver(job);
  return isOver && isRecorded(job) && readJobRecord(job)?.verdict !== undefined;
}

function endOf(job: Job): number | undefined {
  const endMs = Date.parse(endCondition(job)?.lastTransitionTime ?? job.metadata.creationTimestamp ?? "");
  return Number.isNaN(endMs) ? undefined : endMs;
}
