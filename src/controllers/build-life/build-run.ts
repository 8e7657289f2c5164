import type { GroupAnswer } from "../../core/job/member.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { leastAdvanced, stepsDone } from "../../core/observation/steps.ts";
import { endedBeforeStart, infrastructure, type Verdict } from "../../core/verdict/verdict.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { BuildContext, BuildPlan } from "./build-context.ts";
import type { BuildParts } from "./build-parts.ts";
import { JobRun, type Left } from "./job-run.ts";
import type { Members } from "./members.ts";

/** Goes through the phases of one build in order: its Job's (`JobRun`), then deliver and record; as long as the build is this replica's. */
export class BuildRun {
  readonly #plan: BuildPlan;
  readonly #context: BuildContext;
  readonly #parts: BuildParts;
  readonly #job: JobRun;
  readonly #created = Promise.withResolvers<void>();
  #verdict: Verdict | undefined;
  /** What came out of its Job, or of its lead, where that is known apart from the whole. */
  #own: Verdict | undefined;
  #answer: GroupAnswer | undefined;

  constructor(plan: BuildPlan, context: BuildContext, parts: BuildParts) {
    this.#plan = plan;
    this.#context = context;
    this.#parts = parts;
    this.#job = new JobRun({
      ...parts,
      isFound: plan.origin.kind === "found",
      isClaimed: () => parts.conversation.isClaimed,
      checker: context.stored.checker,
      onJob: () => parts.noteJobName(),
      onState: (state) => this.#noteProgress(state),
      look: () => this.#look(),
      standBy: (stopping) => this.#standBy(stopping),
    });
  }

  /** Resolves once its Jobs are there, or there are to be none. */
  get created(): Promise<void> {
    return this.#created.promise;
  }

  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  /**
   * Carries the build to its end; resolves when nothing is left to do for it here, or soon after `stopping` aborts. Never rejects.
   * Carried out here it has "ended".
   */
  async run(stopping: AbortSignal): Promise<"ended" | Left> {
    const { end, logger, conversation, claim, placement, slot, members } = this.#parts;
    try {
      const unmade = (await this.#awaitTurn(stopping)) ?? (await this.#job.create(stopping));
      this.#begin(unmade, stopping);
      const verdict = unmade ?? (await this.#follow(stopping));
      if (verdict === "left" || verdict === "over") return verdict;
      if (stopping.aborted) return "left";
      this.#conclude(verdict);
      do {
        const [outcome] = await Promise.all([this.#deliver(verdict, stopping), end.endPod(this.#own ?? verdict, logger(), stopping)]);
        if (outcome === "left" || outcome === "over") return outcome;
        if (stopping.aborted) return "left";
        this.#context.counts.observer.noteAnswer(outcome === "delivered");
        if (!(await this.#writeEnd(verdict, outcome === "delivered", stopping))) return "left";
        // Zuul, had the answer been lost between its server and it, may have launched the build again meanwhile.
      } while (conversation.isClaimed && !stopping.aborted);
      return "ended";
    } catch (error) {
      // A defect of ours: the request must still be answered.
      logger().error({ err: coerceError(error) }, "fails the build after an unexpected error");
      this.#conclude(infrastructure("operator-error", coerceError(error).message));
      await conversation.fail();
      return "ended";
    } finally {
      this.#created.resolve();
      await members?.leave();
      claim.close();
      placement.place();
      slot.release();
    }
  }

  /**
   * Until there is a slot for it. A request that is lost, given back or another holder's meanwhile leaves nothing behind, as nothing was done
   * for it.
   */
  async #awaitTurn(stopping: AbortSignal): Promise<Verdict | "left" | undefined> {
    const { slot, conversation, withdrawal, wakeup } = this.#parts;
    while (slot.isAwaited) {
      if (stopping.aborted || !conversation.isClaimed) return "left";
      if (withdrawal.reason) return endedBeforeStart(withdrawal.reason);
      if (!this.#context.replicas.isHolder) conversation.handBack();
      await wakeup.wait(undefined, stopping);
    }
    return undefined;
  }

  /** Its Job is there, or is not to be: of several datasets the others follow. */
  #begin(unmade: Verdict | Left | undefined, stopping: AbortSignal): void {
    const { members, life } = this.#parts;
    if (unmade || !members || !life.made) {
      this.#created.resolve();
      return;
    }
    members.begin(life.made, stopping);
    void members.created.then(() => this.#created.resolve());
  }

  /** Until there is a verdict, and nothing is waited for any more: its Job's, or that of all its members. */
  async #follow(stopping: AbortSignal): Promise<Verdict | Left> {
    const own = await this.#job.live(stopping);
    if (own === "left" || own === "over") return own;
    this.#own = own;
    return this.#parts.members ? this.#join(own, this.#parts.members, stopping) : own;
  }

  /** Of a build over several datasets, whose lead has its verdict: until all the others have theirs. */
  async #join(own: Verdict, members: Members, stopping: AbortSignal): Promise<Verdict | Left> {
    const { end, life, withdrawal, wakeup, logger } = this.#parts;
    while (!stopping.aborted) {
      if (!this.#look()) {
        const left = await this.#standBy(stopping);
        if (left) return left;
        continue;
      }
      this.#noteProgress(life.state);
      this.#answer = members.answer({ verdict: own, jobName: life.jobName });
      if (this.#answer) return { ...this.#answer.verdict };
      void end.keep(own, logger(), stopping);
      await end.settle().catch((error) => logger().warn({ err: coerceError(error) }, "retries what the API server did not do"));
      await wakeup.wait(withdrawal.checkClaim(), stopping);
    }
    return "left";
  }

  #conclude(verdict: Verdict): void {
    const { placement, phases, conversation, slot, logger, life } = this.#parts;
    const { counts, tasks } = this.#context;
    placement.place();
    this.#verdict = verdict;
    phases.conclude();
    counts.observer.noteVerdict(this.#plan.taskKey, verdict.class);
    conversation.conclude();
    tasks.noteVerdict(this.#plan.taskKey, verdict);
    // The pod has ended or is ending: what it took is free for the next build.
    slot.release();
    const { result, class: verdictClass, rule, message: text } = verdict;
    logger().info({ result, class: verdictClass, rule, text, pod: life.pod?.name }, "judged the build");
  }

  /** Sends the answer to whoever asks for it, again after a lost link; "unclaimed" when nobody did in time. */
  async #deliver(verdict: Verdict, stopping: AbortSignal): Promise<"delivered" | "unclaimed" | Left> {
    const { conversation, life, claim, phases, ownership, wakeup } = this.#parts;
    while (!stopping.aborted) {
      const url = this.#context.stored.urlOf(life.made);
      if (await conversation.answer(verdict, { node: life.pod?.node, url })) {
        claim.noteDelivery();
        phases.delivered();
        return "delivered";
      }
      // A build without a Job leaves nothing to another replica.
      if (life.made && !this.#look()) {
        const left = await this.#standBy(stopping);
        if (left) return left;
        continue;
      }
      const leftMs = conversation.look();
      if (leftMs === undefined) continue;
      if (claim.isDelivered) return "delivered";
      if (leftMs <= 0 || (!life.made && !ownership.isOurs)) return "unclaimed";
      await wakeup.wait(leftMs, stopping);
    }
    return "left";
  }

  /** Writes the end down, see `BuildEnd`. Returns false where it is another replica's to write. */
  async #writeEnd(verdict: Verdict, isDelivered: boolean, stopping: AbortSignal): Promise<boolean> {
    const { end, conversation, logger, ownership, members } = this.#parts;
    const deliveredAt = isDelivered ? this.#context.clock.now() : undefined;
    if (isDelivered) await end.giveWay(verdict, () => conversation.isClaimed, stopping);
    // The lead's is the last word: whoever finds it unwritten goes on with all of them.
    if (this.#answer && !(await members?.writeEnds(stopping))) return false;
    const written = await end.write(this.#own ?? verdict, deliveredAt, logger(), stopping, this.#answer);
    if (written === "yielded") ownership.yield();
    return written === "written";
  }

  /** Reads what the Job says of the build. Returns whether it is this replica's to carry out. */
  #look(): boolean {
    const { ownership, withdrawal } = this.#parts;
    const isOurs = ownership.look();
    if (!this.#verdict) withdrawal.readRecord();
    return isOurs;
  }

  /** For a build that is not this replica's to carry out. Returns undefined as long as it is to be looked at again. */
  async #standBy(stopping: AbortSignal): Promise<Left | undefined> {
    const { placement, life, ownership, record, members } = this.#parts;
    placement.glance(() => leastAdvanced([life.glance(), ...(members?.glance() ?? [])]));
    const outcome = await ownership.standBy(stopping);
    switch (outcome) {
      case "watched":
        return undefined;
      case "forgotten":
        return "left";
      case "over":
        this.#verdict ??= members ? record.answer?.verdict : record.verdict;
        placement.place();
        return "over";
    }
  }

  /** Several datasets are as far as the one that has come the least. */
  #noteProgress(own: BuildState): void {
    const { placement, conversation, phases, members } = this.#parts;
    const state = leastAdvanced([own, ...(members?.states ?? [])]);
    placement.note(state);
    const step = stepsDone(state);
    if (conversation.reach(step)) phases.reach(step);
  }
}
