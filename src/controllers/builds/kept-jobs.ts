import { setImmediate } from "node:timers/promises";
import { isLead, isRecorded, readJobRecord } from "../../core/job/record.ts";
import { MANAGED_BY, MANAGED_BY_LABEL } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { endCondition, isJobOver } from "../../core/observation/build-state.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError, isRetryable } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import { Wakeup } from "../../runtime/wakeup.ts";

/** Time between looks by themselves, and the least between any two: looking at thousands of Jobs at each change of one would cost more. */
const LOOK_MS = 60_000;
const LEAST_MS = 5_000;
/** Jobs that are looked at in one go, at some 20 us each. */
const JOBS_AT_ONCE = 200;
/** Deletions at once, and refusals that end a round. */
const MAX_DELETIONS = 8;
/** A Job is not deleted again before this, whatever came of it, and after a round in which something failed nothing is. */
const AGAIN_MS = 30_000;
/** What ended just now may be asked for again: by Zuul's relaunch, by a server that lost its answer. */
const YOUNG_MS = 10 * 60_000;
/** The same, where a Job that is kept would keep others from being made: who asks again asks at once. */
const JUST_ENDED_MS = 30_000;

/** A finished Job, when it ended, and when it was to be deleted before. */
interface Done {
  job: Job;
  endMs: number;
  triedAtMs: number;
}

interface Attempt {
  /** Of the monotonic clock. */
  atMs: number;
  /** The API server has agreed, which need not mean that the Job goes: a finalizer may keep it. */
  isAccepted: boolean;
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
 * quota on Jobs is used up, a kept one gives way for each build that waits, oldest first, and none more within half a minute where that
 * one does not go. What is refused or stays is tried again each half minute, after all others, and told of once.
 */
export class KeptJobs implements Service {
  readonly #options: KeptJobsOptions;
  readonly #loop: Loop;
  /** Between two looks, whatever happens. */
  readonly #rest: Wakeup;
  /** By the cache's object, which is another when the Job has changed; undefined for one that is not done. */
  readonly #ends = new WeakMap<Job, { endMs: number | undefined }>();
  /** By uid, of Jobs that are still in the cache. */
  #attempts = new Map<string, Attempt>();
  /** What is known to be wrong, and was told. */
  readonly #told = new Set<"refused" | "stays">();
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
    const failure = await this.#look(signal).catch(coerceError);
    this.#tell("refused", failure && { err: failure }, "could not delete all finished Jobs that are too many");
    const restMs = failure ? AGAIN_MS : LEAST_MS;
    await this.#rest.wait(restMs, signal);
    return LOOK_MS - restMs;
  }

  /** Once, until there is nothing to tell any more. */
  #tell(what: "refused" | "stays", fields: object | undefined, message: string): void {
    if (fields && !this.#told.has(what)) this.#options.logger.warn(fields, message);
    if (fields) this.#told.add(what);
    else this.#told.delete(what);
  }

  /** Returns the first failure, if there is one. */
  async #look(signal: AbortSignal): Promise<Error | undefined> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    const { done, going } = await this.#findDone(wanted.size > 0);
    done.sort((a, b) => a.triedAtMs - b.triedAtMs || a.endMs - b.endMs);
    const left = this.#inTheWay(done, wanted, going);
    const tooMany = new Set([...left, ...this.#aboveLimit(done)]);
    if (tooMany.size === 0) return undefined;
    this.#options.logger.info(
      { jobs: done.length, maxKept: this.#options.maxKept, deleted: tooMany.size, forQuota: left.length },
      "deletes the oldest finished Jobs",
    );
    return this.#deleteAll(
      [...tooMany].map(({ job }) => job),
      signal,
    );
  }

  /** Those that give way to builds that wait: as many of each namespace as builds, less those that are going already. */
  #inTheWay(done: readonly Done[], wanted: ReadonlyMap<string, ReadonlySet<string>>, going: readonly string[]): Done[] {
    const untilMs = this.#options.cluster.now().getTime() - JUST_ENDED_MS;
    const old = done.filter(({ endMs }) => endMs <= untilMs);
    return [...wanted].flatMap(([namespace, { size }]) => {
      const count = size - going.filter((each) => each === namespace).length;
      return old.filter(({ job }) => job.metadata.namespace === namespace).slice(0, Math.max(0, count));
    });
  }

  #aboveLimit(done: readonly Done[]): Done[] {
    const { maxKept, cluster } = this.#options;
    const untilMs = cluster.now().getTime() - YOUNG_MS;
    return done.slice(0, Math.max(0, done.length - maxKept)).filter(({ endMs }) => endMs <= untilMs);
  }

  /**
   * Finished Jobs that may be deleted, and the namespaces of those that are going, one by one; none while even all Jobs are not too many,
   * unless `isWanted`.
   */
  async #findDone(isWanted: boolean): Promise<{ done: Done[]; going: string[] }> {
    const jobs = [...this.#options.cluster.cachedJobs()];
    const [done, going, stay]: [Done[], string[], string[]] = [[], [], []];
    if (!isWanted && jobs.length <= this.#options.maxKept) return { done, going };
    const nowMs = this.#options.clock.monotonicMs();
    const attempts = new Map<string, Attempt>();
    for (const [index, job] of jobs.entries()) {
      const { uid = "", namespace = "", name } = job.metadata;
      const attempt = this.#attempts.get(uid);
      if (attempt) attempts.set(uid, attempt);
      const isRecent = attempt && nowMs - attempt.atMs < AGAIN_MS;
      const endMs = isRecent ? undefined : this.#endOf(job);
      if (isRecent && attempt.isAccepted) going.push(namespace);
      if (!isRecent && attempt?.isAccepted) stay.push(`${namespace}/${name}`);
      if (endMs !== undefined) done.push({ job, endMs, triedAtMs: attempt?.atMs ?? Number.NEGATIVE_INFINITY });
      // Thousands of Jobs must not hold up the links.
      if (index % JOBS_AT_ONCE === JOBS_AT_ONCE - 1) await setImmediate();
    }
    this.#attempts = attempts;
    const fields = stay.length > 0 ? { job: stay[0], jobs: stay.length } : undefined;
    this.#tell("stays", fields, "Jobs that were deleted half a minute ago are still there: look at their finalizers");
    return { done, going };
  }

  #endOf(job: Job): number | undefined {
    let known = this.#ends.get(job);
    if (!known) {
      known = { endMs: isDone(job) ? endOf(job) : undefined };
      this.#ends.set(job, known);
    }
    return known.endMs;
  }

  /**
   * In this order, some at once. After some refusals, or one failure that says nothing of the Job, no more are begun. Returns the first
   * failure; never rejects.
   */
  async #deleteAll(jobs: readonly Job[], signal: AbortSignal): Promise<Error | undefined> {
    const { cluster, isHolder, clock } = this.#options;
    const left = jobs.values();
    const failures: Error[] = [];
    const mayGoOn = () => failures.length < MAX_DELETIONS && !failures.some(isRetryable) && !signal.aborted && isHolder();
    const work = async () => {
      for (const { metadata } of left) {
        if (!mayGoOn()) return;
        const attempt: Attempt = { atMs: clock.monotonicMs(), isAccepted: true };
        try {
          await cluster.deleteJob(metadata.namespace ?? "", metadata.name, metadata.uid);
        } catch (error) {
          attempt.isAccepted = false;
          failures.push(coerceError(error));
        }
        if (metadata.uid !== undefined) this.#attempts.set(metadata.uid, attempt);
      }
    };
    await Promise.all(Array.from({ length: MAX_DELETIONS }, work));
    return signal.aborted ? undefined : failures[0];
  }
}

/** Ours, over, and its build is recorded, with a verdict that can be read: any other is left for people to look at. */
function isDone(job: Job): boolean {
  const { labels = {}, deletionTimestamp } = job.metadata;
  const isOver = labels[MANAGED_BY_LABEL] === MANAGED_BY && deletionTimestamp === undefined && isJobOver(job);
  if (!isOver || !isRecorded(job)) return false;
  const record = readJobRecord(job);
  // Of several datasets the other Jobs belong to the lead, and go with it.
  return record?.verdict !== undefined && isLead(record);
}

function endOf(job: Job): number | undefined {
  const endMs = Date.parse(endCondition(job)?.lastTransitionTime ?? job.metadata.creationTimestamp ?? "");
  return Number.isNaN(endMs) ? undefined : endMs;
}
