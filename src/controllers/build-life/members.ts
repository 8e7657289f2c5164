import type { GroupAnswer } from "../../core/job/member.ts";
import { readJobRecord } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { combine } from "../../core/verdict/combine.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { BuildContext } from "./build-context.ts";
import { Member, type MemberOptions } from "./member.ts";

/**
 * Of a build over several datasets the Jobs beside the lead: they live side by side, begun once the lead is there, and each goes through the
 * same phases as that one. What is said to Zuul, whose the build is and whether it is to end is the build's.
 */
export class Members {
  readonly #options: MemberOptions;
  readonly #others: readonly Member[];
  readonly #leaving = new AbortController();
  readonly #created = Promise.withResolvers<void>();
  #runs: Promise<unknown> = Promise.resolve();
  #hasBegun = false;

  constructor(options: MemberOptions, context: BuildContext) {
    this.#options = options;
    const { record } = options.members;
    const isOther = (index: number) => index !== record.index && record.datasets[index]?.kept === undefined;
    this.#others = [...record.datasets.keys()].filter(isOther).map((index) => new Member(index, options, context));
  }

  /** Resolves once all Jobs are there, or are not to be. */
  get created(): Promise<void> {
    return this.#created.promise;
  }

  /** What is known of each dataset but the lead's. */
  get standings(): { index: number; verdict: Verdict | undefined; jobName: string | undefined }[] {
    return this.#others.map(({ index, verdict, jobName }) => ({ index, verdict, jobName }));
  }

  wake(): void {
    for (const member of this.#others) member.wake();
  }

  /** Carries them out; the lead is there. They end soon after `stopping` aborts. */
  begin(lead: Job, stopping: AbortSignal): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { record } = this.#options.members;
    // One that was there already may have been made of the task as it was before.
    const isAsPlanned = JSON.stringify(readJobRecord(lead)?.member?.datasets) === JSON.stringify(record.datasets);
    const signal = AbortSignal.any([stopping, this.#leaving.signal]);
    this.#runs = Promise.all(this.#others.map((member) => member.run(lead, isAsPlanned, signal)));
    if (this.#options.plan.origin.kind === "found") this.#created.resolve();
    else void Promise.all(this.#others.map(({ created }) => created)).then(() => this.#created.resolve());
  }

  /** Lets go of them; resolves when nothing is done for them here any more. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    this.#created.resolve();
    await this.#runs;
  }

  /** Where each stands beside the lead, as of the last look; without those that have their verdict. */
  get states(): BuildState[] {
    return this.#others.filter(({ verdict }) => verdict === undefined).map(({ state }) => state);
  }

  /** As the caches show them now, for who only watches. */
  glance(): BuildState[] {
    return this.#others.map((member) => member.glance());
  }

  /** What comes out of the whole; undefined as long as one is not judged. */
  answer(lead: { verdict: Verdict; jobName: string } | undefined): GroupAnswer | undefined {
    return this.#combine(lead, (member) => member.verdict);
  }

  /** The same by what is seen of them, though nobody has judged them yet. */
  foresee(lead: { verdict: Verdict; jobName: string } | undefined): GroupAnswer | undefined {
    return this.#combine(lead, (member) => member.foresee());
  }

  #combine(
    lead: { verdict: Verdict; jobName: string } | undefined,
    verdictOf: (member: Member) => Verdict | undefined,
  ): GroupAnswer | undefined {
    const { record } = this.#options.members;
    const members: GroupAnswer["members"][number][] = [];
    for (const [index, { name: dataset, kept }] of record.datasets.entries()) {
      const member = this.#others.find((each) => each.index === index);
      const said = index === record.index ? lead : (kept ?? (member && { verdict: verdictOf(member), jobName: member.jobName }));
      if (said?.verdict === undefined) return undefined;
      const { evidence: _, checks: _found, ...verdict } = said.verdict;
      members.push({ dataset, jobName: said.jobName, verdict });
    }
    return { verdict: combine(members), members };
  }

  /** Writes down of each that its build is over. Returns false where that was not done before `stopping`. */
  async writeEnds(stopping: AbortSignal): Promise<boolean> {
    const written = await Promise.all(this.#others.map((member) => member.writeEnd(stopping)));
    return written.every((isWritten) => isWritten);
  }
}
