import { withLead } from "../../core/job/member.ts";
import { readJobRecord } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { infrastructure, type Verdict } from "../../core/verdict/verdict.ts";
import { coerceError } from "../../runtime/errors.ts";
import { retry } from "../../runtime/retry.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildContext, BuildPlan, MembersPlan } from "./build-context.ts";
import type { BuildWithdrawal } from "./build-withdrawal.ts";
import { type JobParts, makeJobParts } from "./job-parts.ts";
import { JobRun } from "./job-run.ts";
import type { Ownership } from "./ownership.ts";

/** How often a member of a build that another replica carries out is looked at when nothing changes. */
const LOOK_MS = 30_000;

export interface MemberOptions {
  plan: BuildPlan;
  members: MembersPlan;
  ownership: Ownership;
  withdrawal: BuildWithdrawal;
  /** One of them has reached a new state, or has its verdict. */
  onChange(): void;
}

/** One Job of a build over several datasets, beside the lead. */
export class Member {
  readonly index: number;
  readonly #options: MemberOptions;
  readonly #context: BuildContext;
  /** While its Job is not known yet. */
  readonly #wakeup: Wakeup;
  readonly #created = Promise.withResolvers<void>();
  #parts: JobParts | undefined;
  #verdict: Verdict | undefined;

  constructor(index: number, options: MemberOptions, context: BuildContext) {
    this.index = index;
    this.#options = options;
    this.#context = context;
    this.#wakeup = new Wakeup(context.clock);
  }

  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  /** undefined while it is not known. */
  get jobName(): string | undefined {
    return this.#parts?.life.jobName;
  }

  /** As of the last look. */
  get state(): BuildState {
    return this.#parts?.life.state ?? { kind: "absent" };
  }

  /** Resolves once its Job is there, or is not to be. */
  get created(): Promise<void> {
    return this.#created.promise;
  }

  wake(): void {
    this.#wakeup.wake();
    this.#parts?.wakeup.wake();
  }

  /** As the caches show it now. */
  glance(): BuildState {
    return this.#parts?.life.glance() ?? { kind: "absent" };
  }

  /** What becomes of it by what is seen of it. */
  foresee(): Verdict | undefined {
    const { life, record } = this.#parts ?? {};
    return this.#verdict ?? record?.verdict ?? life?.foresee(life.glance(), this.#options.withdrawal.reason);
  }

  /**
   * Carries it out until it has its verdict and that is written down, or until `stopping` aborts; never rejects. `isAsPlanned`: the lead was
   * made for the same datasets as this one was rendered for.
   */
  async run(lead: Job, isAsPlanned: boolean, stopping: AbortSignal): Promise<void> {
    try {
      const source = await this.#findJob(lead, isAsPlanned, stopping);
      if (!source || "verdict" in source) return source && this.#conclude(source.verdict);
      const parts = this.#makeParts(source.job, source.isFound);
      const verdict = await this.#live(parts, source.isFound, stopping);
      if (!verdict) return;
      this.#conclude(verdict);
      // Its evidence may be gone when the last of the others has ended.
      if (parts.life.made) await parts.end.keep(verdict, parts.logger(), stopping);
    } catch (error) {
      // A defect of ours.
      this.#context.logger.error({ err: coerceError(error) }, "fails a member of a build after an unexpected error");
      this.#conclude(infrastructure("operator-error", coerceError(error).message));
    } finally {
      this.#created.resolve();
    }
  }

  /** Writes down that its build is over. Returns false where that was not done before `stopping`. */
  async writeEnd(stopping: AbortSignal): Promise<boolean> {
    const { end, logger } = this.#parts ?? {};
    if (!end || !logger || !this.#verdict) return true;
    return (await end.write(this.#verdict, undefined, logger(), stopping)) !== "stopped";
  }

  #conclude(verdict: Verdict): void {
    this.#verdict = verdict;
    this.#options.onChange();
  }

  /** From its creation until it is judged and its artifacts are stored; undefined where `stopping` came first. */
  async #live(parts: JobParts, isFound: boolean, stopping: AbortSignal): Promise<Verdict | undefined> {
    const { ownership, withdrawal, onChange } = this.#options;
    const run = new JobRun({
      ...{ ...parts, ownership, withdrawal, isFound },
      isClaimed: () => false,
      checker: this.#context.stored.checker,
      onJob: () => parts.noteJobName(),
      onState: onChange,
      look: () => ownership.isOurs,
      standBy: async () => {
        await parts.wakeup.wait(LOOK_MS, stopping);
        return undefined;
      },
    });
    for (;;) {
      const unmade = await run.create(stopping);
      if (stopping.aborted) return undefined;
      if (unmade === undefined) break;
      if (unmade !== "left") return unmade;
      // Another replica carries the build out, perhaps for a while only.
      await parts.wakeup.wait(LOOK_MS, stopping);
    }
    this.#created.resolve();
    const verdict = await run.live(stopping);
    return verdict === "left" || verdict === "over" ? undefined : verdict;
  }

  #makeParts(job: Job, isFound: boolean): JobParts {
    const { taskKey, limits, workData, record } = this.#options.plan;
    const { number } = workData;
    this.#parts = makeJobParts({ taskKey, number, job, record: readJobRecord(job) ?? record, isFound, limits }, this.#context);
    return this.#parts;
  }

  /** Its Job as it is to be made, or as it is there; a verdict where neither can be known. */
  async #findJob(
    lead: Job,
    isAsPlanned: boolean,
    stopping: AbortSignal,
  ): Promise<{ job: Job; isFound: boolean } | { verdict: Verdict } | undefined> {
    const { record, rendered, find, render } = this.#options.members;
    const planned = isAsPlanned ? rendered.get(this.index) : undefined;
    if (planned) return { job: withLead(planned, { ...record, index: this.index }, lead), isFound: false };
    while (!this.#options.ownership.isOurs && !stopping.aborted) await this.#wakeup.wait(LOOK_MS, stopping);
    if (stopping.aborted) return undefined;
    const found = find(this.index, lead);
    if (found) return { job: found, isFound: true };
    const whole = await this.#readLead(lead, stopping);
    if (stopping.aborted) return undefined;
    const made = whole && render(this.index, whole);
    if (made) return { job: withLead(made, { ...record, index: this.index }, lead), isFound: false };
    const why = whole ? "the Job of another dataset does not say how" : "the Job of another dataset is gone";
    return { verdict: infrastructure("job-not-created", `its Job could not be created - ${why}`) };
  }

  async #readLead({ metadata: { namespace = "", name, uid } }: Job, stopping: AbortSignal): Promise<Job | undefined> {
    const { cluster, clock, logger } = this.#context;
    const read = await retry(
      () => cluster.getJob(namespace, name),
      { what: "read the Job of a build's lead", firstMs: 250, maxMs: 15_000, wakeup: this.#wakeup, clock, logger },
      stopping,
    );
    return read.kind === "done" && read.value?.metadata.uid === uid ? read.value : undefined;
  }
}
