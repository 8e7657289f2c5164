import { awaitsChecks, judgeWithoutLog } from "../../core/checks/checks-verdict.ts";
import { hasChecks } from "../../core/checks/job-checks.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { endedBeforeStart, infrastructure, type Verdict } from "../../core/verdict/verdict.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { coerceError } from "../../runtime/errors.ts";
import { earliest } from "../../runtime/wakeup.ts";
import type { LogChecks } from "../ports.ts";
import type { BuildWithdrawal } from "./build-withdrawal.ts";
import type { JobParts } from "./job-parts.ts";
import type { Ownership } from "./ownership.ts";

/** "left": another replica carries it out, or is to. "over": another one has, or its Job is gone; nothing is left to do for it anywhere. */
export type Left = "left" | "over";

export interface JobRunOptions extends JobParts {
  withdrawal: BuildWithdrawal;
  ownership: Ownership;
  /** Its Job is there, from before this process or this replica's role. */
  isFound: boolean;
  /** Whether its record is to say whose request is answered here. */
  isClaimed(): boolean;
  /** Its Job was made or found, whose name may be another one than was wanted. */
  onJob(): void;
  onState(state: BuildState): void;
  /** Who checks logs; undefined where none is kept. */
  checker: LogChecks | undefined;
  /** Reads what is said of the build. Returns whether it is this replica's to carry out. */
  look(): boolean;
  /** For a build that is not. Returns undefined as long as it is to be looked at again. */
  standBy(stopping: AbortSignal): Promise<Left | undefined>;
}

/** Another replica may have taken the build meanwhile, without any change that would tell. */
const CHECKING_LOOK_MS = 5000;

/** Goes through the phases of one Job of a build: create, follow, judge, collect, check; as long as the build is this replica's. */
export class JobRun {
  readonly #options: JobRunOptions;

  constructor(options: JobRunOptions) {
    this.#options = options;
  }

  /** Creates the Job, or adopts the one that is there. Returns a verdict when there can be none. */
  async create(stopping: AbortSignal): Promise<Verdict | "left" | undefined> {
    const { life, record, isClaimed, isFound, onJob } = this.#options;
    if (isFound) return undefined;
    const outcome = await life.create(() => this.#mayCreate(), stopping);
    switch (outcome.kind) {
      case "created":
      case "found":
        record.setJob(outcome.job);
        onJob();
        if (outcome.kind === "found") record.found(outcome.job, isClaimed());
        return undefined;
      case "impossible":
        return outcome.verdict;
      case "given-up":
      case "stopped":
        return "left";
    }
  }

  #mayCreate(): Verdict | undefined | false {
    const { ownership, withdrawal } = this.#options;
    if (!ownership.isOurs) return false;
    withdrawal.checkClaim();
    return withdrawal.reason && endedBeforeStart(withdrawal.reason);
  }

  /** Once the Job is there: until there is a verdict on it, its artifacts are stored and its log is checked. */
  async live(stopping: AbortSignal): Promise<Verdict | Left> {
    const verdict = await this.#follow(stopping);
    if (verdict === "left" || verdict === "over") return verdict;
    return (await this.#collect(verdict, stopping)) ?? (await this.#check(verdict, stopping));
  }

  /** Follows the Job until there is a verdict; "left" when `stopping` or another replica came first. */
  async #follow(stopping: AbortSignal): Promise<Verdict | Left> {
    const { life, record, withdrawal, ownership, wakeup, logger, look, standBy, onState } = this.#options;
    for (let failures = 0; !stopping.aborted; ) {
      try {
        if (!look()) {
          const left = await standBy(stopping);
          if (left) return left;
          continue;
        }
        await life.observe();
        onState(life.state);
        const recorded = record.verdict;
        if (recorded) return life.hasStarted ? recorded : await this.#discard(recorded, stopping);
        const unclaimedInMs = withdrawal.checkClaim();
        await life.observeTrouble();
        const action = life.decide(withdrawal.reason);
        if (action.kind === "finish") return action.deleteJob ? await this.#discard(action.verdict, stopping) : action.verdict;
        const nextLookMs = await life.act(action);
        if (!(await record.write())) ownership.yield();
        if (await life.isGone()) return infrastructure("job-gone", "the Job was deleted");
        failures = 0;
        await wakeup.wait(earliest(nextLookMs, action.kind === "wait" ? unclaimedInMs : undefined), stopping);
      } catch (error) {
        logger().warn({ err: coerceError(error) }, "retries what the API server did not do");
        await wakeup.wait(backoffMs(failures++, 250, 15_000), stopping);
      }
    }
    return "left";
  }

  /** Until its artifacts are stored or are not to be waited for, see `CollectPhase`; what would keep the collector waiting is ended. */
  async #collect(verdict: Verdict, stopping: AbortSignal): Promise<Left | undefined> {
    const { collecting, end, withdrawal, wakeup, logger, look, standBy } = this.#options;
    while (!stopping.aborted) {
      if (!look()) {
        const left = await standBy(stopping);
        if (left) return left;
        continue;
      }
      const leftMs = await collecting.look(verdict, withdrawal.reason);
      if (leftMs === undefined) return undefined;
      void end.keep(verdict, logger(), stopping);
      await wakeup.wait(leftMs, stopping);
    }
    return "left";
  }

  /** What the task's checks make of a test that has passed, as long as the build is this replica's: another one checks it anew. */
  async #check(passed: Verdict, stopping: AbortSignal): Promise<Verdict | Left> {
    const { life, checker, wakeup, look, standBy } = this.#options;
    const job = life.made;
    if (!job || !hasChecks(job) || !awaitsChecks(passed)) return passed;
    if (!checker)
      return judgeWithoutLog(passed, { kind: "fault", why: "this installation keeps no logs that could be checked - set logs.store" });
    while (!stopping.aborted) {
      if (!look()) {
        const left = await standBy(stopping);
        if (left) return left;
        continue;
      }
      const leaving = new AbortController();
      let checked: { verdict?: Verdict; thrown?: unknown } | undefined;
      const checking = checker
        .check(job, passed, AbortSignal.any([stopping, leaving.signal]))
        .then(
          (verdict) => ({ verdict }),
          (thrown) => ({ thrown }),
        )
        .then((outcome) => {
          checked = outcome;
          wakeup.wake();
        });
      while (checked === undefined && look()) await wakeup.wait(CHECKING_LOOK_MS, stopping);
      leaving.abort();
      await checking;
      if (checked?.verdict) return checked.verdict;
      if (checked?.thrown !== undefined && !stopping.aborted && look()) throw checked.thrown;
    }
    return "left";
  }

  /** Ends a build whose pod has not started, see `BuildEnd`. */
  async #discard(verdict: Verdict, stopping: AbortSignal): Promise<Verdict | "left"> {
    const { end, logger, ownership } = this.#options;
    const written = await end.discard(verdict, logger(), stopping);
    if (written === "yielded") ownership.yield();
    return written === "stopped" ? "left" : verdict;
  }
}
