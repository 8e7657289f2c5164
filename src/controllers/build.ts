import { type BuildLimits, decideBuild, mustEndPod } from "../core/build-decision.ts";
import { type BuildState, hasEnded, hasStarted, hasTestBegun, isJobOver, observeBuild, suspendedAfterStart } from "../core/build-state.ts";
import type { RequestRecord } from "../core/job-manifest.ts";
import { isSameBuild, readJobRecord } from "../core/job-record.ts";
import type { Job } from "../core/kubernetes-objects.ts";
import { CANCELLED_ANNOTATION, DELIVERED_ANNOTATION, REQUEST_ANNOTATION, VERDICT_ANNOTATION } from "../core/names.ts";
import {
  configuration,
  type EndRequest,
  endedBeforeStart,
  infrastructure,
  type ResultStyle,
  renderResult,
  type Verdict,
} from "../core/verdict.ts";
import { renderFinalWorkData, STEPS, stepsDone, type WorkData } from "../core/work-data.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import { coerceError, TurboHipsterError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { earliest, Wakeup } from "../runtime/wakeup.ts";
import { BuildClaim } from "./build-claim.ts";
import { type BuildObserver, PhaseTimer } from "./build-observer.ts";
import type { Assignment, BuildCluster, Slot } from "./ports.ts";
import { WaitingWatch } from "./waiting-watch.ts";

/** How long a Job that was created may be missing from the watch's cache before the API server is asked. */
const CACHE_LAG_MS = 30_000;
/** Tries at a call that the API server refuses for good before the build is given back to Zuul. */
const MAX_REFUSED_TRIES = 8;
/** Names to try when a Job of another build holds the wanted one. */
const MAX_NAMES = 5;

export interface BuildOptions {
  /** Its TestTask, `namespace/name`. */
  taskKey: string;
  observer: BuildObserver;
  /** The rendered Job; its name is the build's number. */
  job: Job;
  limits: BuildLimits;
  /** The first WORK_DATA; every later one is built on it. */
  workData: WorkData;
  nodeLabels: string[];
  cluster: BuildCluster;
  isServerUp(server: string): boolean;
  clock: Clock;
  logger: Logger;
  resultStyle: ResultStyle;
  keepJobSeconds: number;
  /** True when the Job is there already, from before this process. */
  isAdopted: boolean;
  /** Its place among the builds at once, where it has one before any request. */
  slot: Slot | undefined;
  /** A kubelet has taken its pod, or it ended without one: it waits for room no longer. Called once. */
  onPlaced(): void;
  /** It has its verdict; its place among the builds at once is given back after this. */
  onJudged(verdict: Verdict): void;
}

export interface BuildReport {
  number: string;
  namespace: string;
  jobName: string;
  step: string;
  pod: string | undefined;
  requested: "stop" | "unclaimed" | undefined;
  verdict: Verdict | undefined;
}

/**
 * One build, from the request to the delivered answer: create, follow, judge, deliver, record. It holds no state that it could not read
 * again from the Job, besides whose request it answers. `core` decides; this performs.
 */
export class Build {
  readonly #options: BuildOptions;
  readonly #wakeup: Wakeup;
  readonly #phases: PhaseTimer;
  readonly #claim: BuildClaim;
  readonly #waiting: WaitingWatch;
  #logger: Logger;
  #jobName: string;
  #createdJob: Job | undefined;
  /** True when a create failed without saying whether it took effect. */
  #mayExist = false;
  #wasCached = false;
  #slot: Slot | undefined;
  #requested: "stop" | "unclaimed" | undefined;
  /** What the Job does not say yet. */
  #unwritten: Record<string, string> = {};
  #state: BuildState = { kind: "absent" };
  #stateSince: Date;
  #hasTestBegun = false;
  #ending: EndRequest | undefined;
  #step = 0;
  #isPlaced = false;
  #verdict: Verdict | undefined;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#slot = options.slot;
    this.#wakeup = new Wakeup(options.clock);
    this.#phases = new PhaseTimer(options);
    this.#jobName = options.job.metadata.name;
    this.#logger = this.#makeLogger();
    this.#stateSince = options.clock.now();
    const { clock, cluster } = options;
    const logger = () => this.#logger;
    const server = readJobRecord(options.job)?.server ?? "";
    this.#claim = new BuildClaim({ server, isServerUp: options.isServerUp, clock, logger, onChange: () => this.wake() });
    this.#waiting = new WaitingWatch({ clock, logger, readEvents: (uid) => cluster.readEvents(this.namespace, uid) });
    if (options.isAdopted) {
      this.#createdJob = options.job;
      if (readJobRecord(options.job)?.isCancelled) this.#requested = "stop";
    }
  }

  get number(): string {
    return this.#options.workData.number;
  }

  get namespace(): string {
    return this.#options.job.metadata.namespace ?? "";
  }

  get jobName(): string {
    return this.#jobName;
  }

  get jobUid(): string | undefined {
    return this.#createdJob?.metadata.uid;
  }

  report(): BuildReport {
    const { number, namespace } = this;
    return {
      number,
      namespace,
      jobName: this.#jobName,
      step: STEPS[this.#step] ?? "ended",
      pod: this.#pod()?.name,
      requested: this.#requested,
      verdict: this.#verdict,
    };
  }

  /** Takes over a request for this build; an earlier one, if any, is given back to its server. Says at once where the build stands. */
  attach(assignment: Assignment): void {
    if (this.#slot) assignment.slot.release();
    else this.#slot = assignment.slot;
    if (this.#requested === "unclaimed" && !this.#verdict && !this.#pod()?.isEnding) this.#requested = undefined;
    this.#claim.take(assignment, JSON.stringify(this.#options.workData), this.#step);
  }

  /** Zuul's `stop:`. The build ends ABORTED unless its test has ended already. */
  requestStop(): void {
    if (this.#requested === "stop" || this.#verdict) return;
    this.#requested = "stop";
    this.#unwritten = { ...this.#unwritten, [CANCELLED_ANNOTATION]: this.#options.clock.now().toISOString() };
    this.#logger.info({}, "stops the build as Zuul asked");
    this.wake();
  }

  /** True while a relaunch by Zuul of the same build can be answered by this one: it neither ended in vain nor is it to end. */
  get isAdoptable(): boolean {
    if (this.#requested === "stop" || this.#pod()?.isEnding) return false;
    return this.#verdict === undefined || (this.#verdict.result !== null && this.#verdict.class !== "cancelled");
  }

  /** Answers Zuul's relaunch of this build: a request with another identity, which the Job then says is its own. */
  attachRelaunch(assignment: Assignment, request: RequestRecord): void {
    this.#unwritten = { ...this.#unwritten, [REQUEST_ANNOTATION]: JSON.stringify(request) };
    this.attach(assignment);
  }

  /** True from the verdict until a Gearman server has read the answer. */
  get awaitsDelivery(): boolean {
    return this.#phases.phase === "answer";
  }

  /** A Gearman server has come or gone. */
  noteServer(): void {
    this.#claim.noteServer();
  }

  /** Something about its Job or pod has changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Carries the build to its end; resolves when nothing is left to do for it, or soon after `stopping` aborts. Never rejects. */
  async run(stopping: AbortSignal): Promise<void> {
    try {
      const verdict = (await this.#create(stopping)) ?? (await this.#follow(stopping));
      if (!verdict || stopping.aborted) return;
      this.#conclude(verdict);
      do {
        const delivered = await this.#deliver(verdict, stopping);
        if (stopping.aborted) return;
        this.#options.observer.noteAnswer(delivered);
        await this.#record(verdict, delivered, stopping);
        // A server that took the build away just before the answer may have handed it out again meanwhile.
      } while (this.#claim.isClaimed && !stopping.aborted);
    } catch (error) {
      // A defect of ours: the request must still be answered.
      this.#logger.error({ err: coerceError(error) }, "fails the build after an unexpected error");
      this.#conclude(infrastructure("operator-error", coerceError(error).message));
      await this.#claim.fail();
    } finally {
      this.#slot?.release();
    }
  }

  /** Creates the Job, or adopts the one that is there. Returns a verdict when there can be none. */
  async #create(stopping: AbortSignal): Promise<Verdict | undefined> {
    const { cluster, job, isAdopted } = this.#options;
    if (isAdopted) return undefined;
    let refusals = 0;
    let otherBuilds = 0;
    for (let attempt = 0; !stopping.aborted; attempt++) {
      this.#checkClaim();
      if (this.#requested) return endedBeforeStart(this.#requested);
      try {
        const wanted: Job = { ...job, metadata: { ...job.metadata, name: this.#jobName } };
        const creation = await cluster.createJob(wanted);
        if (creation.kind === "created") {
          this.#createdJob = creation.job;
          return undefined;
        }
        if (creation.kind === "refused") return configuration("job-refused", creation.message);
        const existing = await cluster.getJob(this.namespace, this.#jobName);
        if (existing && isSameBuild(existing, wanted)) {
          this.#logger.info({}, "adopts the Job that is already there");
          this.#createdJob = existing;
          this.#stateSince = new Date(existing.metadata.creationTimestamp ?? this.#stateSince);
          return undefined;
        }
        if (!existing) continue;
        otherBuilds += 1;
        if (otherBuilds >= MAX_NAMES) return infrastructure("name-taken", "Jobs of other builds hold its names");
        this.#jobName = `${this.number}-r${otherBuilds}`;
        this.#logger = this.#makeLogger();
      } catch (error) {
        this.#mayExist = true;
        if (!isRetryable(error)) refusals += 1;
        if (refusals >= MAX_REFUSED_TRIES)
          return infrastructure("job-not-created", `the Job could not be created - ${coerceError(error).message}`);
        this.#logger.warn({ err: coerceError(error), attempt }, "retries to create the Job");
        await this.#wakeup.wait(backoffMs(attempt, 250, 15_000), stopping);
      }
    }
    return undefined;
  }

  /** Observes, decides and acts until there is a verdict; undefined when `stopping` came first. */
  async #follow(stopping: AbortSignal): Promise<Verdict | undefined> {
    const { cluster, clock, limits } = this.#options;
    for (let failures = 0; !stopping.aborted; ) {
      try {
        await this.#observe();
        const recorded = this.#recordedVerdict();
        if (recorded) return hasStarted(this.#state) ? recorded : await this.#discard(recorded, stopping);
        const unclaimedInMs = this.#checkClaim();
        const uids = { job: this.jobUid, pod: this.#pod()?.uid };
        const nextEventsMs = await this.#waiting.observe(this.#state, this.#stateSince, uids);
        const facts = {
          state: this.#state,
          requested: this.#requested,
          since: this.#stateSince,
          trouble: this.#waiting.trouble,
          ending: this.#ending,
          limits,
        };
        const action = decideBuild(facts, clock.now());
        if (action.kind === "finish") return action.deleteJob ? await this.#discard(action.verdict, stopping) : action.verdict;
        if (action.kind === "end-pod") {
          this.#ending = action.end;
          await cluster.endPod(this.namespace, action.pod);
          this.#logger.info({ pod: action.pod, why: action.end }, "ends the pod");
        }
        await this.#writeAnnotations();
        if (!this.#wasCached && (await this.#isJobGone())) return infrastructure("job-gone", "the Job was deleted");
        failures = 0;
        if (action.kind === "wait")
          await this.#wakeup.wait(
            earliest(action.recheckInMs, unclaimedInMs, nextEventsMs, this.#wasCached ? undefined : CACHE_LAG_MS),
            stopping,
          );
        // The patched pod comes back as an event; look again even if it does not.
        else await this.#wakeup.wait(CACHE_LAG_MS, stopping);
      } catch (error) {
        this.#logger.warn({ err: coerceError(error) }, "retries what the API server did not do");
        await this.#wakeup.wait(backoffMs(failures++, 250, 15_000), stopping);
      }
    }
    return undefined;
  }

  /**
   * Ends a build whose pod has not started, so that no deadline reaches it and there is no log to keep: writes the verdict down, should
   * this process end in between, and deletes the Job. Answers even if it has no right to.
   */
  async #discard(verdict: Verdict, stopping: AbortSignal): Promise<Verdict | undefined> {
    const { cluster } = this.#options;
    for (let attempt = 0, refusals = 0; !stopping.aborted; attempt++) {
      try {
        await cluster.annotateJob(this.namespace, this.#jobName, { [VERDICT_ANNOTATION]: JSON.stringify(verdict) });
        await cluster.deleteJob(this.namespace, this.#jobName);
        return verdict;
      } catch (error) {
        if (!isRetryable(error)) refusals += 1;
        if (refusals >= MAX_REFUSED_TRIES) {
          this.#logger.error({ err: coerceError(error) }, "leaves a Job behind, the API server refuses to delete it");
          return verdict;
        }
        this.#logger.warn({ err: coerceError(error), attempt }, "retries to delete the Job");
        await this.#wakeup.wait(backoffMs(attempt, 250, 15_000), stopping);
      }
    }
    return undefined;
  }

  async #observe(): Promise<void> {
    const { cluster, clock, isAdopted } = this.#options;
    const cached = cluster.cachedJob(this.namespace, this.#jobName);
    if (cached) this.#wasCached = true;
    const job = cached ?? (this.#wasCached ? undefined : this.#createdJob);
    const killOf = cluster.killOf.bind(cluster);
    let observed = observeBuild(job, cluster.cachedPods(this.namespace, this.#jobName), killOf);
    // The two watches do not run in step: the end of a Job may be known before that of its pod, which tells what it means.
    const isBehind = job && (isJobOver(job) ? !hasEnded(observed) : observed.kind === "lost" && !observed.pod);
    if (isBehind) observed = observeBuild(job, await cluster.readPods(this.namespace, this.#jobName), killOf);
    const state = this.#withMemory(observed);
    if (hasTestBegun(state)) this.#hasTestBegun = true;
    if (state.kind !== this.#state.kind) {
      const wasThere = isAdopted && this.#state.kind === "absent" && state.kind === "running" && state.startedAt;
      this.#stateSince = wasThere ? new Date(Math.min(Date.parse(wasThere), clock.now().getTime())) : clock.now();
      this.#logger.info({ state: state.kind, pod: "pod" in state ? state.pod?.name : undefined }, "build reached a new state");
    }
    this.#state = state;
    if ("pod" in state && (state.pod?.isStarted ?? true)) this.#place();
    const step = stepsDone(state);
    if (step > this.#step) {
      this.#step = step;
      this.#phases.reach(step);
      this.#claim.sendStatus(step);
    }
  }

  /** What the objects do not tell any more. */
  #withMemory(observed: BuildState): BuildState {
    const gone = { isDeleted: true, isSuspended: false };
    if (observed.kind === "absent") return { kind: "lost", pod: this.#pod(), job: gone, reason: "the Job was deleted" };
    return observed.kind === "suspended" && this.#hasTestBegun ? suspendedAfterStart(this.#pod()) : observed;
  }

  /** The verdict that an earlier process wrote down, where the pod that told it may be gone by now. */
  #recordedVerdict(): Verdict | undefined {
    const job = this.#options.cluster.cachedJob(this.namespace, this.#jobName) ?? this.#createdJob;
    return job ? readJobRecord(job)?.verdict : undefined;
  }

  /** Ends a build that nobody claims; returns how long that may still take. */
  #checkClaim(): number | undefined {
    const { leftMs } = this.#claim;
    if (leftMs === undefined || this.#requested) return undefined;
    if (leftMs > 0) return leftMs;
    this.#logger.info({}, "gives up the build, nobody asks for it any more");
    this.#requested = "unclaimed";
    return undefined;
  }

  async #writeAnnotations(): Promise<void> {
    const annotations = this.#unwritten;
    if (Object.keys(annotations).length === 0) return;
    await this.#options.cluster.annotateJob(this.namespace, this.#jobName, annotations);
    if (this.#unwritten === annotations) this.#unwritten = {};
  }

  /** Asks the API server for a Job that the watch has not shown in time: it may have come and gone between two looks. */
  async #isJobGone(): Promise<boolean> {
    const { clock, cluster } = this.#options;
    if (clock.now().getTime() - this.#stateSince.getTime() < CACHE_LAG_MS) return false;
    return (await cluster.getJob(this.namespace, this.#jobName)) === undefined;
  }

  #place(): void {
    if (this.#isPlaced) return;
    this.#isPlaced = true;
    this.#options.onPlaced();
  }

  #conclude(verdict: Verdict): void {
    this.#place();
    this.#verdict = verdict;
    this.#phases.conclude();
    this.#options.observer.noteVerdict(this.#options.taskKey, verdict.class);
    this.#step = STEPS.length;
    this.#options.onJudged(verdict);
    // The pod has ended or is ending: what it took is free for the next build.
    this.#slot?.release();
    this.#slot = undefined;
    const { result, class: verdictClass, rule, message: text } = verdict;
    this.#logger.info({ result, class: verdictClass, rule, text, pod: this.#pod()?.name }, "judged the build");
  }

  /** Sends the answer to whoever asks for it, again after a lost link; false when nobody did in time. */
  async #deliver(verdict: Verdict, stopping: AbortSignal): Promise<boolean> {
    const { workData, nodeLabels, resultStyle } = this.#options;
    const result = renderResult(verdict, resultStyle);
    const json = JSON.stringify(renderFinalWorkData(workData, { result, node: this.#pod()?.node, nodeLabels }));
    while (!stopping.aborted) {
      if (await this.#claim.answer(json, result === null)) {
        this.#phases.delivered();
        return true;
      }
      const { leftMs } = this.#claim;
      if (leftMs === undefined) continue;
      if (leftMs <= 0) return false;
      await this.#wakeup.wait(leftMs, stopping);
    }
    return false;
  }

  /** The one patch after delivery: the verdict and when the Job may go. Also ends containers that outlive the judged one. */
  async #record(verdict: Verdict, isDelivered: boolean, stopping: AbortSignal): Promise<void> {
    const { cluster, clock, keepJobSeconds } = this.#options;
    if (!this.#createdJob && !this.#mayExist) return;
    const annotations = {
      ...this.#unwritten,
      [VERDICT_ANNOTATION]: JSON.stringify(verdict),
      ...(isDelivered ? { [DELIVERED_ANNOTATION]: clock.now().toISOString() } : {}),
    };
    const pod = this.#pod();
    for (let attempt = 0; !stopping.aborted; attempt++) {
      try {
        if (!this.#createdJob) await this.#deleteUnseenJob();
        else await cluster.annotateJob(this.namespace, this.#jobName, annotations, keepJobSeconds);
        if (pod && mustEndPod(this.#state)) await cluster.endPod(this.namespace, pod.name);
        this.#logger.info({ delivered: isDelivered, pod: pod?.name }, "recorded the build");
        return;
      } catch (error) {
        if (!isRetryable(error) && attempt >= MAX_REFUSED_TRIES) {
          this.#logger.error({ err: coerceError(error) }, "leaves the build unrecorded, the API server refuses it");
          return;
        }
        this.#logger.warn({ err: coerceError(error), attempt }, "retries to record the build");
        await this.#wakeup.wait(backoffMs(attempt, 500, 30_000), stopping);
      }
    }
  }

  /** Deletes the Job of a create that seemed to fail, after the build was answered without it. */
  async #deleteUnseenJob(): Promise<void> {
    const { cluster, job } = this.#options;
    const existing = await cluster.getJob(this.namespace, this.#jobName);
    const wanted: Job = { ...job, metadata: { ...job.metadata, name: this.#jobName } };
    if (existing && isSameBuild(existing, wanted)) await cluster.deleteJob(this.namespace, this.#jobName);
  }

  #makeLogger(): Logger {
    const { logger, taskKey } = this.#options;
    return logger.child({ build: this.number, namespace: this.namespace, task: taskKey, job: this.#jobName });
  }

  #pod() {
    return "pod" in this.#state ? this.#state.pod : undefined;
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof TurboHipsterError && error.retryable;
}
