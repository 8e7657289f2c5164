import { isBuildNumber } from "../../core/job/name.ts";
import { answerOf, findJob, isRecorded, type JobRecord } from "../../core/job/record.ts";
import { CANCELLED_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { parseStopRequest } from "../../core/zuul/stop-request.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retry } from "../../runtime/retry.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster } from "../ports.ts";
import { EarlyStops } from "./early-stops.ts";

/** Jobs that are remembered as told; the watch shows soon what was written on them. */
const MAX_TOLD = 1000;

export interface StopsOptions {
  cluster: Pick<BuildCluster, "now" | "cachedJobs" | "annotateJob">;
  /** The build with this number, if it is carried out or watched here. */
  find(number: string): { requestStop(): void } | undefined;
  clock: Clock;
  logger: Logger;
}

/**
 * Zuul's `stop:` requests: for a build of this replica, for one that another carries out and is told of it through its Job, and for one that
 * is not known yet. Whoever reaches the Gearman server may send any number of them, with any number: each Job costs one write, and what is
 * remembered is bounded.
 */
export class Stops {
  readonly #options: StopsOptions;
  readonly #early: EarlyStops;
  /** Jobs, by uid, that were told or are being told; oldest first. */
  readonly #told = new Set<string>();

  constructor(options: StopsOptions) {
    this.#options = options;
    this.#early = new EarlyStops(options.clock, () => options.cluster.now());
  }

  /**
   * Takes a request; whatever it holds, it needs no further answer. Resolves when whom it concerns has been told, and never rejects; what is
   * a defect of ours is thrown at once.
   */
  request(payload: Uint8Array, stopping: AbortSignal): Promise<void> {
    const { cluster, find, logger } = this.#options;
    const number = parseStopRequest(payload);
    if (number === undefined) {
      logger.warn({}, "ignores a stop request that names no build");
      return Promise.resolve();
    }
    const build = find(number);
    if (build) {
      build.requestStop();
      return Promise.resolve();
    }
    const found = findJob(cluster.cachedJobs(), number);
    if (found) return this.#passOn(found.job, found.record, stopping);
    if (!isBuildNumber(number)) logger.warn({ build: number }, "ignores a stop request for what is no build's number");
    else if (this.#early.add(number)) logger.info({ build: number }, "remembers a stop for a build that is not known yet");
    return Promise.resolve();
  }

  /** Whether the build of a request that was taken just now was stopped before; asks once. */
  takeForRequest(number: string): boolean {
    return this.#early.takeForRequest(number);
  }

  /** Tells whoever carries the build of this Job out, where Zuul stopped it before the Job was known; `find` is asked first. Never rejects. */
  noteJob(job: Job, record: JobRecord, stopping: AbortSignal): Promise<void> | undefined {
    const { number, since } = record.request;
    if (!this.#early.takeForJob(number, since)) return undefined;
    const build = this.#options.find(number);
    if (!build) return this.#passOn(job, record, stopping);
    build.requestStop();
    return undefined;
  }

  /** The build of this number is over: a stop that comes late is nobody else's. */
  noteEnd(number: string): void {
    this.#early.noteEnd(number);
  }

  /** Tells whoever carries the build out, through its Job, that Zuul stopped it; once, and not where that changes nothing. Never rejects. */
  async #passOn(job: Job, record: JobRecord, stopping: AbortSignal): Promise<void> {
    const { isCancelled, request } = record;
    const { cluster, clock } = this.#options;
    const { namespace = "", name, uid } = job.metadata;
    const key = uid ?? name;
    if (isCancelled || answerOf(record) || isRecorded(job) || this.#told.has(key)) return;
    this.#told.add(key);
    const [oldest = ""] = this.#told;
    if (this.#told.size > MAX_TOLD) this.#told.delete(oldest);
    const logger = this.#options.logger.child({ build: request.number, job: name });
    const passed = await retry(
      () => cluster.annotateJob(namespace, name, { [CANCELLED_ANNOTATION]: clock.now().toISOString() }, { uid }),
      { what: "pass a stop on", firstMs: 250, maxMs: 15_000, wakeup: new Wakeup(clock), clock, logger },
      stopping,
    );
    if (passed.kind === "done" && passed.value) logger.info({}, "passes a stop on to the replica that carries the build out");
    if (passed.kind !== "given-up") return;
    this.#told.delete(key);
    logger.error({ err: passed.error }, "gives up passing a stop on: the build goes on");
  }
}
