import type { GroupAnswer, MemberRecord } from "../../core/job/member.ts";
import { isAnswer } from "../../core/job/relaunch.ts";
import { isJobOver } from "../../core/observation/build-state.ts";
import type { PodFacts } from "../../core/observation/pod-facts.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { type RetryOptions, retry } from "../../runtime/retry.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster } from "../ports.ts";
import type { BuildRecord } from "./build-record.ts";
import type { JobFollower } from "./job-follower.ts";
import type { Rush } from "./rush.ts";

/** How long a build that has been answered stays unrecorded for the sake of others. */
const MAX_GIVE_WAY_MS = 60_000;

export interface BuildEndOptions {
  cluster: BuildCluster;
  namespace: string;
  life: JobFollower;
  record: BuildRecord;
  rush: Rush;
  /** Of a build over several datasets, which of its Jobs it is. */
  member?: MemberRecord | undefined;
  keepJobSeconds: number;
  wakeup: Wakeup;
  clock: Clock;
}

/**
 * "written": the Job says how the build ended, or there is none that could, or the API server refuses it for good. "yielded": the Job answers
 * another replica's request by now.
 */
export type Written = "written" | "yielded" | "stopped";

/** Writes down how a build ended, and ends what is left of it. */
export class BuildEnd {
  readonly #options: BuildEndOptions;
  #ending: Promise<void> | undefined;
  #keeping: Promise<void> | undefined;
  #kept: Verdict | undefined;
  #isDiscarded = false;

  constructor(options: BuildEndOptions) {
    this.#options = options;
  }

  /**
   * Of a build whose pod has not started, so that no deadline reaches it and there is no log to keep: writes the verdict down, should this
   * process end in between, and deletes the Job. Of several datasets a Job stays, as it says what came of its own, and its pod is deleted; the
   * lead's, which has none, stays until the others have ended, see `settle`.
   */
  async discard(verdict: Verdict, logger: Logger, stopping: AbortSignal): Promise<Written> {
    const { record } = this.#options;
    this.#isDiscarded = true;
    const discarded = await retry(
      async () => {
        if (!(await record.conclude(verdict, undefined))) return "yielded";
        await this.#deleteWhatMayRun();
        return "written";
      },
      this.#retrying("delete the Job", 250, 15_000, logger),
      stopping,
    );
    if (discarded.kind === "given-up") logger.error({ err: discarded.error }, "leaves a Job behind, the API server refuses to delete it");
    return written(discarded);
  }

  async #deleteWhatMayRun(): Promise<void> {
    const { cluster, namespace, life, member } = this.#options;
    const { pod, jobName, made } = life;
    if (member && pod) await cluster.deletePod(namespace, pod.name, pod.uid);
    else if (!member || (member.lead && !this.#isJobOver)) await cluster.deleteJob(namespace, jobName, made?.metadata.uid);
  }

  get #isJobOver(): boolean {
    const { cached } = this.#options.life;
    return cached !== undefined && isJobOver(cached);
  }

  /** Of a lead that was discarded without a pod: one that came meanwhile goes. May throw. */
  async settle(): Promise<void> {
    const { life } = this.#options;
    if (!this.#isDiscarded || life.pod) return;
    await life.observe();
    if (life.pod) await this.#deleteWhatMayRun();
  }

  /**
   * Ends what of the pod would outlive its test, or begin after it. The verdict is written down before that, should this process end in
   * between: a pod that was ended tells something else of its test. Resolves when that is done, or nobody is to do it here; never rejects.
   */
  endPod(verdict: Verdict, logger: Logger, stopping: AbortSignal): Promise<void> {
    const { pod, mustEndPod } = this.#options.life;
    if (!this.#ending && pod && mustEndPod) this.#ending = this.#endPod(pod, verdict, logger, stopping);
    return this.#ending ?? Promise.resolve();
  }

  /**
   * Of a build that is not answered yet: writes the verdict down, should this process end, or the pod go, before that; and ends what of the pod
   * would outlive its test. Resolves when that is done, or nobody is to do it here; never rejects.
   */
  keep(verdict: Verdict, logger: Logger, stopping: AbortSignal): Promise<void> {
    const { record, life, clock } = this.#options;
    if (this.#isDiscarded) return Promise.resolve();
    if (this.#ending || life.mustEndPod) return this.endPod(verdict, logger, stopping);
    if (this.#keeping && this.#kept === verdict) return this.#keeping;
    this.#kept = verdict;
    this.#keeping = retry(
      () => record.conclude(verdict, undefined),
      { ...this.#retrying("write the verdict down", 250, 15_000, logger), wakeup: new Wakeup(clock) },
      stopping,
    ).then(() => {});
    return this.#keeping;
  }

  async #endPod(pod: PodFacts, verdict: Verdict, logger: Logger, stopping: AbortSignal): Promise<void> {
    const { cluster, namespace, record, clock } = this.#options;
    const ended = await retry(
      async () => {
        if (await record.conclude(verdict, undefined)) await cluster.endPod(namespace, pod.name);
      },
      // Beside the answer, whose loop has the other one.
      { ...this.#retrying("end what is left of the pod", 250, 15_000, logger), wakeup: new Wakeup(clock) },
      stopping,
    );
    if (ended.kind === "done") logger.info({ pod: pod.name }, "ended what was left of the pod");
    if (ended.kind === "given-up")
      logger.error({ err: ended.error, pod: pod.name }, "leaves the pod until its deadline, the API server refuses to end it");
  }

  /** The one patch after delivery: the verdict and when the Job may go; of several datasets, on the lead, the answer with them. */
  async write(
    verdict: Verdict,
    deliveredAt: Date | undefined,
    logger: Logger,
    stopping: AbortSignal,
    answer?: GroupAnswer,
  ): Promise<Written> {
    const { cluster, namespace, life, record, member, keepJobSeconds } = this.#options;
    if (!life.made && !life.mayExist) return "written";
    const { pod } = life;
    const recorded = await retry(
      async () => {
        if (!life.made) await life.deleteUnseen();
        else if (!(await record.conclude(verdict, deliveredAt, keepJobSeconds, answer))) return "yielded";
        // It would never be over, and make a pod one day.
        if (this.#isDiscarded && member && !pod && !this.#isJobOver)
          await cluster.deleteJob(namespace, life.jobName, life.made?.metadata.uid);
        logger.info({ delivered: deliveredAt !== undefined, pod: pod?.name }, "recorded the build");
        return "written";
      },
      this.#retrying("record the build", 500, 30_000, logger),
      stopping,
    );
    if (recorded.kind === "given-up") logger.error({ err: recorded.error }, "leaves the build unrecorded, the API server refuses it");
    return written(recorded);
  }

  /**
   * Lets other builds go first while there are many, as long as `isWaitedFor` says no. Zuul asks for no result again that it has, so nobody
   * waits for the record of a build that it has an answer of; but nothing is to run longer for that.
   */
  async giveWay(verdict: Verdict, isWaitedFor: () => boolean, stopping: AbortSignal): Promise<void> {
    const { life, rush, wakeup, clock } = this.#options;
    if ((!life.made && !life.mayExist) || !isAnswer(verdict)) return;
    const untilMs = clock.monotonicMs() + MAX_GIVE_WAY_MS;
    while (!isWaitedFor() && !stopping.aborted) {
      const leftMs = Math.min(rush.leftMs, untilMs - clock.monotonicMs());
      if (leftMs <= 0) return;
      await wakeup.wait(leftMs, stopping);
    }
  }

  #retrying(what: string, firstMs: number, maxMs: number, logger: Logger): RetryOptions {
    const { wakeup, clock } = this.#options;
    return { what, firstMs, maxMs, wakeup, clock, logger };
  }
}

function written(retried: { kind: "done"; value: "written" | "yielded" } | { kind: "given-up" } | { kind: "stopped" }): Written {
  switch (retried.kind) {
    case "done":
      return retried.value;
    case "given-up":
      return "written";
    case "stopped":
      return "stopped";
  }
}
