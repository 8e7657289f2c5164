import type { BuildLimits } from "../observation/build-limits.ts";
import { type BuildState, hasStarted } from "../observation/build-state.ts";
import type { PodFacts } from "../observation/pod-facts.ts";
import { ranAtMostMs } from "../observation/run-time.ts";
import { eventsWanted, type WaitingTrouble } from "../observation/waiting-trouble.ts";
import { findRule } from "./rules.ts";
import { type EndRequest, recheckMs, type Sighting, type Withdrawal } from "./sighting.ts";
import { judge, type Verdict } from "./verdict.ts";

export interface BuildFacts {
  state: BuildState;
  withdrawn: Withdrawal | undefined;
  /**
   * When the present kind of state began, by a clock that is never set: as this process saw it; for a test that ran already when it did,
   * see `surelyRanMs`.
   */
  since: Date;
  /** The API server's clock, for what it has written itself. */
  clusterNow?: Date | undefined;
  /** Why this process had its pod ended, if it did. */
  ending?: EndRequest | undefined;
  /** Since when this process sees its pod told to end. */
  endingSince?: Date | undefined;
  /** What keeps the build from going on, and since when this process sees it unchanged. */
  trouble?: { trouble: WaitingTrouble; since: Date } | undefined;
  /** What its pod waits for, or last waited for before it was ended, as far as this process saw it. */
  waitedFor?: string | undefined;
  limits: BuildLimits;
}

export type BuildAction =
  /** Nothing to do before something changes, or at `recheckInMs` from now. */
  | { kind: "wait"; recheckInMs?: number }
  /** Lower the pod's deadline: TERM, grace, object and log stay. */
  | { kind: "end-pod"; pod: string; end: EndRequest }
  /** `deleteJob`: there is no log to keep, and no deadline reaches its pod; left alone, it might run one day. */
  | { kind: "finish"; verdict: Verdict; deleteJob: boolean };

/** How often a requested end is looked at again when no event comes. */
const ENDING_RECHECK_MS = 30_000;
/** How long after a pod's grace its kubelet may take to end it. */
const KUBELET_MS = 10 * 60_000;

/** What to do next about a build: data in, data out. */
export function decideBuild(facts: BuildFacts, now: Date): BuildAction {
  const { state, limits, trouble } = facts;
  const overrun = observeOverrun(facts, now);
  const end: EndRequest | undefined = facts.withdrawn ?? overrun.end;
  const sighting: Sighting = {
    ...{ state, end, limits, clusterNow: facts.clusterNow },
    stateMs: now.getTime() - facts.since.getTime(),
    waitedFor: facts.waitedFor,
    trouble: trouble && { trouble: trouble.trouble, standsMs: now.getTime() - trouble.since.getTime() },
  };

  const verdict = judge(sighting);
  if (verdict) return { kind: "finish", verdict, deleteJob: mustDeleteJob(state, verdict) };
  if (!end) return waitAtMost(overrun.remainingMs, recheckMs(sighting), troubleMs(sighting), newsMs(sighting));

  const pod = "pod" in state ? state.pod : undefined;
  if (pod?.isStarted && !pod.isEnding && !pod.isTerminal) return { kind: "end-pod", pod: pod.name, end };
  const endsInMs = pod?.isStarted ? kubeletMs(facts, pod, now) : 0;
  if (endsInMs > 0) return waitAtMost(ENDING_RECHECK_MS, recheckMs(sighting), endsInMs);
  // The kubelet ignores the deadline of a pod it has not taken yet, and there is no log to keep; or it is not there any more.
  const lost: BuildState = { kind: "lost", pod, job: { isDeleted: false, isSuspended: false }, reason: "its node did not end it" };
  // Whether a test on a node that says nothing had its time is not known.
  const gone = judge({ ...sighting, state: lost, end: end === "run-timeout" ? undefined : end });
  return gone ? { kind: "finish", verdict: gone, deleteJob: true } : { kind: "wait" };
}

/**
 * True while containers of an answered build's pod may still run, or begin to, and nobody ends them: they end with the test. Where an init
 * container has failed the kubelet does that; a pod without a node goes with its Job.
 */
export function mustEndPod(state: BuildState): boolean {
  if (!("pod" in state) || !state.pod || state.kind === "unscheduled" || state.kind === "not-started") return false;
  const { isUnended, isEnding, isDeleted } = state.pod;
  return isUnended && !isEnding && !isDeleted;
}

function mustDeleteJob(state: BuildState, verdict: Verdict): boolean {
  const isPending = state.kind === "queued" || state.kind === "unscheduled" || state.kind === "preparing";
  return findRule(verdict.rule)?.deletesJob === true || (isPending && !hasStarted(state));
}

/** How long a kubelet that was told to end this pod is waited for; it may be gone with its node. */
function kubeletMs({ endingSince }: BuildFacts, { graceMs }: PodFacts, now: Date): number {
  return (endingSince ?? now).getTime() + graceMs + KUBELET_MS - now.getTime();
}

function waitAtMost(...delays: (number | undefined)[]): BuildAction {
  const given = delays.filter((delay) => delay !== undefined);
  return given.length === 0 ? { kind: "wait" } : { kind: "wait", recheckInMs: Math.max(1, Math.min(...given)) };
}

/** How long until the present trouble is final. */
function troubleMs({ trouble }: Sighting): number | undefined {
  const finalAfterMs = trouble?.trouble.finalAfterMs;
  return finalAfterMs === undefined ? undefined : finalAfterMs - (trouble?.standsMs ?? 0);
}

/** How long until Events are to be asked for what the objects do not tell. */
function newsMs({ state, stateMs }: Sighting): number | undefined {
  const wanted = eventsWanted(state);
  return wanted && stateMs < wanted.afterMs ? wanted.afterMs - stateMs : undefined;
}

/** Which limit the build has overrun, or how long until it may. */
function observeOverrun(
  { state, since, limits, trouble, ending, clusterNow }: BuildFacts,
  now: Date,
): { end?: EndRequest; remainingMs?: number } {
  switch (state.kind) {
    case "queued":
      // A pod that a full quota keeps away waits for room like one that waits for a node.
      return trouble?.trouble.rule === "quota-full"
        ? overrun("schedule-timeout", since, limits.scheduleMs, now)
        : overrun("no-pod", since, limits.podMs, now);
    case "unscheduled":
      return overrun("schedule-timeout", since, limits.scheduleMs, now);
    case "preparing":
      return overrun(
        state.pod.stuckService ? "service-not-ready" : "pull-timeout",
        since,
        limits.pullMs + (state.pod.hasCheckout ? limits.checkoutMs : 0),
        now,
      );
    case "running":
      return overrun("run-timeout", since, limits.runMs, now);
    case "exited":
    case "not-started":
    case "lost":
      return state.pod?.isEnding ? { end: ending ?? whatEnded(state, limits, clusterNow) } : {};
    case "suspended":
    case "absent":
      return {};
  }
}

function overrun(end: EndRequest, since: Date, limitMs: number | undefined, now: Date): { end?: EndRequest; remainingMs?: number } {
  if (limitMs === undefined) return {};
  const remainingMs = since.getTime() + limitMs - now.getTime();
  return remainingMs <= 0 ? { end } : { remainingMs };
}

/** Why a pod's deadline was lowered, where another process did it: the containers' own times tell which limit it was. */
function whatEnded(
  state: Extract<BuildState, { kind: "exited" | "not-started" | "lost" }>,
  limits: BuildLimits,
  clusterNow: Date | undefined,
): EndRequest {
  if (state.kind !== "exited") {
    if (state.pod?.hasTestBegun) return "unknown";
    // Who did not see it wait knows only of services that had ended.
    return state.pod?.services.length ? "service-not-ready" : "pull-timeout";
  }
  // Kubernetes' timestamps are whole seconds.
  return ranAtMostMs(state, clusterNow) + 1000 >= limits.runMs ? "run-timeout" : "unknown";
}
