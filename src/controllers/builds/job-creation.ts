import { isSameBuild } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { configuration, infrastructure, type Verdict } from "../../core/verdict/verdict.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { coerceError, TurboHipsterError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster } from "../ports.ts";

/** Tries at a call that the API server refuses for good before it is given up. */
export const MAX_REFUSED_TRIES = 8;
/** Names to try when a Job of another build holds the wanted one. */
const MAX_NAMES = 5;

export type CreationOutcome =
  | { kind: "created" | "found"; job: Job }
  /** There can be none. */
  | { kind: "impossible"; verdict: Verdict }
  /** `mayGoOn` said no, and there is none. */
  | { kind: "given-up" }
  | { kind: "stopped" };

export interface JobCreationOptions {
  cluster: BuildCluster;
  /** As wanted; its name is tried first. */
  job: Job;
  logger: Logger;
  wakeup: Wakeup;
  /** Asked before each try: undefined to go on, a verdict to end it, false to give it up. */
  mayGoOn(): Verdict | undefined | false;
}

/** Creates the Job of one build, once: over answers that were lost, names that others hold, and an API server that is away. */
export class JobCreation {
  readonly #options: JobCreationOptions;
  #name: string;
  #otherBuilds = 0;
  #refusals = 0;
  #mayExist = false;

  constructor(options: JobCreationOptions) {
    this.#options = options;
    this.#name = options.job.metadata.name;
  }

  /** True when a create failed without saying whether it took effect. */
  get mayExist(): boolean {
    return this.#mayExist;
  }

  async run(stopping: AbortSignal): Promise<CreationOutcome> {
    const { logger, wakeup, mayGoOn } = this.#options;
    for (let attempt = 0; !stopping.aborted; attempt++) {
      try {
        const word = mayGoOn();
        if (word) return { kind: "impossible", verdict: word };
        const outcome = word === false ? await this.#giveUp() : await this.#try();
        if (outcome) return outcome;
      } catch (error) {
        this.#mayExist = true;
        if (!isRetryable(error)) this.#refusals += 1;
        if (this.#refusals >= MAX_REFUSED_TRIES) {
          const why = `the Job could not be created - ${coerceError(error).message}`;
          return { kind: "impossible", verdict: infrastructure("job-not-created", why) };
        }
        logger.warn({ err: coerceError(error), attempt, job: this.#name }, "retries to create the Job");
        await wakeup.wait(backoffMs(attempt, 250, 15_000), stopping);
      }
    }
    return { kind: "stopped" };
  }

  /** Deletes the Job of a create that seemed to fail, after the build was answered without it. */
  async deleteUnseen(): Promise<void> {
    const found = await this.#find();
    if (found) await this.#options.cluster.deleteJob(found.metadata.namespace ?? "", found.metadata.name);
  }

  async #try(): Promise<CreationOutcome | undefined> {
    const { cluster, logger } = this.#options;
    const creation = await cluster.createJob(this.#wanted);
    if (creation.kind === "created") return creation;
    if (creation.kind === "refused") return { kind: "impossible", verdict: configuration("job-refused", creation.message) };
    const existing = await cluster.getJob(this.#namespace, this.#name);
    if (!existing) return undefined;
    if (isSameBuild(existing, this.#wanted)) {
      logger.info({ job: this.#name }, "adopts the Job that is already there");
      return { kind: "found", job: existing };
    }
    this.#otherBuilds += 1;
    if (this.#otherBuilds >= MAX_NAMES) {
      return { kind: "impossible", verdict: infrastructure("name-taken", "Jobs of other builds hold its names") };
    }
    this.#name = `${this.#options.job.metadata.name}-r${this.#otherBuilds}`;
    return undefined;
  }

  /** One that was created all the same has to be looked after. */
  async #giveUp(): Promise<CreationOutcome> {
    const found = this.#mayExist ? await this.#find() : undefined;
    return found ? { kind: "found", job: found } : { kind: "given-up" };
  }

  async #find(): Promise<Job | undefined> {
    const existing = await this.#options.cluster.getJob(this.#namespace, this.#name);
    return existing && isSameBuild(existing, this.#wanted) ? existing : undefined;
  }

  get #namespace(): string {
    return this.#options.job.metadata.namespace ?? "";
  }

  get #wanted(): Job {
    const { job } = this.#options;
    return { ...job, metadata: { ...job.metadata, name: this.#name } };
  }
}

export function isRetryable(error: unknown): boolean {
  return error instanceof TurboHipsterError && error.retryable;
}
