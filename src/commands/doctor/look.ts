import type { Clock } from "../../runtime/clock.ts";
import { coerceError, InputError } from "../../runtime/errors.ts";
import type { Finding } from "./finding.ts";

/** The world that is looked at; the process's own unless a test says otherwise. */
export interface DoctorWorld {
  readonly clock: Clock;
  /** Aborts, with an InputError, when nobody wants to wait any more. */
  readonly signal: AbortSignal;
}

/** How long one look may take: longer than a slow answer, shorter than anybody's patience. */
export const LOOK_MS = 30_000;

/**
 * One look: the findings of `work`, or what `explain` makes of its failure, a clause. A look that takes longer than `limitMs` has failed, and
 * is left behind, whether it heeds its signal or not. Rejects when the world's signal aborts only.
 */
export async function look(
  { clock, signal }: DoctorWorld,
  work: (signal: AbortSignal) => Promise<Finding[]>,
  explain: (why: string) => Finding[],
  limitMs = LOOK_MS,
): Promise<Finding[]> {
  signal.throwIfAborted();
  const late = new AbortController();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const giveUp = (reason: Error) => {
    late.abort(reason);
    reject(reason);
  };
  const cancelTimer = clock.schedule(limitMs, () => giveUp(new InputError(`no answer within ${limitMs / 1000} s`)));
  const onAbort = () => giveUp(coerceError(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(late.signal), givenUp]);
  } catch (thrown) {
    signal.throwIfAborted();
    return explain(coerceError(thrown).message);
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", onAbort);
  }
}
