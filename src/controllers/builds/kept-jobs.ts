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
/** The same, where a Job that is kept would keep others from being made: who asks again asks at once. */
const JUST_ENDED_MS = 30_000;

/** A finished Job, and when it ended. */
interface Done {
  job: Job;
  endMs: number;
}

export interface KeptJobsOptions {
  cluster: {
    /** See `BuildCluster`. */
    now(): Date;
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
 * their own `ttlSecondsAfterFinished` is over. Those that ended within ten minutes are never deleted, however many there are; but where a
 * quota on Jobs is used up, a kept one gives way for each build that waits, oldest first.
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
  /** Builds that a quota keeps waiting, by namespace, since the last look. */
  #wanted = new Map<string, Set<string>>();

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

  /** The build of this number finds no room in its namespace's quota of Jobs; to be told again as long as it waits. */
  giveWay(namespace: string, number: string): void {
    const numbers = this.#wanted.get(namespace) ?? new Set();
    this.#wanted.set(namespace, numbers.add(number));
    this.#loop.wake();
  }

  async #round(signal: AbortSignal): Promise<number> {
    if (!this.#options.isHolder()) {
      this.#wanted.clear();
      return LOOK_MS;
    }
    try {
      await this.#look(signal);
    } catch (error) {
      this.#options.logger.warn({ err: coerceError(error) }, "could not delete all finished Jobs that are too many");
    }
    await this.#rest.wait(LEAST_MS, signal);
    return LOOK_MS - LEAST_MS;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    const done = (await this.#findDone(wanted.size > 0)).sort((a, b) => a.endMs - b.endMs);
    const left = this.#inTheWay(done, wanted);
    const tooMany = new Set([...left, ...this.#aboveLimit(done)]);
    if (tooMany.size === 0) return;
    this.#options.logger.info(
      { jobs: done.length, maxKept: this.#options.maxKept, deleted: tooMany.size, forQuota: left.length },
      "deletes the oldest finished Jobs",
    );
    await this.#deleteAll(
      [...tooMany].map(({ job }) => job),
      signal,
    );
  }

  /** Those that give way to builds that wait: as many of each namespace as builds. */
  #inTheWay(done: readonly Done[], wanted: ReadonlyMap<string, ReadonlySet<string>>): Done[] {
    const untilMs = this.#options.cluster.now().getTime() - JUST_ENDED_MS;
    const old = done.filter(({ endMs }) => endMs <= untilMs);
    return [...wanted].flatMap(([namespace, { size }]) => old.filter(({ job }) => job.metadata.namespace === namespace).slice(0, size));
  }

  #aboveLimit(done: readonly Done[]): Done[] {
    const { maxKept, cluster } = this.#options;
    const untilMs = cluster.now().getTime() - YOUNG_MS;
    return done.slice(0, Math.max(0, done.length - maxKept)).filter(({ endMs }) => endMs <= untilMs);
  }

  /** Finished Jobs that are not being deleted, and when they ended; none while even all Jobs are not too many, unless `isWanted`. */
  async #findDone(isWanted: boolean): Promise<Done[]> {
    const jobs = [...this.#options.cluster.cachedJobs()];
    if (!isWanted && jobs.length <= this.#options.maxKept) return [];
    const done: Done[] = [];
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
