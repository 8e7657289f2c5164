import { awaitsArtifacts } from "../../core/observation/build-state.ts";
import type { Withdrawal } from "../../core/verdict/sighting.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { JobFollower } from "./job-follower.ts";

/** What the API server did not tell is asked again. */
const RETRY_MS = 1000;

export interface CollectPhaseOptions {
  life: Pick<JobFollower, "observe" | "state">;
  collectMs: number;
  clock: Clock;
  logger(): Logger;
}

/**
 * Between the end of a test and its answer: until the artifacts are stored, their collector has ended, or `timeouts.collect` is over. Decides
 * nothing of the verdict. What Zuul is to run again, or has stopped, is not held up: that place is free for the next build.
 */
export class CollectPhase {
  readonly #options: CollectPhaseOptions;
  #untilMs: number | undefined;

  constructor(options: CollectPhaseOptions) {
    this.#options = options;
  }

  /** When to look again at the latest; undefined once nothing is waited for any more. */
  async look(verdict: Verdict, withdrawn: Withdrawal | undefined): Promise<number | undefined> {
    const { life, collectMs, clock, logger } = this.#options;
    if (verdict.result === null || withdrawn === "stop" || !awaitsArtifacts(life.state)) return undefined;
    this.#untilMs ??= clock.monotonicMs() + collectMs;
    const leftMs = this.#untilMs - clock.monotonicMs();
    if (leftMs <= 0) {
      logger().warn({ collectMs }, "answers without the artifacts, they were not stored in time");
      return undefined;
    }
    try {
      await life.observe();
    } catch (error) {
      logger().warn({ err: coerceError(error) }, "retries what the API server did not do");
      return Math.min(leftMs, RETRY_MS);
    }
    return awaitsArtifacts(life.state) ? leftMs : undefined;
  }
}
