import { formatDuration, parseDurationMs } from "../kubernetes/duration.ts";

/** How long the checkout may take, retries included. */
const CHECKOUT_TIMEOUT_MS = 10 * 60_000;
export const CHECKOUT_TIMEOUT = formatDuration(CHECKOUT_TIMEOUT_MS);

/** A Job without a pod for this long is given up: its pod was refused, or nobody makes pods. */
const POD_TIMEOUT_MS = 10 * 60_000;

/** Limits of one build, in milliseconds; undefined is no limit. */
export interface BuildLimits {
  /** From the Job's creation until it has a pod. */
  podMs: number;
  /** From the pod's creation until a node has it. */
  scheduleMs: number | undefined;
  /** From when the kubelet took the pod until the test's container runs: pulling and init containers. */
  pullMs: number;
  /** What the checkout may take beside that, where there is one. */
  checkoutMs: number;
  runMs: number;
  /** From the end of the test until its artifacts are stored, where it has some. */
  collectMs: number;
  /** The run limit as the task wrote it, for people. */
  run: string;
}

/** A task's `timeouts` as milliseconds. */
export function buildLimits(timeouts: { pull: string; run: string; collect: string; schedule?: string | undefined }): BuildLimits {
  return {
    podMs: POD_TIMEOUT_MS,
    scheduleMs: timeouts.schedule === undefined ? undefined : parseDurationMs(timeouts.schedule),
    pullMs: parseDurationMs(timeouts.pull),
    checkoutMs: CHECKOUT_TIMEOUT_MS,
    runMs: parseDurationMs(timeouts.run),
    collectMs: parseDurationMs(timeouts.collect),
    run: timeouts.run,
  };
}
