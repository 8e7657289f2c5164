import type { KubeEvent } from "../../core/kubernetes/objects.ts";
import { refusalCause } from "../../core/kubernetes/refusal-cause.ts";
import type { BuildState } from "../../core/observation/build-state.ts";
import { describeWaiting } from "../../core/observation/waiting-for.ts";
import { eventsWanted, observeTrouble, type WaitingTrouble } from "../../core/observation/waiting-trouble.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";

/** Events are read again after as long as the build had waited when they were read, but no later than this. */
const MAX_INTERVAL_MS = 60_000;

export interface WaitingWatchOptions {
  /** Events about the object of this uid, or of the claim of this name. */
  readEvents(about: string): Promise<readonly KubeEvent[]>;
  /** What was read may change what `observe` finds. */
  onRead(): void;
  /** Its pod begins to wait for room in a quota. */
  onQuotaFull(why: string): void;
  clock: Clock;
  logger(): Logger;
}

/** What the Events that may be wanted are about: uids, and of the claim that a dataset's volume is made for its name. */
type WaitingObjects = Record<"job" | "pod" | "claim", string | undefined>;

/** Finds out why a build waits where Job and pod do not tell, and since when it has been that. */
export class WaitingWatch {
  readonly #options: WaitingWatchOptions;
  #events: readonly KubeEvent[] = [];
  /** Whose Events are wanted. */
  #wantedUid: string | undefined;
  /** When they are to be read again, by the clock that never jumps. */
  #readAgainMs = Number.NEGATIVE_INFINITY;
  #trouble: { trouble: WaitingTrouble; since: Date } | undefined;
  #waitedFor: string | undefined;

  constructor(options: WaitingWatchOptions) {
    this.#options = options;
  }

  get trouble(): { trouble: WaitingTrouble; since: Date } | undefined {
    return this.#trouble;
  }

  /** What it waits for, or last waited for: a pod that was ended meanwhile does not tell any more. */
  get waitedFor(): string | undefined {
    return this.#waitedFor;
  }

  /** Looks at a state that has stood since `since`; returns when to look again. */
  async observe(state: BuildState, since: Date, uids: WaitingObjects): Promise<number | undefined> {
    const { clock, logger } = this.#options;
    const wanted = eventsWanted(state);
    const uid = wanted && uids[wanted.of];
    if (uid !== this.#wantedUid) {
      this.#events = [];
      this.#readAgainMs = Number.NEGATIVE_INFINITY;
    }
    this.#wantedUid = uid;
    const waitedMs = clock.steadyNow().getTime() - since.getTime();
    let nextMs: number | undefined;
    if (wanted && waitedMs >= wanted.afterMs) {
      nextMs = this.#readAgainMs - clock.monotonicMs();
      if (nextMs <= 0) {
        nextMs = Math.min(waitedMs, MAX_INTERVAL_MS);
        this.#readAgainMs = clock.monotonicMs() + nextMs;
        const read = this.#read(uid);
        // Only where they decide about a build that is over are they waited for: else it would not see meanwhile that its pod has gone on.
        if (wanted.afterMs === 0) await read;
      }
    }
    this.#waitedFor = describeWaiting(state, this.#events) ?? this.#waitedFor;
    const trouble = observeTrouble(state, this.#events);
    if (trouble?.key !== this.#trouble?.trouble.key) {
      if (trouble) logger().info({ rule: trouble.rule, text: trouble.sentence }, "build waits for what may not come");
      if (trouble?.rule === "quota-full") this.#options.onQuotaFull(refusalCause(trouble.sentence));
      this.#trouble = trouble && { trouble, since: clock.steadyNow() };
    }
    return nextMs;
  }

  /** Events are a help, not a need: without them the limits of time decide. Never rejects. */
  async #read(uid: string | undefined): Promise<void> {
    const { readEvents, logger, onRead } = this.#options;
    if (uid === undefined) return;
    try {
      const events = await readEvents(uid);
      if (uid !== this.#wantedUid) return;
      this.#events = events;
      if (events.length > 0) onRead();
    } catch (error) {
      logger().warn({ err: coerceError(error) }, "could not read the Events that may tell why the build waits");
    }
  }
}
