import { findJob } from "../../core/job/record.ts";
import { CANCELLED_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { parseStopRequest } from "../../core/zuul/stop-request.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retry } from "../../runtime/retry.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster } from "../ports.ts";

/**
 * A stop for a build not known yet is remembered this long, and at most so many of them: the Job of a build that is under way appears when the
 * API server takes it, which may be long after Zuul has stopped the build.
 */
const EARLY_MS = 24 * 60 * 60_000;
const MAX_EARLY = 1000;

export interface StopsOptions {
  cluster: Pick<BuildCluster, "cachedJobs" | "annotateJob">;
  /** The build with this number, if it is carried out or watched here. */
  find(number: string): { requestStop(): void } | undefined;
  clock: Clock;
  logger: Logger;
}

/**
 * Zuul's `stop:` requests: for a build of this replica, for one that another carries out and is told of it through its Job, and for one that
 * is not known yet.
 */
export class Stops {
  readonly #options: StopsOptions;
  /** When stops came that were before their builds, by number; oldest first. */
  readonly #early = new Map<string, number>();

  constructor(options: StopsOptions) {
    this.#options = options;
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
    if (found) return this.passOn(found.job, number, stopping);
    logger.info({ build: number }, "remembers a stop for a build that is not known yet");
    this.#remember(number);
    return Promise.resolve();
  }

  /** Whether this build was to be stopped before it was known; asks once. */
  takeEarly(number: string): boolean {
    const atMs = this.#early.get(number);
    if (atMs === undefined) return false;
    this.#early.delete(number);
    return this.#options.clock.monotonicMs() - atMs <= EARLY_MS;
  }

  /** Tells whoever carries the build out, through its Job, that Zuul stopped it. Never rejects. */
  async passOn({ metadata: { namespace = "", name, uid } }: Job, number: string, stopping: AbortSignal): Promise<void> {
    const { cluster, clock } = this.#options;
    const logger = this.#options.logger.child({ build: number, job: name });
    const passed = await retry(
      () => cluster.annotateJob(namespace, name, { [CANCELLED_ANNOTATION]: clock.now().toISOString() }, uid === undefined ? {} : { uid }),
      { what: "pass a stop on", firstMs: 250, maxMs: 15_000, wakeup: new Wakeup(clock), clock, logger },
      stopping,
    );
    if (passed.kind === "done" && passed.value) logger.info({}, "passes a stop on to the replica that carries the build out");
    if (passed.kind === "given-up") logger.error({ err: passed.error }, "gives up passing a stop on: the build goes on");
  }

  #remember(number: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [old, atMs] of this.#early) {
      if (nowMs - atMs > EARLY_MS || this.#early.size >= MAX_EARLY) this.#early.delete(old);
    }
    this.#early.set(number, nowMs);
  }
}
