import { setImmediate } from "node:timers/promises";
import { isRecorded, readJobRecord } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { recordedPod } from "../../core/logs/recorded-containers.ts";
import { readStoredRecord } from "../../core/logs/stored-record.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import { coerceError } from "../../runtime/errors.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import { BuildRecording, type RecordingContext } from "./build-recording.ts";
import { SpoolSweep } from "./spool-sweep.ts";

/** Time between looks at all builds by themselves; each change is looked at when it comes. */
const LOOK_MS = 60_000;
/** Looked at without a pause. */
const JOBS_AT_ONCE = 200;
/** Builds that are stored at once, and builds that were over already when this replica found them that are read at once. */
const STORING_AT_ONCE = 8;
const LATE_AT_ONCE = 4;

export interface RecorderOptions extends Omit<RecordingContext, "storing"> {
  /** Which replica records a build is told by whose request its Job answers. */
  replicas: { readonly name: string; readonly isHolder: boolean; isAlive(replica: string): boolean };
}

interface Running {
  recording: BuildRecording;
  leaving: AbortController;
  done: Promise<void>;
}

/**
 * Records builds: the replica that answers for a build follows its logs and stores them, and where that one is gone the holder does, from
 * where it was. It looks at Jobs and pods by itself, so that whatever becomes of it changes nothing of a build.
 */
export class Recorder implements Service {
  readonly #options: RecorderOptions;
  readonly #context: RecordingContext;
  readonly #loop: Loop;
  readonly #sweep: SpoolSweep;
  readonly #late = makeConcurrencyLimit(LATE_AT_ONCE);
  readonly #stopping = new AbortController();
  /** By uid of their Jobs. */
  readonly #running = new Map<string, Running>();
  /** What was recorded here, as long as the watch does not show it. */
  readonly #done = new Set<string>();
  #isStarted = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    const { spools, clock } = options;
    this.#context = { ...options, storing: makeConcurrencyLimit(STORING_AT_ONCE) };
    this.#sweep = new SpoolSweep({ ...{ spools, clock }, isNeeded: (uid) => this.#running.has(uid) });
    this.#loop = new Loop(clock, () => this.#lookAtAll().catch((thrown) => this.#fail(thrown)));
  }

  /** Once the caches are filled. */
  async start(): Promise<void> {
    this.#isStarted = true;
    await this.#loop.start();
  }

  /** What is not stored yet is left to whoever comes next. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  /** Who is the holder, or which replicas live, has changed. */
  noteReplicas(): void {
    this.#loop.wake();
  }

  /** A Job, or a pod of it, has changed. Never throws. */
  wake(namespace: string, jobName: string): void {
    if (!this.#isStarted || this.#stopping.signal.aborted) return;
    try {
      const job = this.#options.cluster.cachedJob(namespace, jobName);
      if (job) this.#consider(job);
      else for (const { recording } of this.#running.values()) if (recording.isOf(namespace, jobName)) recording.wake();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** As far as it is recorded here. */
  of(uid: string | undefined): BuildRecording | undefined {
    return uid === undefined ? undefined : this.#running.get(uid)?.recording;
  }

  /** For how long the build waits for the store that has waited longest; 0 where none does. */
  longestUnstoredMs(): number {
    let longestMs = 0;
    for (const { recording } of this.#running.values()) longestMs = Math.max(longestMs, recording.unstoredMs);
    return longestMs;
  }

  async #lookAtAll(): Promise<number> {
    const jobs = new Map<string, Job>();
    let count = 0;
    for (const job of [...this.#options.cluster.cachedJobs()]) {
      jobs.set(job.metadata.uid ?? "", job);
      count += 1;
      if (count % JOBS_AT_ONCE === 0) await setImmediate();
    }
    await this.#sweep.round((uid) => jobs.get(uid), this.#options.replicas.isHolder);
    for (const job of jobs.values()) {
      if (this.#stopping.signal.aborted) break;
      this.#consider(job);
      count += 1;
      if (count % JOBS_AT_ONCE === 0) await setImmediate();
    }
    for (const uid of this.#done) if (!jobs.has(uid)) this.#done.delete(uid);
    return LOOK_MS;
  }

  #consider(job: Job): void {
    const { uid = "", deletionTimestamp } = job.metadata;
    const running = this.#running.get(uid);
    const isOurs = this.#isOurs(job);
    if (running) {
      if (isOurs) running.recording.wake();
      else running.leaving.abort();
      return;
    }
    if (!isOurs || deletionTimestamp !== undefined || this.#done.has(uid) || readStoredRecord(job)) return;
    const { cluster } = this.#options;
    const pod = recordedPod(job, cluster.cachedPods(job.metadata.namespace ?? "", job.metadata.name));
    if (pod || (isRecorded(job) && (this.#sweep.isLeft(uid) || isMember(job)))) this.#begin(uid, job);
  }

  #isOurs(job: Job): boolean {
    const { replicas, cluster } = this.#options;
    const record = readJobRecord(job);
    // Of several datasets the lead says who answers for the build.
    const lead = record?.member?.lead && cluster.cachedJob(record.namespace, record.member.lead.jobName);
    const replica = ((lead && readJobRecord(lead)) ?? record)?.request.replica;
    if (replica === replicas.name) return true;
    return replica !== undefined && replicas.isHolder && (replica === null || !replicas.isAlive(replica));
  }

  #begin(uid: string, job: Job): void {
    const recording = new BuildRecording(job, this.#context);
    const leaving = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, leaving.signal]);
    const run = () => recording.run(signal);
    const done = (isRecorded(job) ? this.#late.run(run) : run())
      .then(
        (isDone) => {
          if (isDone) this.#done.add(uid);
        },
        (thrown) => {
          // Not again at each change: whatever it is, it would come again.
          this.#done.add(uid);
          this.#fail(thrown);
        },
      )
      .finally(() => {
        this.#running.delete(uid);
        // It may be this replica's again by now.
        this.wake(job.metadata.namespace ?? "", job.metadata.name);
      });
    this.#running.set(uid, { recording, leaving, done });
  }

  /** A defect of ours. */
  #fail(thrown: unknown): number {
    this.#options.logger.error({ err: coerceError(thrown) }, "could not record a build after an unexpected error");
    return LOOK_MS;
  }
}

/** Of several datasets: whatever became of it, others' pages lead to its own, and a lead's is that of all. */
function isMember(job: Job): boolean {
  return readJobRecord(job)?.member !== undefined;
}
