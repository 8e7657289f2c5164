import type { GroupAnswer } from "../../core/job/member.ts";
import type { RequestRecord } from "../../core/job/record.ts";
import { type JobRecord, readJobRecord, readRequestRecord } from "../../core/job/record.ts";
import {
  ANSWER_ANNOTATION,
  CANCELLED_ANNOTATION,
  DELIVERED_ANNOTATION,
  REQUEST_ANNOTATION,
  VERDICT_ANNOTATION,
} from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { BuildCluster } from "../ports.ts";

/** A link that comes and goes for days makes a request of each time; the watch is behind by a few at most. */
const MAX_FORMER = 50;
/** Tries at a write while the Job's request changes under it. */
const MAX_TRIES = 3;

export interface BuildRecordOptions {
  cluster: BuildCluster;
  /** This one's name. */
  replica: string;
  /** As rendered, or as found. */
  job: Job;
  /** What the Job says of the build. */
  record: JobRecord;
}

/**
 * What a build's Job says of the build, and what of that is still to be written: whose request it answers, that Zuul cancelled it, its
 * verdict. Several replicas may write to one Job; each write holds only while the Job still answers the request that this replica knows
 * of, so that one that has been replaced, a process that slept for instance, changes nothing.
 */
export class BuildRecord {
  readonly #options: BuildRecordOptions;
  #jobName: string;
  /** Of its Job, once there is one. */
  #uid: string | undefined;
  /** The request as the Job has it, as far as is known. */
  #text: string | undefined;
  /** The same, read; undefined for what is none. */
  #stored: RequestRecord | undefined;
  /** What was read last: builds look again and again, and the cache has another object when the Job has changed. */
  #seen: Job | undefined;
  /** Those that ours has taken the place of: the watch may show them for a while yet. */
  readonly #former = new Set<string>();
  /** Ours, where the Job does not say it yet. */
  #wanted: RequestRecord | undefined;
  #cancelledAt: string | undefined;
  #job: JobRecord;

  constructor(options: BuildRecordOptions) {
    this.#options = options;
    const { name, uid } = options.job.metadata;
    this.#jobName = name;
    this.#uid = uid;
    this.#text = options.job.metadata.annotations?.[REQUEST_ANNOTATION];
    this.#stored = options.record.request;
    this.#job = options.record;
  }

  /** The one that was made or found; its name may be another than was wanted. */
  setJob({ metadata: { name, uid } }: Job): void {
    this.#jobName = name;
    this.#uid = uid;
  }

  /** Whose request the Job answers, or is about to: a replica's name; undefined for nobody's. */
  get replica(): string | undefined {
    return this.#request?.replica ?? undefined;
  }

  /** The request that it answers, or answered last; undefined where that was spoilt. */
  get request(): RequestRecord | undefined {
    return this.#request;
  }

  get isCancelled(): boolean {
    return this.#cancelledAt !== undefined || this.#job.isCancelled;
  }

  get isDelivered(): boolean {
    return this.#job.isDelivered;
  }

  /** Of a build over several datasets: what came out of it, once that was written down. */
  get answer(): GroupAnswer | undefined {
    return this.#job.answer;
  }

  /** What was written down by whoever judged it first, when the pod that told it may be gone by now. */
  get verdict(): Verdict | undefined {
    return this.#job.verdict;
  }

  get #request(): RequestRecord | undefined {
    return this.#wanted ?? this.#stored;
  }

  /** The Job answers this request from now on. */
  claim(request: RequestRecord): void {
    const present = this.#request;
    const isWritten = (["server", "unique", "handle", "replica"] as const).every((field) => present?.[field] === request[field]);
    if (!isWritten) this.#wanted = request;
  }

  /** The Job was there already, made for the same request; `isClaimed`: which this replica still has to answer. */
  found(job: Job, isClaimed: boolean): void {
    const ours = this.#request;
    this.#wanted = undefined;
    this.#setText(job.metadata.annotations?.[REQUEST_ANNOTATION]);
    this.#job = readJobRecord(job) ?? this.#job;
    if (ours && isClaimed) this.claim(ours);
  }

  /** This replica answers for the build no more; the holder may. */
  release(): void {
    const present = this.#request;
    if (present?.replica === this.#options.replica) this.#wanted = { ...present, replica: null };
  }

  cancel(at: Date): void {
    this.#cancelledAt = at.toISOString();
  }

  /** Reads the Job, as the watch shows it or fresh. Returns false when it answers the request of another replica, that came after ours. */
  observe(job: Job): boolean {
    if (job === this.#seen) return true;
    this.#seen = job;
    this.#job = readJobRecord(job) ?? this.#job;
    const text = job.metadata.annotations?.[REQUEST_ANNOTATION];
    if (text === this.#text || (text !== undefined && this.#former.has(text))) return true;
    const { replica } = this.#options;
    const [before, wanted] = [this.#stored, this.#wanted];
    this.#replaceText(text);
    const now = this.#stored;
    if (!now) {
      // Someone has spoilt it: no replica could read any more whose build it is.
      this.#wanted ??= before;
      return true;
    }
    if (now.replica === replica) return true;
    // Ours was not written yet: what came in between may be older, from a replica that is gone.
    if (wanted?.replica === replica && (now.replica === null || now.since <= wanted.since)) return true;
    // Whoever only gives a build up, or mends what was spoilt, is never right against one that answers it.
    this.#wanted = undefined;
    return wanted?.replica !== replica && before?.replica !== replica;
  }

  /** Writes what the Job does not say yet. Returns false when another replica's request has come in between; may throw. */
  async write(): Promise<boolean> {
    if (this.#cancelledAt !== undefined && !this.#job.isCancelled) {
      await this.#annotate({ [CANCELLED_ANNOTATION]: this.#cancelledAt });
      this.#cancelledAt = undefined;
      this.#job = { ...this.#job, isCancelled: true };
    }
    for (let attempt = 0; attempt < MAX_TRIES && this.#wanted; attempt++) {
      const wanted = this.#wanted;
      const text = JSON.stringify(wanted);
      if (await this.#annotate({ [REQUEST_ANNOTATION]: text }, this.#text)) {
        this.#replaceText(text);
        if (this.#wanted === wanted) this.#wanted = undefined;
        return true;
      }
      const now = await this.#reread();
      if (now !== "ours") return now === "gone";
    }
    return true;
  }

  /**
   * Writes the verdict of a Job that is over, and with it what came out of all datasets where it speaks for several. Returns false when the Job
   * answers another replica's request by now.
   */
  async conclude(verdict: Verdict, deliveredAt: Date | undefined, keepJobSeconds?: number, answer?: GroupAnswer): Promise<boolean> {
    const annotations = {
      ...(this.#cancelledAt === undefined ? {} : { [CANCELLED_ANNOTATION]: this.#cancelledAt }),
      [VERDICT_ANNOTATION]: JSON.stringify(verdict),
      ...(answer === undefined ? {} : { [ANSWER_ANNOTATION]: JSON.stringify(answer) }),
      ...(deliveredAt === undefined ? {} : { [DELIVERED_ANNOTATION]: deliveredAt.toISOString() }),
    };
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const wanted = this.#wanted;
      const request = wanted === undefined ? {} : { [REQUEST_ANNOTATION]: JSON.stringify(wanted) };
      if (await this.#annotate({ ...annotations, ...request }, this.#text, keepJobSeconds)) return true;
      const now = await this.#reread();
      if (now !== "ours") return now === "gone";
    }
    return false;
  }

  #replaceText(text: string | undefined): void {
    const [before, stored] = [this.#text, this.#stored];
    this.#setText(text);
    // What was spoilt in between replaces nothing: what stood before may stand again.
    if (before === undefined || !stored || !this.#stored) return;
    this.#former.add(before);
    const [oldest = ""] = this.#former;
    if (this.#former.size > MAX_FORMER) this.#former.delete(oldest);
  }

  #setText(text: string | undefined): void {
    this.#text = text;
    this.#stored = readRequestRecord(text);
  }

  #annotate(annotations: Record<string, string>, request?: string, ttlSecondsAfterFinished?: number): Promise<boolean> {
    const { cluster, job } = this.#options;
    const options = { uid: this.#uid, request, ttlSecondsAfterFinished };
    return cluster.annotateJob(job.metadata.namespace ?? "", this.#jobName, annotations, options);
  }

  /** Whose the Job is by now. One that was made anew under its name is another build's, whatever that one asks for. */
  async #reread(): Promise<"ours" | "another's" | "gone"> {
    const { cluster, job } = this.#options;
    const fresh = await cluster.getJob(job.metadata.namespace ?? "", this.#jobName);
    if (fresh === undefined || (this.#uid !== undefined && fresh.metadata.uid !== this.#uid)) return "gone";
    return this.observe(fresh) ? "ours" : "another's";
  }
}
