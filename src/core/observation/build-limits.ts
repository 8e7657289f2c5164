import { formatDuration, parseDurationMs } from "../kubernetes/duration.ts";
import type { BuildLimits } from "../verdict/build-decision.ts";

/** How long the checkout may take, retries included. */
export const CHECKOUT_TIMEOUT_MS = 10 * 60_000;
export const CHECKOUT_TIMEOUT = formatDuration(CHECKOUT_TIMEOUT_MS);

/** A Job without a pod for this long is given up: its pod was refused, or nobody makes pods. */
const POD_TIMEOUT_MS = 10 * 60_000;

/** A task's `timeouts` as milliseconds. */
export function buildLimits(timeouts: { pull: string; run: string; schedule?: string | undefined }): BuildLimits {
  return {
    podMs: POD_TIMEOUT_MS,
    scheduleMs: timeouts.schedule === undefined ? undefined : parseDurationMs(timeouts.schedule),
    pullMs: parseDurationMs(timeouts.pull),
    checkoutMs: CHECKOUT_TIMEOUT_MS,
    runMs: parseDurationMs(timeouts.run),
    run: timeouts.run,
  };
}
