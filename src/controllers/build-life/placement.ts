import type { BuildState } from "../../core/observation/build-state.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { BuildTallies } from "./build-context.ts";

/** Whether a build has begun and has a place on a node, and what the scheduler says as long as it has none; tells the tallies. */
export class Placement {
  readonly #options: { tallies: BuildTallies; taskKey: string; number: string; clock: Clock };
  #hasBegun = false;
  #isPlaced = false;
  #words: string | undefined;
  #waitsSinceMs = 0;

  constructor(options: { tallies: BuildTallies; taskKey: string; number: string; clock: Clock }) {
    this.#options = options;
  }

  /** False while its request waits in line for a slot: nothing was done for it yet. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** It is carried out from now on. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#options.tallies.noteBegin(this.#options.taskKey);
  }

  /** By what is seen of it, at a glance: nothing is said of what it waits for. */
  glance(state: () => BuildState): void {
    if (!this.#isPlaced) this.#notePlaced(state());
  }

  note(state: BuildState): void {
    this.#notePlaced(state);
    this.#noteWait(state.kind === "unscheduled" && !this.#isPlaced ? state.words : undefined);
  }

  /** A kubelet has taken its pod, or it ended without one: it waits for room no longer. */
  place(): void {
    if (this.#isPlaced || !this.#hasBegun) return;
    this.#isPlaced = true;
    this.#options.tallies.notePlaced(this.#options.taskKey);
    this.#noteWait(undefined);
  }

  #notePlaced(state: BuildState): void {
    if ("pod" in state && (state.pod?.isStarted ?? true)) this.place();
  }

  #noteWait(words: string | undefined): void {
    const { tallies, taskKey, number, clock } = this.#options;
    if (words === this.#words) return;
    if (this.#words === undefined) this.#waitsSinceMs = clock.monotonicMs();
    this.#words = words;
    tallies.noteWait(taskKey, number, words === undefined ? undefined : { words, sinceMs: this.#waitsSinceMs });
  }
}
