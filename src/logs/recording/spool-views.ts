import type { Clock } from "../../runtime/clock.ts";
import { SpoolView } from "../follow/spool-view.ts";
import { AnswerLimit } from "../stores/answer-limit.ts";
import type { SpoolRoot } from "./spool-root.ts";

/** A view holds an index and nothing that has to be closed: one that is left out is made anew for who asks next. */
const MAX_VIEWS = 32;

/** Spools that other replicas write, where all replicas see them. */
export class SpoolViews {
  readonly #spools: Pick<SpoolRoot, "containers" | "directoryOf">;
  readonly #clock: Clock;
  readonly #answers: AnswerLimit;
  /** Those that were asked for last come last. */
  readonly #views = new Map<string, Promise<SpoolView | undefined>>();

  constructor(spools: Pick<SpoolRoot, "containers" | "directoryOf">, clock: Clock) {
    this.#spools = spools;
    this.#clock = clock;
    this.#answers = new AnswerLimit(clock);
  }

  /** Of this build, in no order. */
  containers(uid: string): Promise<string[]> {
    return this.#answers.run(() => this.#spools.containers(uid));
  }

  /** As it is now, the same object for all who ask; undefined where there is none, or it can't be read. */
  async open(uid: string, container: string): Promise<SpoolView | undefined> {
    const directory = this.#spools.directoryOf(uid, container);
    const known = this.#views.get(directory) ?? SpoolView.open(directory, this.#clock);
    this.#views.delete(directory);
    this.#views.set(directory, known);
    for (const each of [...this.#views.keys()].slice(0, -MAX_VIEWS)) this.#views.delete(each);
    try {
      const view = await this.#answers.run(async () => {
        const found = await known;
        await found?.look();
        return found;
      });
      if (view && !view.snapshot().isLeft) return view;
      this.#views.delete(directory);
      return undefined;
    } catch {
      // It is gone, or the volume is: there may be the pod's own log.
      this.#views.delete(directory);
      return undefined;
    }
  }
}
