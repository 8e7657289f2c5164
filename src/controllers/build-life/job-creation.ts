import { jobName, lastAttempt, type NameSearch, nextAttempt } from "../../core/job/name.ts";
import { isSameBuild } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { refusalCause } from "../../core/kubernetes/refusal-cause.ts";
import { configuration, infrastructure, type Verdict } from "../../core/verdict/verdict.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retry } from "../../runtime/retry.ts";
import type { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster } from "../ports.ts";

export type CreationOutcome =
  | { kind: "created" | "found"; job: Job }
  /** There can be none. */
  | { kind: "impossible"; verdict: Verdict }
  /** The build was given up, and there is none. */
  | { kind: "given-up" }
  | { kind: "stopped" };

export interface JobCreationOptions {
  cluster: BuildCluster;
  /** As wanted; its name is tried first. */
  job: Job;
  /** Whether the answer of this Job's build was delivered, though the Job may not say so yet. */
  isDelivered(job: Job): boolean;
  logger: Logger;
  wakeup: Wakeup;
  clock: Clock;
  /** How long a full quota may keep it from being made; undefined: as long as it takes. */
  scheduleMs: number | undefined;
  /** A quota on the Jobs of its namespace is used up; told at each try. */
  onQuotaFull(): void;
  /** Told once, in the quota's words. */
  onWaiting(why: string): void;
}

/** Pauses between two tries while a quota is used up: the first, and the longest. */
const FULL_MS = { first: 1000, longest: 15_000 };

/**
 * Creates the Job of one build, once: over answers that were lost, names that others hold, a quota that is used up, and an API server that
 * is away.
 */
export class JobCreation {
  readonly #options: JobCreationOptions;
  #name: string;
  /** Once another build holds the wanted name. */
  #search: NameSearch | undefined;
  #mayExist = false;
  /** Tries that a full quota refused, one after another, and when the first was. */
  #full: { tries: number; sinceMs: number } | undefined;

  constructor(options: JobCreationOptions) {
    this.#options = options;
    this.#name = options.job.metadata.name;
  }

  /** True when a create failed without saying whether it took effect. */
  get mayExist(): boolean {
    return this.#mayExist;
  }

  /** `mayGoOn` is asked before each try: undefined to go on, a verdict to end it, false to give it up. */
  async run(mayGoOn: () => Verdict | undefined | false, stopping: AbortSignal): Promise<CreationOutcome> {
    const { logger, wakeup, clock } = this.#options;
    const made = await retry(
      () => this.#tryNames(mayGoOn, stopping),
      { what: "create the Job", firstMs: 250, maxMs: 15_000, wakeup, clock, logger },
      stopping,
    );
    switch (made.kind) {
      case "done":
        return made.value;
      case "given-up":
        return { kind: "impossible", verdict: infrastructure("job-not-created", `the Job could not be created - ${made.error.message}`) };
      case "stopped":
        return { kind: "stopped" };
    }
  }

  /** Deletes the Job of a create that seemed to fail, after the build was answered without it. */
  async deleteUnseen(): Promise<void> {
    const found = await this.#find();
    if (found) await this.#options.cluster.deleteJob(found.metadata.namespace ?? "", found.metadata.name, found.metadata.uid);
  }

  /** Until one of the names is the Job's, or there is none left to try. */
  async #tryNames(mayGoOn: () => Verdict | undefined | false, stopping: AbortSignal): Promise<CreationOutcome> {
    try {
      while (!stopping.aborted) {
        const word = mayGoOn();
        if (word) return { kind: "impossible", verdict: word };
        const outcome = word === false ? await this.#giveUp() : await this.#try(stopping);
        if (outcome) return outcome;
      }
      return { kind: "stopped" };
    } catch (error) {
      this.#mayExist = true;
      throw error;
    }
  }

  /** One try at the name that is next, or one look at what holds it. */
  async #try(stopping: AbortSignal): Promise<CreationOutcome | undefined> {
    const { cluster, job } = this.#options;
    const next = this.#search ? nextAttempt(this.#search, lastAttempt(job.metadata.name)) : { kind: "take" as const, attempt: 0 };
    if (!next) return { kind: "impossible", verdict: infrastructure("name-taken", "Jobs of other builds hold its names") };
    this.#name = jobName(job.metadata.name, next.attempt);
    if (next.kind === "take") {
      const creation = await cluster.createJob(this.#wanted);
      if (creation.kind === "created") return creation;
      if (creation.kind === "refused")
        return { kind: "impossible", verdict: configuration("job-refused", creation.message, refusalCause(creation.message)) };
      if (creation.kind === "full") return this.#waitForQuota(creation.message, stopping);
      this.#full = undefined;
    }
    const existing = await cluster.getJob(this.#namespace, this.#name);
    if (existing && this.#isOurs(existing)) {
      this.#options.logger.info({ job: this.#name }, "adopts the Job that is already there");
      return { kind: "found", job: existing };
    }
    if (existing) this.#search = { taken: next.attempt, free: next.kind === "look" ? this.#search?.free : undefined };
    else if (this.#search && next.kind === "look") this.#search = { ...this.#search, free: next.attempt };
    return undefined;
  }

  /** As a pod that a full quota keeps away waits for room like one that waits for a node, so does a Job. */
  async #waitForQuota(message: string, stopping: AbortSignal): Promise<CreationOutcome | undefined> {
    const { clock, wakeup, logger, scheduleMs = Number.POSITIVE_INFINITY, onQuotaFull, onWaiting } = this.#options;
    this.#full ??= { tries: 0, sinceMs: clock.monotonicMs() };
    if (this.#full.tries === 0) {
      logger.info({ rule: "quota-full", text: message }, "build waits for what may not come");
      onWaiting(message);
    }
    const leftMs = this.#full.sinceMs + scheduleMs - clock.monotonicMs();
    if (leftMs <= 0) return { kind: "impossible", verdict: infrastructure("schedule-timeout", `no room for its Job in time - ${message}`) };
    onQuotaFull();
    await wakeup.wait(Math.min(leftMs, backoffMs(this.#full.tries++, FULL_MS.first, FULL_MS.longest)), stopping);
    return undefined;
  }

  /** One that was created all the same has to be looked after. */
  async #giveUp(): Promise<CreationOutcome> {
    const found = this.#mayExist ? await this.#find() : undefined;
    return found ? { kind: "found", job: found } : { kind: "given-up" };
  }

  async #find(): Promise<Job | undefined> {
    const existing = await this.#options.cluster.getJob(this.#namespace, this.#name);
    return existing && this.#isOurs(existing) ? existing : undefined;
  }

  #isOurs(existing: Job): boolean {
    return isSameBuild(existing, this.#wanted) && !this.#options.isDelivered(existing);
  }

  get #namespace(): string {
    return this.#options.job.metadata.namespace ?? "";
  }

  get #wanted(): Job {
    const { job } = this.#options;
    return { ...job, metadata: { ...job.metadata, name: this.#name } };
  }
}
