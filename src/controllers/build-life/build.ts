import { isAskedAnew, type RequestRecord } from "../../core/job/record.ts";
import { isAnswer } from "../../core/job/relaunch.ts";
import { PARAMETERS_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { readItem } from "../../core/report/build-item.ts";
import { type BuildReport, reportBuild, reportUnmade, standingOf } from "../../core/report/build-report.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import type { BuildContext, BuildPlan } from "./build-context.ts";
import { type BuildParts, makeBuildParts } from "./build-parts.ts";
import { BuildRun } from "./build-run.ts";
import type { Left } from "./job-run.ts";

/**
 * One build, from the request to the delivered answer: what others ask of it and tell it. `BuildRun` carries it out, `makeBuildParts` says what
 * it is made of. It holds no state that it could not read again from the Job, besides whose request it answers.
 */
export class Build {
  readonly #plan: BuildPlan;
  readonly #parts: BuildParts;
  readonly #run: BuildRun;

  constructor(plan: BuildPlan, context: BuildContext) {
    const { record, origin } = plan;
    const parts = makeBuildParts(plan, context);
    this.#plan = plan;
    this.#parts = parts;
    this.#run = new BuildRun(plan, context, parts);
    if (origin.kind === "request") this.attach(origin.assignment, record.request);
    else {
      this.#parts.slot.hold(origin.slot);
      this.#parts.claim.noteFound();
      this.#parts.withdrawal.readRecord();
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
    return this.#parts.life.jobName;
  }

  /** Resolves once its Job is there, or there is to be none. */
  get created(): Promise<void> {
    return this.#run.created;
  }

  /** When its Job was made (RFC 3339), or, without one yet, after all that are there. */
  get createdAt(): string {
    return this.#parts.life.made?.metadata.creationTimestamp ?? "9999";
  }

  get jobUid(): string | undefined {
    return this.#parts.life.made?.metadata.uid;
  }

  /** As it was made or found; undefined while there is none. */
  get made(): Job | undefined {
    return this.#parts.life.made;
  }

  get verdict(): Verdict | undefined {
    return this.#run.verdict;
  }

  report(): BuildReport {
    const { conversation, life, withdrawal } = this.#parts;
    const { job, record } = this.#plan;
    const { made } = this;
    const told = made ? reportBuild(made, { ...record, jobName: this.jobName }, life.state) : reportUnmade(record, readItem(job));
    const { step } = conversation;
    return {
      ...told,
      step,
      standing: standingOf(step),
      pod: life.pod?.name,
      withdrawn: withdrawal.reason ?? told.withdrawn,
      verdict: this.verdict ?? told.verdict,
    };
  }

  /**
   * Takes over a request for this build, with the identity that the Job then says is its own: the same one again, from the server, or
   * Zuul's relaunch. An earlier one, if any, is given back to its server. Says at once where the build stands.
   */
  attach(assignment: Assignment, request: RequestRecord): void {
    const { record, slot, life, withdrawal, conversation, members } = this.#parts;
    record.claim(request);
    slot.take(assignment.slot);
    // Of several datasets those whose pods are ending come out as lost, and the others go on.
    if (!this.verdict && (members || !life.pod?.isEnding)) withdrawal.resume();
    conversation.take(assignment);
  }

  /** Zuul's `stop:`. The build ends ABORTED unless its test has ended already. */
  requestStop(): void {
    if (!this.verdict && this.#parts.withdrawal.stop()) this.wake();
  }

  /** Zuul has launched the build again, and this one cannot answer that: unless somebody asks for it still, it ends. Returns whether it does. */
  supersede(): boolean {
    const { withdrawal, conversation } = this.#parts;
    if (this.verdict || withdrawal.reason || !conversation.dismiss()) return false;
    this.wake();
    return true;
  }

  /** The parameters of its request, as they came; undefined where only its Job tells. */
  get parametersText(): string | undefined {
    return this.#plan.job.spec?.template.metadata?.annotations?.[PARAMETERS_ANNOTATION];
  }

  /** True while a relaunch by Zuul of the same build can be answered by this one: it neither ended in vain nor is it to end. */
  get isAdoptable(): boolean {
    const { ownership, life, withdrawal, members } = this.#parts;
    // One that was adopted a moment ago may have ended while nobody looked.
    const state = ownership.isOurs && life.state.kind !== "absent" ? life.state : life.glance();
    if (withdrawal.reason === "stop" || (!members && "pod" in state && state.pod?.isEnding)) return false;
    const verdict = this.#foresee(state);
    return verdict === undefined || isAnswer(verdict);
  }

  /** Whether this request, though it is like the one that it answers, can only have come after its answer was read. */
  wasAnsweredBefore(request: RequestRecord): boolean {
    const { record, life } = this.#parts;
    const present = record.request;
    return present !== undefined && isAskedAnew(present, request) && this.#foresee(life.glance()) !== undefined;
  }

  /** A Gearman server has read its answer, though nobody here has seen that or written it down: it is nobody's who asks from now on. */
  noteAnswered(): void {
    this.#parts.claim.noteDelivery();
    this.wake();
  }

  #foresee(state: BuildState): Verdict | undefined {
    const { record, life, withdrawal, members } = this.#parts;
    if (this.verdict) return this.verdict;
    const own = record.verdict ?? life.foresee(state, withdrawal.reason);
    if (!members) return own;
    return (record.answer ?? members.foresee(own && { verdict: own, jobName: life.jobName }))?.verdict;
  }

  /** See `Placement`. */
  get hasBegun(): boolean {
    return this.#parts.placement.hasBegun;
  }

  /** True while a request for it is answered here. */
  get isClaimed(): boolean {
    return this.#parts.conversation.isClaimed;
  }

  /** See `Claim`. */
  get isDelivered(): boolean {
    return this.#parts.claim.isDelivered;
  }

  /** True from the verdict until a Gearman server has read the answer. */
  get awaitsDelivery(): boolean {
    return this.#parts.phases.phase === "answer";
  }

  /** A Gearman server has come or gone. */
  noteServer(): void {
    this.#parts.conversation.noteServer();
  }

  /** Something about its Job or pod has changed. */
  wake(): void {
    this.#parts.wake();
  }

  /** See `BuildRun`. */
  run(stopping: AbortSignal): Promise<"ended" | Left> {
    return this.#run.run(stopping);
  }
}
