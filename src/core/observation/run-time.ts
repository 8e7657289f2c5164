import type { TerminatedState } from "../kubernetes/objects.ts";
import type { BuildState } from "./build-state.ts";

/** Kubernetes' timestamps are whole seconds, and so is the date of an answer. */
const STAMP_MS = 1000;

/**
 * How long a test that runs has surely run, by the objects alone; 0 where they do not tell. Two clocks write there: the API server's side
 * (`createdAt`, `scheduledAt`, and `clusterNow`), and the node (`takenAt`, `startedAt`), and either may be wrong. So it counts once from the
 * node's `startedAt`, and once from when a node was chosen and on for as long as the node itself took until the start; the shorter one stands:
 * the first is wrong where the node's clock is behind, the second where its kubelet was away before it took the pod.
 */
export function surelyRanMs({ pod, startedAt }: Extract<BuildState, { kind: "running" }>, clusterNow: Date): number {
  const startedMs = readMs(startedAt);
  const sinceStartMs = clusterNow.getTime() - startedMs;
  const sinceScheduledMs = clusterNow.getTime() - (readMs(pod.scheduledAt) + Math.max(0, startedMs - readMs(pod.takenAt)));
  return positive(Math.min(sinceStartMs, sinceScheduledMs) - STAMP_MS);
}

/**
 * How long a test that has ended may have run at most: by its node's times, and no longer than its pod was there by the API server's, until
 * `clusterNow` or until the Job was over. NaN where the node does not tell.
 */
export function ranAtMostMs({ pod, job, terminated }: Extract<BuildState, { kind: "exited" }>, clusterNow: Date | undefined): number {
  const untilMs = job.endedAt === undefined ? clusterNow?.getTime() : readMs(job.endedAt);
  const thereMs = untilMs === undefined ? Number.NaN : untilMs - readMs(pod.createdAt) + STAMP_MS;
  const ranMs = ranByNodeMs(terminated);
  return Number.isNaN(thereMs) ? ranMs : Math.min(ranMs, thereMs);
}

/** How long it ran by its node's clock; NaN where the node does not tell. */
export function ranByNodeMs({ startedAt, finishedAt }: TerminatedState): number {
  return readMs(finishedAt) - readMs(startedAt);
}

/** How long ago the API server made an object, by its own clock; 0 where it does not tell. */
export function ageMs(createdAt: string | undefined, clusterNow: Date): number {
  return positive(clusterNow.getTime() - readMs(createdAt));
}

/** 0 for what is less, or not known. */
function positive(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

function readMs(stamp: string | null | undefined): number {
  return Date.parse(stamp ?? "");
}
