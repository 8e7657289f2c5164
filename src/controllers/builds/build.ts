import type { RequestRecord } from "../../core/job/record.ts";
import { readJobRecord } from "../../core/job/record.ts";
import { isAnswer } from "../../core/job/relaunch.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { BuildLimits } from "../../core/observation/build-limits.ts";
import {
  type BuildState,
  hasEnded,
  hasStarted,
  hasTestBegun,
  isJobOver,
  observeBuild,
  suspendedAfterStart,
} from "../../core/observation/build-state.ts";
import { STEPS, stepsDone } from "../../core/observation/steps.ts";
import { decideBuild, mustEndPod } from "../../core/verdict/build-decision.ts";
import type { EndRequest } from "../../core/verdict/sighting.ts";
import { endedBeforeStart, infrastructure, type ResultStyle, renderResult, type Verdict } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import { renderFinalWorkData, type WorkData } from "../../core/zuul/work-data.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Slot } from "../../runtime/slot.ts";
import { earliest, Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster, ReplicaRoles } from "../ports.ts";
import { BuildClaim } from "./build-claim.ts";
import { type BuildObserver, PhaseTimer } from "./build-observer.ts";
import { BuildRecord } from "./build-record.ts";
import { isRetryable, JobCreation, MAX_REFUSED_TRIES } from "./job-creation.ts";
import type { Rush } from "./rush.ts";
import { WaitingWatch } from "./waiting-watch.ts";

/** How long a Job that was created may be missing from the watch's cache before the API server is asked. */
const CACHE_LAG_MS = 30_000;
/** How often a build that nobody claims is looked at: there may be room for its request by now, or no more. */
const CLAIM_LOOK_MS = 10_000;
/** How long a build that has been answered stays unrecorded for the sake of others. */
const MAX_GIVE_WAY_MS = 30_000;
/** How often a build that another replica carries out is looked at when nothing of it changes. */
const LOOK_MS = 30_000;

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
  /** Whether a request for it may be waiting at its Gearman server, because there is no room to take one. */
  mayBeAskedLater(server: string): boolean;
  /** This one's name. */
  replica: string;
  replicas: ReplicaRoles;
  rush: Rush;
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
 * again from the Job, besides whose request it answers. `core` decides; this performs. A build that another replica carries out is only
 * watched by the holder, until that replica gives it up or is gone; any other replica forgets it.
 */
export class Build {
  readonly #options: BuildOptions;
  readonly #wakeup: Wakeup;
  readonly #phases: PhaseTimer;
  readonly #claim: BuildClaim;
  readonly #waiting: WaitingWatch;
  readonly #record: BuildRecord;
  readonly #creation: JobCreation;
  readonly #created = Promise.withResolvers<void>();
  #logger: Logger;
  #jobName: string;
  #createdJob: Job | undefined;
  #wasOurs = true;
  #wasCached = false;
  #slot: Slot | undefined;
  #requested: "stop" | "unclaimed" | undefined;
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
    const { isServerUp, mayBeAskedLater } = options;
    this.#claim = new BuildClaim({ server, isServerUp, mayBeAskedLater, clock, logger, onChange: () => this.wake() });
    this.#waiting = new WaitingWatch({
      ...{ clock, logger },
      readEvents: (uid) => cluster.readEvents(this.namespace, uid),
      onRead: () => this.wake(),
    });
    this.#record = new BuildRecord(options);
    this.#creation = new JobCreation({
      ...{ cluster, job: options.job, logger: this.#logger, wakeup: this.#wakeup },
      mayGoOn: () => this.#mayCreate(),
    });
    if (options.isAdopted) {
      this.#createdJob = options.job;
      if (this.#record.isCancelled) this.#requested = "stop";
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

  /** Resolves once its Job is there, or there is to be none. */
  get created(): Promise<void> {
    return this.#created.promise;
  }

  /** When its Job was made (RFC 3339), or, without one yet, after all that are there. */
  get createdAt(): string {
    return this.#createdJob?.metadata.creationTimestamp ?? "9999";
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

  /**
   * Takes over a request for this build, with the identity that the Job then says is its own: the same one again, from the server, or
   * Zuul's relaunch. An earlier one, if any, is given back to its server. Says at once where the build stands.
   */
  attach(assignment: Assignment, request: RequestRecord): void {
    this.#record.claim(request);
    if (this.#slot) assignment.slot.release();
    else this.#slot = assignment.slot;
    if (this.#requested === "unclaimed" && !this.#verdict && !this.#pod()?.isEnding) this.#requested = undefined;
    this.#claim.take(assignment, JSON.stringify(this.#options.workData), this.#step);
  }

  /** Zuul's `stop:`. The build ends ABORTED unless its test has ended already. */
  requestStop(): void {
    if (this.#requested === "stop" || this.#verdict) return;
    this.#requested = "stop";
    this.#record.cancel(this.#options.clock.now());
    this.#logger.info({}, "stops the build as Zuul asked");
    this.wake();
  }

  /** True while a relaunch by Zuul of the same build can be answered by this one: it neither ended in vain nor is it to end. */
  get isAdoptable(): boolean {
    // One that was adopted a moment ago may have ended while nobody looked.
    const state = this.#isOurs && this.#state.kind !== "absent" ? this.#state : this.#glance();
    if (this.#requested === "stop" || ("pod" in state && state.pod?.isEnding)) return false;
    const verdict = this.#verdict ?? this.#record.verdict ?? this.#foresee(state);
    return verdict === undefined || isAnswer(verdict);
  }

  /** What becomes of a build by what is seen of it, though whoever carries it out may not have written that yet. */
  #foresee(state: BuildState): Verdict | undefined {
    const { limits, clock, cluster } = this.#options;
    if (state.kind === "absent") return undefined;
    // A Job that has succeeded had a pod that did: the watch of pods is behind.
    const isBehind = state.kind === "lost" && !state.pod && cluster.cachedJob(this.namespace, this.#jobName)?.status?.succeeded;
    if (isBehind) return undefined;
    const action = decideBuild({ state, requested: this.#requested, since: clock.now(), limits }, clock.now());
    return action.kind === "finish" ? action.verdict : undefined;
  }

  /** As the caches show it, without a word to anyone. */
  #glance(): BuildState {
    const { cluster } = this.#options;
    const job = cluster.cachedJob(this.namespace, this.#jobName);
    return observeBuild(job, cluster.cachedPods(this.namespace, this.#jobName), cluster.killOf.bind(cluster));
  }

  /** True while a request for it is answered here. */
  get isClaimed(): boolean {
    return this.#claim.isClaimed;
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

  /**
   * Carries the build to its end; resolves when nothing is left to do for it here, or soon after `stopping` aborts. Never rejects.
   * "left": another replica carries it out, or is to.
   */
  async run(stopping: AbortSignal): Promise<"ended" | "left"> {
    try {
      const unmade = await this.#create(stopping);
      this.#created.resolve();
      const verdict = unmade ?? (await this.#follow(stopping));
      if (verdict === "left" || stopping.aborted) return "left";
      this.#conclude(verdict);
      do {
        const outcome = await this.#deliver(verdict, stopping);
        if (outcome === "left" || stopping.aborted) return "left";
        this.#options.observer.noteAnswer(outcome === "delivered");
        if (!(await this.#writeEnd(verdict, outcome === "delivered", stopping))) return "left";
        // A server that took the build away just before the answer may have handed it out again meanwhile.
      } while (this.#claim.isClaimed && !stopping.aborted);
      return "ended";
    } catch (error) {
      // A defect of ours: the request must still be answered.
      this.#logger.error({ err: coerceError(error) }, "fails the build after an unexpected error");
      this.#conclude(infrastructure("operator-error", coerceError(error).message));
      await this.#claim.fail();
      return "ended";
    } finally {
      this.#created.resolve();
      this.#place();
      this.#slot?.release();
    }
  }

  /** Whether it is this replica's to carry out. */
  get #isOurs(): boolean {
    if (this.#claim.isClaimed) return true;
    const { replicas, replica } = this.#options;
    if (!replicas.isHolder) return false;
    const other = this.#record.replica;
    return other === undefined || other === replica || !replicas.isAlive(other);
  }

  #mayCreate(): Verdict | undefined | false {
    if (!this.#isOurs) return false;
    this.#checkClaim();
    return this.#requested && endedBeforeStart(this.#requested);
  }

  /** Creates the Job, or adopts the one that is there. Returns a verdict when there can be none. */
  async #create(stopping: AbortSignal): Promise<Verdict | "left" | undefined> {
    if (this.#options.isAdopted) return undefined;
    const outcome = await this.#creation.run(stopping);
    switch (outcome.kind) {
      case "created":
      case "found":
        this.#createdJob = outcome.job;
        this.#jobName = outcome.job.metadata.name;
        this.#record.setJobName(this.#jobName);
        this.#logger = this.#makeLogger();
        if (outcome.kind === "found") {
          this.#record.found(outcome.job, this.#claim.isClaimed);
          this.#stateSince = new Date(outcome.job.metadata.creationTimestamp ?? this.#stateSince);
        }
        return undefined;
      case "impossible":
        return outcome.verdict;
      case "given-up":
      case "stopped":
        return "left";
    }
  }

  /** Observes, decides and acts until there is a verdict; "left" when `stopping` or another replica came first. */
  async #follow(stopping: AbortSignal): Promise<Verdict | "left"> {
    const { cluster, clock, limits } = this.#options;
    for (let failures = 0; !stopping.aborted; ) {
      try {
        if (!this.#look()) {
          if (await this.#standBy(stopping)) return "left";
          continue;
        }
        await this.#observe();
        const recorded = this.#record.verdict;
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
        if (!(await this.#record.write())) this.#yield();
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
    return "left";
  }

  /** Reads what the Job says of the build. Returns whether it is this replica's to carry out. */
  #look(): boolean {
    const job = this.#options.cluster.cachedJob(this.namespace, this.#jobName);
    if (job && !this.#record.observe(job)) this.#yield();
    if (this.#record.isCancelled && !this.#requested && !this.#verdict) {
      this.#requested = "stop";
      this.#logger.info({}, "stops the build as Zuul asked another replica");
    }
    const isOurs = this.#isOurs;
    // Whoever had it may just have gone: those who ask for it have the whole time from now on.
    if (isOurs && !this.#wasOurs) this.#claim.restart();
    this.#wasOurs = isOurs;
    return isOurs;
  }

  /** The Job answers another replica's request by now: whoever asked here asks no more. */
  #yield(): void {
    this.#logger.warn({ replica: this.#record.replica }, "leaves the build to the replica that answers for it now");
    this.#claim.giveUp();
  }

  /**
   * For a build that is not this replica's to carry out: the holder watches it, since it counts, any other forgets it, but not before the
   * Job says that nobody here answers for it. Returns true when nothing is left to do here.
   */
  async #standBy(stopping: AbortSignal): Promise<boolean> {
    const { cluster, replicas } = this.#options;
    try {
      if (!replicas.isHolder) this.#record.release();
      await this.#record.write();
      if (!replicas.isHolder) return !this.#claim.isClaimed;
    } catch (error) {
      this.#logger.warn({ err: coerceError(error) }, "retries what the API server did not do");
      await this.#wakeup.wait(5000, stopping);
      return false;
    }
    const job = cluster.cachedJob(this.namespace, this.#jobName);
    if (!job || this.#record.isDelivered) {
      this.#verdict ??= this.#record.verdict;
      this.#place();
      return true;
    }
    this.#notePlaced(this.#glance());
    await this.#wakeup.wait(LOOK_MS, stopping);
    return false;
  }

  /**
   * Ends a build whose pod has not started, so that no deadline reaches it and there is no log to keep: writes the verdict down, should
   * this process end in between, and deletes the Job. Answers even if it has no right to.
   */
  async #discard(verdict: Verdict, stopping: AbortSignal): Promise<Verdict | "left"> {
    const { cluster } = this.#options;
    for (let attempt = 0, refusals = 0; !stopping.aborted; attempt++) {
      try {
        if (!(await this.#record.conclude(verdict, undefined))) this.#yield();
        else await cluster.deleteJob(this.namespace, this.#jobName);
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
    return "left";
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
      this.#options.rush.noteStep();
      this.#logger.info({ state: state.kind, pod: "pod" in state ? state.pod?.name : undefined }, "build reached a new state");
    }
    this.#state = state;
    this.#notePlaced(state);
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

  /** Ends a build that nobody claims; returns when to look again. */
  #checkClaim(): number | undefined {
    this.#claim.noteRoom();
    const { leftMs } = this.#claim;
    if (leftMs === undefined || this.#requested) return undefined;
    if (leftMs > 0) return Math.min(leftMs, CLAIM_LOOK_MS);
    this.#logger.info({}, "gives up the build, nobody asks for it any more");
    this.#requested = "unclaimed";
    return undefined;
  }

  /** Asks the API server for a Job that the watch has not shown in time: it may have come and gone between two looks. */
  async #isJobGone(): Promise<boolean> {
    const { clock, cluster } = this.#options;
    if (clock.now().getTime() - this.#stateSince.getTime() < CACHE_LAG_MS) return false;
    return (await cluster.getJob(this.namespace, this.#jobName)) === undefined;
  }

  #notePlaced(state: BuildState): void {
    if ("pod" in state && (state.pod?.isStarted ?? true)) this.#place();
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

  /** Sends the answer to whoever asks for it, again after a lost link; "unclaimed" when nobody did in time. */
  async #deliver(verdict: Verdict, stopping: AbortSignal): Promise<"delivered" | "unclaimed" | "left"> {
    const { workData, nodeLabels, resultStyle } = this.#options;
    const result = renderResult(verdict, resultStyle);
    const json = JSON.stringify(renderFinalWorkData(workData, { result, node: this.#pod()?.node, nodeLabels }));
    while (!stopping.aborted) {
      if (await this.#claim.answer(json, result === null)) {
        this.#phases.delivered();
        return "delivered";
      }
      // A build without a Job leaves nothing to another replica.
      if (this.#createdJob && !this.#look()) {
        if (await this.#standBy(stopping)) return "left";
        continue;
      }
      const { leftMs } = this.#claim;
      if (leftMs === undefined) continue;
      if (leftMs <= 0 || (!this.#createdJob && !this.#isOurs)) return "unclaimed";
      await this.#wakeup.wait(leftMs, stopping);
    }
    return "left";
  }

  /**
   * The one patch after delivery: the verdict and when the Job may go. Also ends containers that outlive the judged one. Returns false where
   * it is another replica's to write.
   */
  async #writeEnd(verdict: Verdict, isDelivered: boolean, stopping: AbortSignal): Promise<boolean> {
    const { cluster, clock, keepJobSeconds } = this.#options;
    if (!this.#createdJob && !this.#creation.mayExist) return true;
    const deliveredAt = isDelivered ? clock.now() : undefined;
    const pod = this.#pod();
    const mustEnd = mustEndPod(this.#state);
    // Zuul asks for no result again that it has: nobody waits for the record. But nothing is to run longer for that.
    if (isDelivered && isAnswer(verdict) && !mustEnd) await this.#giveWay(stopping);
    for (let attempt = 0; !stopping.aborted; attempt++) {
      try {
        if (!this.#createdJob) await this.#creation.deleteUnseen();
        else if (!(await this.#record.conclude(verdict, deliveredAt, keepJobSeconds))) {
          this.#yield();
          return false;
        }
        if (pod && mustEnd) await cluster.endPod(this.namespace, pod.name);
        this.#logger.info({ delivered: isDelivered, pod: pod?.name }, "recorded the build");
        return true;
      } catch (error) {
        if (!isRetryable(error) && attempt >= MAX_REFUSED_TRIES) {
          this.#logger.error({ err: coerceError(error) }, "leaves the build unrecorded, the API server refuses it");
          return true;
        }
        this.#logger.warn({ err: coerceError(error), attempt }, "retries to record the build");
        await this.#wakeup.wait(backoffMs(attempt, 500, 30_000), stopping);
      }
    }
    return false;
  }

  /** Lets other builds go first while there are many. */
  async #giveWay(stopping: AbortSignal): Promise<void> {
    const { clock, rush } = this.#options;
    const untilMs = clock.monotonicMs() + MAX_GIVE_WAY_MS;
    while (!this.#claim.isClaimed && !stopping.aborted) {
      const leftMs = Math.min(rush.leftMs, untilMs - clock.monotonicMs());
      if (leftMs <= 0) return;
      await this.#wakeup.wait(leftMs, stopping);
    }
  }

  #makeLogger(): Logger {
    const { logger, taskKey } = this.#options;
    return logger.child({ build: this.number, namespace: this.namespace, task: taskKey, job: this.#jobName });
  }

  #pod() {
    return "pod" in this.#state ? this.#state.pod : undefined;
  }
}
