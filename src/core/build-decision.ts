import type { BuildState } from "./build-state.ts";
import { type EndRequest, judge, type Verdict } from "./verdict.ts";

/** Limits of one build, in milliseconds; undefined is no limit. */
export interface BuildLimits {
  /** From the Job's creation until it has a pod. */
  podMs: number;
  /** From the pod's creation until a node has it. */
  scheduleMs: number | undefined;
  /** From when the kubelet took the pod until the test's container runs: pulling and init containers. */
  prepareMs: number;
  runMs: number;
  /** The run limit as the task wrote it, for people. */
  run: string;
}

export interface BuildFacts {
  state: BuildState;
  /** Set once Zuul asked for the build's end, or nobody asks for its result any more. */
  requested: "stop" | "unclaimed" | undefined;
  /**
   * When the present kind of state began: as this process saw it, so that no other machine's clock counts; for a build that was already
   * there when the process started, what the objects say.
   */
  since: Date;
  limits: BuildLimits;
}

export type BuildAction =
  /** Nothing to do before something changes, or at `recheckInMs` from now. */
  | { kind: "wait"; recheckInMs?: number }
  /** Lower the pod's deadline: TERM, grace, object and log stay. */
  | { kind: "end-pod"; pod: string }
  | { kind: "finish"; verdict: Verdict; deleteJob: boolean };

/** How often a requested end is looked at again when no event comes. */
const ENDING_RECHECK_MS = 30_000;

/** What to do next about a build: data in, data out. */
export function decideBuild(facts: BuildFacts, now: Date): BuildAction {
  const { state, limits } = facts;
  const overrun = observeOverrun(facts, now);
  const end: EndRequest | undefined = facts.requested ?? overrun.end;

  const verdict = judge(state, end, limits);
  if (verdict) return { kind: "finish", verdict, deleteJob: false };
  if (!end) return overrun.remainingMs === undefined ? { kind: "wait" } : { kind: "wait", recheckInMs: Math.max(1, overrun.remainingMs) };

  const pod = "pod" in state ? state.pod : undefined;
  if (pod?.isStarted) return pod.isEnding ? { kind: "wait", recheckInMs: ENDING_RECHECK_MS } : { kind: "end-pod", pod: pod.name };
  // The kubelet ignores the deadline of a pod it has not taken yet, and there is no log to keep.
  const unstarted = judge({ kind: "lost", pod, reason: "ended before it started" }, end, limits);
  return unstarted ? { kind: "finish", verdict: unstarted, deleteJob: true } : { kind: "wait" };
}

/** Which limit the build has overrun, or how long until it may. */
function observeOverrun({ state, since, limits }: BuildFacts, now: Date): { end?: EndRequest; remainingMs?: number } {
  switch (state.kind) {
    case "queued":
      return overrun("no-pod", since, limits.podMs, now);
    case "unscheduled":
      return limits.scheduleMs === undefined ? {} : overrun("schedule-timeout", since, limits.scheduleMs, now);
    case "preparing":
      return overrun("pull-timeout", since, limits.prepareMs, now);
    case "running":
      return overrun("run-timeout", since, limits.runMs, now);
    case "exited":
    case "not-started":
    case "lost":
      return endedByLimit(state, limits);
    case "suspended":
    case "absent":
      return {};
  }
}

function overrun(end: EndRequest, since: Date, limitMs: number, now: Date): { end?: EndRequest; remainingMs?: number } {
  const remainingMs = since.getTime() + limitMs - now.getTime();
  return remainingMs <= 0 ? { end } : { remainingMs };
}

/** A pod whose deadline was lowered, seen after its end: the containers' own times tell which limit it was. */
function endedByLimit(state: Extract<BuildState, { kind: "exited" | "not-started" | "lost" }>, limits: BuildLimits): { end?: EndRequest } {
  if (!state.pod?.isEnding) return {};
  if (state.kind !== "exited") return { end: "pull-timeout" };
  const { startedAt, finishedAt } = state.terminated;
  const ranMs = startedAt && finishedAt ? Date.parse(finishedAt) - Date.parse(startedAt) : Number.NaN;
  // Kubernetes' timestamps are whole seconds.
  return ranMs + 1000 >= limits.runMs ? { end: "run-timeout" } : { end: "unknown" };
}
