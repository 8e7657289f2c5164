import { isAskedAnew, type RequestRecord } from "../../core/job/record.ts";
import { isAnswer } from "../../core/job/relaunch.ts";
import { PARAMETERS_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { stepsDone } from "../../core/observation/steps.ts";
import type { Withdrawal } from "../../core/verdict/sighting.ts";
import { endedBeforeStart, infrastructure, type Verdict } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { earliest, Wakeup } from "../../runtime/wakeup.ts";
import type { BuildContext, BuildPlan } from "./build-context.ts";
import { BuildEnd } from "./build-end.ts";
import { BuildRecord } from "./build-record.ts";
import { BuildSlot } from "./build-slot.ts";
import { BuildWithdrawal } from "./build-withdrawal.ts";
import { Claim } from "./claim.ts";
import { Conversation } from "./conversation.ts";
import { JobFollower } from "./job-follower.ts";
import { Ownership } from "./ownership.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { Placement } from "./placement.ts";

export interface BuildReport {
  number: string;
  namespace: string;
  jobName: string;
  step: string;
  pod: string | undefined;
  withdrawn: Withdrawal | undefined;
  verdict: Verdict | undefined;
}

/** "left": another replica carries it out, or is to. "over": another one has, or its Job is gone; nothing is left to do for it anywhere. */
type Left = "left" | "over";

/**
 * One build, from the request to the delivered answer, in three parts: the conversation with Zuul, the life of its Job, and the record that
 * the Job keeps of it. This goes through the phases in order: create, follow, judge, deliver, record; as long as the build is this replica's. It
 * holds no state that it could not read again from the Job, besides whose request it answers.
 */
export class Build {
  readonly #plan: BuildPlan;
  readonly #context: BuildContext;
  readonly #wakeup: Wakeup;
  readonly #phases: PhaseTimer;
  readonly #placement: Placement;
  readonly #conversation: Conversation;
  readonly #life: JobFollower;
  readonly #record: BuildRecord;
  readonly #ownership: Ownership;
  readonly #withdrawal: BuildWithdrawal;
  readonly #claim: Claim;
  readonly #slot: BuildSlot;
  readonly #end: BuildEnd;
  readonly #created = Promise.withResolvers<void>();
  #logger: Logger;
  #verdict: Verdict | undefined;

  constructor(plan: BuildPlan, context: BuildContext) {
    this.#plan = plan;
    this.#context = context;
    const { job, record, limits, workData, nodeLabels, origin } = plan;
    const { cluster, servers, replicas, counts, policy, clock } = context;
    const isFound = origin.kind === "found";
    const wakeup = new Wakeup(clock);
    const logger = () => this.#logger;
    this.#wakeup = wakeup;
    this.#logger = this.#makeLogger(job.metadata.name);
    this.#placement = new Placement({ tallies: counts.tallies, taskKey: plan.taskKey, number: this.number, clock });
    this.#phases = new PhaseTimer({ observer: counts.observer, clock, isAdopted: isFound });
    this.#conversation = new Conversation({
      ...{ workData, nodeLabels, clock, logger, resultStyle: policy.resultStyle, server: record.request.server },
      chance: (server) => {
        const chance = servers.chance(server, record.functionName);
        // Where nothing can come that would be known for a request for this build, nothing is waited for.
        return chance === "none" && record.relaunchKey === undefined && !servers.handsOutAgain(server) ? "open" : chance;
      },
      onChange: () => {
        this.#claim.note();
        this.wake();
      },
    });
    this.#life = new JobFollower({
      ...{ cluster, job, roles: record.roles, isFound, limits, wakeup, clock, logger },
      isDelivered: ({ metadata: { uid = "" } }) => context.delivered.has(uid),
      onState: () => counts.rush.noteStep(),
      onQuotaFull: () => context.keptJobs.giveWay(this.namespace, this.number),
      onWaiting: (why) => context.tasks.noteWaiting(plan.taskKey, why),
    });
    this.#record = new BuildRecord({ cluster, replica: replicas.name, job, record });
    this.#ownership = new Ownership({
      ...{ replicas, conversation: this.#conversation, record: this.#record, wakeup, logger },
      cachedJob: () => this.#life.cached,
    });
    this.#withdrawal = new BuildWithdrawal({ conversation: this.#conversation, record: this.#record, clock, logger });
    this.#claim = new Claim({
      ...{ conversation: this.#conversation, record, servers, all: context },
      jobUid: () => this.jobUid,
      isCarriedOut: () => this.#withdrawal.reason === undefined && this.#ownership.isOurs,
    });
    this.#slot = new BuildSlot({
      ...{ tasks: context.tasks, taskKey: plan.taskKey, logger },
      onBegin: () => {
        this.#placement.begin();
        this.wake();
      },
    });
    const parts = { life: this.#life, record: this.#record, rush: counts.rush, keepJobSeconds: policy.keepJobSeconds };
    this.#end = new BuildEnd({ ...{ cluster, namespace: this.namespace, wakeup, clock }, ...parts });
    if (origin.kind === "request") this.attach(origin.assignment, record.request);
    else {
      this.#slot.hold(origin.slot);
      this.#claim.noteFound();
      this.#withdrawal.readRecord();
      if (origin.isAnswered) this.noteAnswered();
    }
  }

  get number(): string {
    return this.#plan.workData.number;
  }

  get namespace(): string {
    return this.#plan.job.metadata.namespace ?? "";
  }

  get jobName(): string {
    return this.#life.jobName;
  }

  /** Resolves once its Job is there, or there is to be none. */
  get created(): Promise<void> {
    return this.#created.promise;
  }

  /** When its Job was made (RFC 3339), or, without one yet, after all that are there. */
  get createdAt(): string {
    return this.#life.made?.metadata.creationTimestamp ?? "9999";
  }

  get jobUid(): string | undefined {
    return this.#life.made?.metadata.uid;
  }

  /** As it was made or found; undefined while there is none. */
  get made(): Job | undefined {
    return this.#life.made;
  }

  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  report(): BuildReport {
    const { number, namespace, jobName } = this;
    const { step } = this.#conversation;
    return { number, namespace, jobName, step, pod: this.#life.pod?.name, withdrawn: this.#withdrawal.reason, verdict: this.#verdict };
  }

  /**
   * Takes over a request for this build, with the identity that the Job then says is its own: the same one again, from the server, or
   * Zuul's relaunch. An earlier one, if any, is given back to its server. Says at once where the build stands.
   */
  attach(assignment: Assignment, request: RequestRecord): void {
    this.#record.claim(request);
    this.#slot.take(assignment.slot);
    if (!this.#verdict && !this.#life.pod?.isEnding) this.#withdrawal.resume();
    this.#conversation.take(assignment);
  }

  /** Zuul's `stop:`. The build ends ABORTED unless its test has ended already. */
  requestStop(): void {
    if (!this.#verdict && this.#withdrawal.stop()) this.wake();
  }

  /** Zuul has launched the build again, and this one cannot answer that: unless somebody asks for it still, it ends. Returns whether it does. */
  supersede(): boolean {
    if (this.#verdict || this.#withdrawal.reason || !this.#conversation.dismiss()) return false;
    this.wake();
    return true;
  }

  /** The parameters of its request, as they came; undefined where only its Job tells. */
  get parametersText(): string | undefined {
    return this.#plan.job.spec?.template.metadata?.annotations?.[PARAMETERS_ANNOTATION];
  }

  /** True while a relaunch by Zuul of the same build can be answered by this one: it neither ended in vain nor is it to end. */
  get isAdoptable(): boolean {
    // One that was adopted a moment ago may have ended while nobody looked.
    const state = this.#ownership.isOurs && this.#life.state.kind !== "absent" ? this.#life.state : this.#life.glance();
    if (this.#withdrawal.reason === "stop" || ("pod" in state && state.pod?.isEnding)) return false;
    const verdict = this.#foresee(state);
    return verdict === undefined || isAnswer(verdict);
  }

  /** Whether this request, though it is like the one that it answers, can only have come after its answer was read. */
  wasAnsweredBefore(request: RequestRecord): boolean {
    const present = this.#record.request;
    return present !== undefined && isAskedAnew(present, request) && this.#foresee(this.#life.glance()) !== undefined;
  }

  /** A Gearman server has read its answer, though nobody here has seen that or written it down: it is nobody's who asks from now on. */
  noteAnswered(): void {
    this.#claim.noteDelivery();
    this.wake();
  }

  #foresee(state: BuildState): Verdict | undefined {
    return this.#verdict ?? this.#record.verdict ?? this.#life.foresee(state, this.#withdrawal.reason);
  }

  /** See `Placement`. */
  get hasBegun(): boolean {
    return this.#placement.hasBegun;
  }

  /** True while a request for it is answered here. */
  get isClaimed(): boolean {
    return this.#conversation.isClaimed;
  }

  /** See `Claim`. */
  get isDelivered(): boolean {
    return this.#claim.isDelivered;
  }

  /** True from the verdict until a Gearman server has read the answer. */
  get awaitsDelivery(): boolean {
    return this.#phases.phase === "answer";
  }

  /** A Gearman server has come or gone. */
  noteServer(): void {
    this.#conversation.noteServer();
  }

  /** Something about its Job or pod has changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /**
   * Carries the build to its end; resolves when nothing is left to do for it here, or soon after `stopping` aborts. Never rejects.
   * Carried out here it has "ended".
   */
  async run(stopping: AbortSignal): Promise<"ended" | Left> {
    try {
      const unmade = (await this.#awaitTurn(stopping)) ?? (await this.#create(stopping));
      this.#created.resolve();
      const verdict = unmade ?? (await this.#follow(stopping));
      if (verdict === "left" || verdict === "over") return verdict;
      if (stopping.aborted) return "left";
      this.#conclude(verdict);
      do {
        const [outcome] = await Promise.all([this.#deliver(verdict, stopping), this.#end.endPod(verdict, this.#logger, stopping)]);
        if (outcome === "left" || outcome === "over") return outcome;
        if (stopping.aborted) return "left";
        this.#context.counts.observer.noteAnswer(outcome === "delivered");
        if (!(await this.#writeEnd(verdict, outcome === "delivered", stopping))) return "left";
        // Zuul, had the answer been lost between its server and it, may have launched the build again meanwhile.
      } while (this.isClaimed && !stopping.aborted);
      return "ended";
    } catch (error) {
      // A defect of ours: the request must still be answered.
      this.#logger.error({ err: coerceError(error) }, "fails the build after an unexpected error");
      this.#conclude(infrastructure("operator-error", coerceError(error).message));
      await this.#conversation.fail();
      return "ended";
    } finally {
      this.#created.resolve();
      this.#claim.close();
      this.#placement.place();
      this.#slot.release();
    }
  }

  /**
   * Until there is a slot for it. A request that is lost, given back or another holder's meanwhile leaves nothing behind, as nothing was done
   * for it.
   */
  async #awaitTurn(stopping: AbortSignal): Promise<Verdict | "left" | undefined> {
    while (this.#slot.isAwaited) {
      if (stopping.aborted || !this.isClaimed) return "left";
      if (this.#withdrawal.reason) return endedBeforeStart(this.#withdrawal.reason);
      if (!this.#context.replicas.isHolder) this.#conversation.handBack();
      await this.#wakeup.wait(undefined, stopping);
    }
    return undefined;
  }

  /** Creates the Job, or adopts the one that is there. Returns a verdict when there can be none. */
  async #create(stopping: AbortSignal): Promise<Verdict | "left" | undefined> {
    if (this.#plan.origin.kind === "found") return undefined;
    const outcome = await this.#life.create(() => this.#mayCreate(), stopping);
    switch (outcome.kind) {
      case "created":
      case "found":
        this.#record.setJob(outcome.job);
        this.#logger = this.#makeLogger(this.jobName);
        if (outcome.kind === "found") this.#record.found(outcome.job, this.isClaimed);
        return undefined;
      case "impossible":
        return outcome.verdict;
      case "given-up":
      case "stopped":
        return "left";
    }
  }

  #mayCreate(): Verdict | undefined | false {
    if (!this.#ownership.isOurs) return false;
    this.#withdrawal.checkClaim();
    return this.#withdrawal.reason && endedBeforeStart(this.#withdrawal.reason);
  }

  /** Follows the Job until there is a verdict; "left" when `stopping` or another replica came first. */
  async #follow(stopping: AbortSignal): Promise<Verdict | Left> {
    for (let failures = 0; !stopping.aborted; ) {
      try {
        if (!this.#look()) {
          const left = await this.#standBy(stopping);
          if (left) return left;
          continue;
        }
        await this.#life.observe();
        this.#noteProgress(this.#life.state);
        const recorded = this.#record.verdict;
        if (recorded) return this.#life.hasStarted ? recorded : await this.#discard(recorded, stopping);
        const unclaimedInMs = this.#withdrawal.checkClaim();
        await this.#life.observeTrouble();
        const action = this.#life.decide(this.#withdrawal.reason);
        if (action.kind === "finish") return action.deleteJob ? await this.#discard(action.verdict, stopping) : action.verdict;
        const nextLookMs = await this.#life.act(action);
        if (!(await this.#record.write())) this.#ownership.yield();
        if (await this.#life.isGone()) return infrastructure("job-gone", "the Job was deleted");
        failures = 0;
        await this.#wakeup.wait(earliest(nextLookMs, action.kind === "wait" ? unclaimedInMs : undefined), stopping);
      } catch (error) {
        this.#logger.warn({ err: coerceError(error) }, "retries what the API server did not do");
        await this.#wakeup.wait(backoffMs(failures++, 250, 15_000), stopping);
      }
    }
    return "left";
  }

  /** Ends a build whose pod has not started, see `BuildEnd`. */
  async #discard(verdict: Verdict, stopping: AbortSignal): Promise<Verdict | "left"> {
    const written = await this.#end.discard(verdict, this.#logger, stopping);
    if (written === "yielded") this.#ownership.yield();
    return written === "stopped" ? "left" : verdict;
  }

  #conclude(verdict: Verdict): void {
    const { counts, tasks } = this.#context;
    this.#placement.place();
    this.#verdict = verdict;
    this.#phases.conclude();
    counts.observer.noteVerdict(this.#plan.taskKey, verdict.class);
    this.#conversation.conclude();
    tasks.noteVerdict(this.#plan.taskKey, verdict);
    // The pod has ended or is ending: what it took is free for the next build.
    this.#slot.release();
    const { result, class: verdictClass, rule, message: text } = verdict;
    this.#logger.info({ result, class: verdictClass, rule, text, pod: this.#life.pod?.name }, "judged the build");
  }

  /** Sends the answer to whoever asks for it, again after a lost link; "unclaimed" when nobody did in time. */
  async #deliver(verdict: Verdict, stopping: AbortSignal): Promise<"delivered" | "unclaimed" | Left> {
    while (!stopping.aborted) {
      if (await this.#conversation.answer(verdict, this.#life.pod?.node)) {
        this.#claim.noteDelivery();
        this.#phases.delivered();
        return "delivered";
      }
      // A build without a Job leaves nothing to another replica.
      if (this.#life.made && !this.#look()) {
        const left = await this.#standBy(stopping);
        if (left) return left;
        continue;
      }
      const leftMs = this.#conversation.look();
      if (leftMs === undefined) continue;
      if (this.isDelivered) return "delivered";
      if (leftMs <= 0 || (!this.#life.made && !this.#ownership.isOurs)) return "unclaimed";
      await this.#wakeup.wait(leftMs, stopping);
    }
    return "left";
  }

  /** Writes the end down, see `BuildEnd`. Returns false where it is another replica's to write. */
  async #writeEnd(verdict: Verdict, isDelivered: boolean, stopping: AbortSignal): Promise<boolean> {
    const deliveredAt = isDelivered ? this.#context.clock.now() : undefined;
    if (isDelivered) await this.#end.giveWay(verdict, () => this.isClaimed, stopping);
    const written = await this.#end.write(verdict, deliveredAt, this.#logger, stopping);
    if (written === "yielded") this.#ownership.yield();
    return written === "written";
  }

  /** Reads what the Job says of the build. Returns whether it is this replica's to carry out. */
  #look(): boolean {
    const isOurs = this.#ownership.look();
    if (!this.#verdict) this.#withdrawal.readRecord();
    return isOurs;
  }

  /** For a build that is not this replica's to carry out. Returns undefined as long as it is to be looked at again. */
  async #standBy(stopping: AbortSignal): Promise<Left | undefined> {
    this.#placement.glance(() => this.#life.glance());
    const outcome = await this.#ownership.standBy(stopping);
    switch (outcome) {
      case "watched":
        return undefined;
      case "forgotten":
        return "left";
      case "over":
        this.#verdict ??= this.#record.verdict;
        this.#placement.place();
        return "over";
    }
  }

  #noteProgress(state: BuildState): void {
    this.#placement.note(state);
    const step = stepsDone(state);
    if (this.#conversation.reach(step)) this.#phases.reach(step);
  }

  #makeLogger(jobName: string): Logger {
    const { number, namespace } = this;
    return this.#context.logger.child({ build: number, namespace, task: this.#plan.taskKey, job: jobName });
  }
}
