import { parseDurationMs } from "../../core/kubernetes/duration.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import { within } from "../../runtime/within.ts";

/** Of the two seconds in which another replica takes over: for Jobs that are being made, so that they are there to be counted. */
const CREATION_GRACE_MS = 1000;
/** Rights that are back by then were never gone: an API server that can't look a login up refuses it, too. */
const MAX_LOCKED_OUT_MS = 2 * 60_000;
const LOOK_MS = 5_000;

interface DrainOptions {
  builds: { readonly claimed: number; created(): Promise<void>; emptied(signal: AbortSignal): Promise<void> };
  replicas: { resign(): Promise<void> };
  cluster: { lockedOutMs(): number };
  /** How long its builds may take, `1h`. */
  limit: string;
  clock: Clock;
  logger: Logger;
}

/**
 * Of a replica that takes no more builds: gives the holder's Lease away, and resolves once its builds have ended, the time for that is over,
 * `signal` aborts, or it has lost its rights, as to `helm uninstall`: then nothing that becomes of its builds would ever reach it. Resolves to
 * how many are left.
 */
export async function drainBuilds({ builds, replicas, cluster, limit, clock, logger }: DrainOptions, signal: AbortSignal): Promise<number> {
  const isOver = new AbortController();
  const cancelTimer = clock.schedule(parseDurationMs(limit), () => isOver.abort());
  const sight = new Loop(clock, async () => {
    const lockedOutMs = cluster.lockedOutMs();
    if (lockedOutMs < MAX_LOCKED_OUT_MS) return LOOK_MS;
    logger.warn({ builds: builds.claimed, lockedOutMs: Math.round(lockedOutMs) }, "sees its builds no more: the API server refuses it");
    isOver.abort();
    return undefined;
  });
  try {
    await within(CREATION_GRACE_MS, builds.created(), clock);
    await replicas.resign();
    logger.info({ builds: builds.claimed, drain: limit }, "ends the builds under way");
    await sight.start();
    await builds.emptied(AbortSignal.any([signal, isOver.signal]));
  } finally {
    cancelTimer();
    await sight.stop();
  }
  return builds.claimed;
}
