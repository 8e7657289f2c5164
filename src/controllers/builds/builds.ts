import { isLead, isMadeAfter, isOfOneRequest, isRecorded, type JobRecord, readJobRecord } from "../../core/job/record.ts";
import { isAnswer } from "../../core/job/relaunch.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { renderResult } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import { Build } from "../build-life/build.ts";
import type { BuildContext, BuildPlan, BuildPolicy } from "../build-life/build-context.ts";
import { Rush } from "../build-life/rush.ts";
import type { BuildCluster, BuildObserver, ReplicaRoles, Servers, Tasks } from "../ports.ts";
import { Admission, type AdmissionSettings } from "./admission.ts";
import { BuildIndex } from "./build-index.ts";
import { BuildReports } from "./build-reports.ts";
import { EndedLately } from "./ended-lately.ts";
import { Stops } from "./stops.ts";
import type { LastBuild, Tallies } from "./tallies.ts";

export interface BuildsOptions {
  cluster: BuildCluster;
  tasks: Tasks;
  servers: Servers;
  replicas: ReplicaRoles;
  keptJobs: BuildContext["keptJobs"];
  stored: BuildContext["stored"];
  tallies: Tallies;
  observer: BuildObserver;
  settings: AdmissionSettings & BuildPolicy;
  clock: Clock;
  logger: Logger;
}

/** All builds under way: starts and stops them, and hands requests, stops and changes of Jobs and pods to the build they concern. */
export class Builds implements Service {
  readonly #options: BuildsOptions;
  readonly #context: BuildContext;
  readonly #index = new BuildIndex<Build>();
  readonly #admission: Admission;
  readonly #stops: Stops;
  readonly #endedLately: EndedLately;
  /** What is told of them, and of those that are over or another replica's. */
  readonly reports: BuildReports;
  /** Jobs of its number that came while it was not known whether one of them is its own. */
  readonly #passedOver = new WeakMap<Build, Set<string>>();
  readonly #runs = new Set<Promise<void>>();
  readonly #answers = new Set<Promise<unknown>>();
  readonly #emptied = new Set<() => void>();
  readonly #stopping = new AbortController();
  #isStarted = false;

  constructor(options: BuildsOptions) {
    this.#options = options;
    const { cluster, tasks, servers, replicas, keptJobs, stored, tallies, observer, settings, clock, logger } = options;
    const counts = { tallies, observer, rush: new Rush(clock) };
    this.#context = {
      cluster,
      servers,
      tasks,
      replicas,
      keptJobs,
      stored,
      counts,
      delivered: new Set(),
      unclaimed: new Set(),
      policy: settings,
      clock,
      logger,
    };
    this.#endedLately = new EndedLately(clock);
    this.reports = new BuildReports({
      cluster,
      live: () => this.#index.values().map((build) => build.report()),
      liveOf: (number) => this.#index.ofNumber(number)?.report(),
    });
    this.#stops = new Stops({ cluster, find: (number) => this.#index.ofNumber(number), clock, logger });
    this.#admission = new Admission({
      ...{ settings, tasks, context: this.#context, index: this.#index, endedLately: this.#endedLately },
      begin: (plan) => this.#begin(plan),
      adopt: (job, record) => this.#adopt(job, record),
    });
  }

  /** Goes on with the builds whose Jobs are there, if this replica is the holder; call it once the caches are filled. */
  async start(): Promise<void> {
    this.#isStarted = true;
    this.noteReplicas();
  }

  /** Who is the holder, or which replicas live, has changed: the holder goes on with the builds that no other answers for. */
  noteReplicas(): void {
    for (const build of this.#index.values()) build.wake();
    if (!this.#options.replicas.isHolder) return;
    for (const job of this.#options.cluster.cachedJobs()) this.#adoptUnknown(job.metadata.namespace ?? "", job.metadata.name);
  }

  /** Resolves once the builds that have begun by now have their Jobs, or are not to have any. */
  async created(): Promise<void> {
    const begun = this.#index.values().filter((build) => build.hasBegun);
    await Promise.all(begun.map((build) => build.created));
  }

  /** Resolves once no build is carried out here and all answers were read, or `signal` aborts. */
  async emptied(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (this.#runs.size === 0 && this.#answers.size === 0) resolve();
    };
    this.#emptied.add(look);
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    look();
    await promise;
    this.#emptied.delete(look);
  }

  /** Leaves the Jobs to whoever comes next. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled([...this.#runs, ...this.#answers]);
  }

  /** Takes a request. Says at once who has it and under which number, before anything that may be slow. */
  assign(assignment: Assignment): void {
    try {
      this.#track(this.#answers, this.#admission.admit(assignment));
    } catch (error) {
      // Nothing that a request holds may go without an answer.
      const { logger } = this.#options;
      logger.error({ err: coerceError(error), function: assignment.functionName }, "fails a request after an unexpected error");
      assignment.slot.release();
      this.#track(this.#answers, assignment.fail());
    }
  }

  /** A `stop:` request; whatever it holds, it needs no further answer. */
  requestStop(payload: Uint8Array): void {
    this.#track(this.#answers, this.#stops.request(payload, this.#stopping.signal));
  }

  /**
   * Whether a build that is under way waits for its request from this server, under a function for which `serves` holds: it is to be asked for
   * though there is no slot, since the build has one.
   */
  isAwaited(server: string, serves: (functionName: string) => boolean): boolean {
    return this.#context.unclaimed.values().some((build) => build.mayBeAskedFor(server, serves));
  }

  /** A Gearman server has come or gone. */
  noteServers(): void {
    for (const build of this.#index.values()) build.noteServer();
  }

  /** Something about a Job of ours, or about a pod of it, has changed. */
  wake(namespace: string, jobName: string): void {
    const build = this.#index.ofJob(namespace, jobName);
    if (build) build.wake();
    else this.#adoptUnknown(namespace, jobName);
  }

  /** Of how many a request is answered here. */
  get claimed(): number {
    return this.#count((build) => build.isClaimed);
  }

  /** How many were judged and their answer was not read yet. */
  get undelivered(): number {
    return this.#count((build) => build.awaitsDelivery);
  }

  #count(counts: (build: Build) => boolean): number {
    return this.#index
      .values()
      .filter(counts)
      .reduce((count) => count + 1, 0);
  }

  /** Goes on with a build that another replica has begun, if it has not ended. */
  #adoptUnknown(namespace: string, jobName: string): void {
    const { cluster, replicas } = this.#options;
    const job = cluster.cachedJob(namespace, jobName);
    if (!job || !this.#isStarted || this.#stopping.signal.aborted) return;
    if (isRecorded(job)) return;
    const record = readJobRecord(job);
    if (!record) return;
    const here = this.#index.ofJob(namespace, jobName);
    if (here) {
      here.wake();
      return;
    }
    const { number } = record.request;
    const known = this.#index.ofNumber(number);
    if (!isLead(record)) {
      // Its lead speaks for it, and the build knows it by that.
      if (known) this.#index.addJob(known, jobName);
      known?.wake();
      return;
    }
    if (known) {
      this.#meet(known, job, record);
      return;
    }
    if (this.#endedLately.has(job.metadata.uid)) return;
    if (replicas.isHolder) this.#adopt(job, record);
    const told = this.#stops.noteJob(job, record, this.#stopping.signal);
    if (told !== undefined) this.#track(this.#answers, told);
  }

  /**
   * A Job that is not known, of a number whose build is. It may be that build's own, under another name than it was to have. Else one of both
   * was made for a later request, once the other one's answer was delivered; that this was not written down is an operator's sudden end.
   */
  #meet(known: Build, job: Job, record: JobRecord): void {
    const { made } = known;
    if (!made) this.#passedOver.set(known, (this.#passedOver.get(known) ?? new Set()).add(job.metadata.name));
    const before = made && made.metadata.name !== job.metadata.name ? readJobRecord(made) : undefined;
    if (!made || !before || !this.#options.replicas.isHolder || this.#endedLately.has(job.metadata.uid)) {
      known.wake();
      return;
    }
    const isOneRequest = isOfOneRequest(before, record);
    const isLater = isMadeAfter(job, made);
    if (isOneRequest && isLater) known.noteAnswered();
    this.#adopt(job, record, isOneRequest && !isLater);
  }

  #adopt(job: Job, record: JobRecord, isAnswered = false): Build {
    this.#options.logger.info({ build: record.request.number, job: record.jobName }, "goes on with a build that was under way");
    return this.#begin(this.#admission.planFound(job, record, isAnswered));
  }

  #begin(plan: BuildPlan): Build {
    const { taskKey, record, origin } = plan;
    const build = new Build(plan, this.#context);
    this.#context.counts.rush.noteStep();
    const answers = origin.kind === "request" || !origin.isAnswered;
    this.#index.add(build, answers ? { ...record.request, functionName: record.functionName } : undefined, record.relaunchKey);
    if (origin.kind === "request" && this.#stops.takeForRequest(build.number)) build.requestStop();
    this.#track(this.#runs, this.#carryOut(build, taskKey));
    return build;
  }

  async #carryOut(build: Build, taskKey: string): Promise<void> {
    const run = build.run(this.#stopping.signal);
    await build.created;
    this.#index.addJob(build);
    const outcome = await run;
    this.#index.delete(build);
    const { verdict, jobUid } = build;
    if (jobUid !== undefined && outcome === "ended") this.#endedLately.note(jobUid, verdict !== undefined && isAnswer(verdict));
    if (outcome === "ended" && build.isDelivered) this.#stops.noteEnd(build.number);
    if (verdict?.class === "configuration") this.#options.tasks.noteRefusal(taskKey, `cannot make a build: ${verdict.message}`);
    if (build.hasBegun) this.#options.tallies.noteEnd(taskKey, this.#lastBuild(build));
    // It may have come back to this replica while it was left.
    if (outcome === "left") this.#adoptUnknown(build.namespace, build.jobName);
    for (const jobName of this.#passedOver.get(build) ?? []) this.#adoptUnknown(build.namespace, jobName);
  }

  #lastBuild({ number, verdict }: Build): LastBuild | undefined {
    if (!verdict) return undefined;
    const { settings, clock } = this.#options;
    const result = renderResult(verdict, settings.resultStyle);
    const finishedAt = clock
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    return { number, result, url: settings.buildUrl(number), finishedAt };
  }

  /** Keeps a promise until it is settled, so that `stop` can wait for it. */
  #track<T>(set: Set<Promise<T>>, promise: Promise<T>): void {
    set.add(promise);
    const forget = () => {
      set.delete(promise);
      for (const look of [...this.#emptied]) look();
    };
    promise.then(forget, forget);
  }
}
