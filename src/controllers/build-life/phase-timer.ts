import { STEPS } from "../../core/observation/steps.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { BuildObserver, BuildPhase } from "../ports.ts";

const ENDED = STEPS.indexOf("ended");

/** The phase of a build of which so many of `STEPS` are done; undefined when its test is over. */
function phaseOf(step: number): BuildPhase | undefined {
  if (step >= ENDED) return undefined;
  if (step >= STEPS.indexOf("running")) return "running";
  return step >= STEPS.indexOf("preparing") ? "preparing" : "pending";
}

/**
 * Times the phases of one build as this process sees them. What began before it looked is not told, and a phase that passed between two
 * looks counts for the one before.
 */
export class PhaseTimer {
  readonly #observer: BuildObserver;
  readonly #clock: Clock;
  #phase: BuildPhase | undefined;
  #sinceMs: number | undefined;

  constructor(options: { observer: BuildObserver; clock: Clock; isAdopted: boolean }) {
    this.#observer = options.observer;
    this.#clock = options.clock;
    this.#phase = "pending";
    this.#sinceMs = options.isAdopted ? undefined : options.clock.monotonicMs();
  }

  get phase(): BuildPhase | undefined {
    return this.#phase;
  }

  /** So many of `STEPS` are done. */
  reach(step: number): void {
    this.#enter(phaseOf(step));
  }

  /** There is a verdict, and somebody may be told. */
  conclude(): void {
    this.#enter("answer");
  }

  /** The answer was read; whatever comes now is no part of the build. */
  delivered(): void {
    this.#enter(undefined);
  }

  #enter(phase: BuildPhase | undefined): void {
    if (phase === this.#phase) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#phase !== undefined && this.#sinceMs !== undefined) this.#observer.notePhase(this.#phase, nowMs - this.#sinceMs);
    this.#phase = phase;
    this.#sinceMs = nowMs;
  }
}
