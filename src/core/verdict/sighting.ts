import type { InitRole } from "../kubernetes/container-roles.ts";
import type { TerminatedState } from "../kubernetes/objects.ts";
import { cutText } from "../logs/cut-text.ts";
import type { BuildState } from "../observation/build-state.ts";
import type { PodFacts } from "../observation/pod-facts.ts";
import { ranByNodeMs } from "../observation/run-time.ts";
import type { WaitingTrouble } from "../observation/waiting-trouble.ts";
import { firstLine } from "../zuul/clean-result-text.ts";

export type Evidence = Record<string, string | number>;

/** Nobody wants the build any more: Zuul asked to stop it, or no Gearman server asks for it. */
export type Withdrawal = "stop" | "unclaimed";

/** Why the operator ended a build itself. */
export type EndRequest = Withdrawal | "run-timeout" | "pull-timeout" | "service-not-ready" | "schedule-timeout" | "no-pod" | "unknown";

/** All that a verdict is made of. */
export interface Sighting {
  state: BuildState;
  /** Set when the build's end was requested, by Zuul or by a limit. */
  end: EndRequest | undefined;
  /** The run limit, also as the task wrote it. */
  limits: { run: string; runMs: number };
  /** The API server's clock, for what it has written itself. */
  clusterNow?: Date | undefined;
  /** How long the present kind of state has stood. */
  stateMs: number;
  /** What keeps a build that waits from going on, and how long that has stood unchanged. */
  trouble?: { trouble: WaitingTrouble; standsMs: number } | undefined;
  /** What it last waited for, in a clause for people. */
  waitedFor?: string | undefined;
}

/** What a rule found: the sentence for people, and the text that reviewers get where that is another one. */
export interface Finding {
  sentence: string;
  result?: string;
  evidence?: Evidence;
}

/** A request to end that the pod cannot outlive: it may still have been first. */
const END_BACKSTOP_MS = 10 * 60_000;
/** Why the kubelet ended a test comes with the pod's own end, a second later; a test may give TERM any exit code. */
const SIGNAL_MS = 3000;
/** Hardly a node is back sooner after it has shut down, and a kubelet that is there is hardly that slow. */
const UNWATCHED_MS = 20_000;

/** True while what is seen may still get another meaning, which the pod's own end will tell. */
export function mayTellMore({ state, end, stateMs, limits }: Sighting): boolean {
  if ((state.kind !== "exited" && state.kind !== "not-started") || stateMs >= END_BACKSTOP_MS) return false;
  const { pod, terminated } = state;
  if (pod.isTerminal || pod.disruption || pod.isDeleted || pod.hasTestRunAgain) return false;
  // Who ended it before its time is told with the pod's own end.
  if (end === "run-timeout" && !hadItsTime({ state, limits })) return true;
  // A test may handle TERM and exit 0 after its end was requested.
  if (end) return state.kind === "exited" && terminated.exitCode === 0;
  if (pod.killed !== undefined || isPastDeadline(state)) return true;
  return terminated.exitCode !== 0 && terminated.reason !== "OOMKilled" && stateMs < SIGNAL_MS;
}

/** How long until a sighting that tells nothing yet is worth another look, where no event comes; undefined: as long as it takes. */
export function recheckMs({ state, stateMs }: Sighting): number | undefined {
  if (state.kind !== "exited" && state.kind !== "not-started") return undefined;
  return Math.max(1, (stateMs < SIGNAL_MS && state.pod.killed === undefined ? SIGNAL_MS : END_BACKSTOP_MS) - stateMs);
}

/** Nothing but its containers ended this pod. */
export function isUntouched(pod: PodFacts): boolean {
  const { disruption, isDeleted, killed, reason } = pod;
  return disruption === undefined && !isDeleted && killed === undefined && reason === undefined && !isUnwatched(pod);
}

/** Its kubelet was away when the test ended, so that nobody saw who ended it. */
export function isUnwatched({ unseenMs }: PodFacts): boolean {
  return unseenMs !== undefined && unseenMs >= UNWATCHED_MS;
}

/**
 * It ended when its pod's own deadline had passed. The kubelet ends all containers then, and tells why with the pod's own end, for a pod
 * whose containers had ended by themselves as well (pkg/kubelet: active_deadline.go, `mergePodStatus` in status/status_manager.go).
 */
export function isPastDeadline({ pod: { deadlineAtMs }, terminated: { finishedAt } }: ContainerEnd): boolean {
  return deadlineAtMs !== undefined && finishedAt != null && Date.parse(finishedAt) >= deadlineAtMs;
}

type Over = Extract<BuildState, { kind: "exited" | "not-started" | "lost" }>;
type Exited = Extract<BuildState, { kind: "exited" }>;
type ContainerEnd = Extract<BuildState, { kind: "exited" | "not-started" }>;

export function whenOver({ state }: Sighting, find: (state: Over) => Finding | undefined): Finding | undefined {
  return state.kind === "exited" || state.kind === "not-started" || state.kind === "lost" ? find(state) : undefined;
}

export function whenExited({ state }: Sighting, find: (state: Exited) => Finding | undefined): Finding | undefined {
  return state.kind === "exited" ? find(state) : undefined;
}

export function whenContainerEnded({ state }: Sighting, find: (state: ContainerEnd) => Finding | undefined): Finding | undefined {
  return state.kind === "exited" || state.kind === "not-started" ? find(state) : undefined;
}

export function whenEndedBy(
  ends: EndRequest | readonly EndRequest[],
  say: (sighting: Sighting) => string,
): (sighting: Sighting) => Finding | undefined {
  return (sighting) =>
    sighting.end !== undefined && [ends].flat().includes(sighting.end)
      ? whenOver(sighting, () => ({ sentence: say(sighting) }))
      : undefined;
}

export function whenPod(find: (pod: PodFacts) => Finding | undefined): (sighting: Sighting) => Finding | undefined {
  return (sighting) => whenOver(sighting, ({ pod }) => (pod ? find(pod) : undefined));
}

export function whenDisrupted(is: (pod: PodFacts) => boolean, how: string): (sighting: Sighting) => Finding | undefined {
  return whenPod((pod) => {
    if (!is(pod)) return undefined;
    const message = pod.disruption?.message ?? pod.message ?? "no reason given";
    return { sentence: `the pod was ${how} - ${message}`, evidence: { message } };
  });
}

export function whenRefusedByNode(is: (reason: string) => boolean): (sighting: Sighting) => Finding | undefined {
  return whenPod(({ phase, reason, message, hasContainerStatuses }) => {
    if (phase !== "Failed" || reason === undefined || hasContainerStatuses || !is(reason)) return undefined;
    const words = (message ?? reason).replace(/^Pod was rejected: /, "");
    return { sentence: `the node refuses the pod - ${words}`, evidence: { message: words } };
  });
}

export function whenCheckoutFailed(exitCode: number | undefined, before = ""): (sighting: Sighting) => Finding | undefined {
  return ({ state }) => {
    if (state.kind !== "not-started" || state.role !== "checkout") return undefined;
    const { terminated } = state;
    // What it says of a git that was killed for want of memory is not the cause.
    if (exitCode !== undefined && (terminated.exitCode !== exitCode || terminated.reason === "OOMKilled")) return undefined;
    const said = firstLine(terminated.message ?? "") || endOf(terminated);
    return { sentence: `${before}${said}`, evidence: { container: state.container, ...exitEvidence(terminated) } };
  };
}

interface OutOfMemory {
  container: string;
  role: InitRole | "test";
  limit: string | number | undefined;
}

/** The test, the init container that failed, or a service whose end made the test fail. */
export function whenOutOfMemory(sighting: Sighting, find: (who: OutOfMemory) => Finding | undefined): Finding | undefined {
  return whenContainerEnded(sighting, (state) => {
    const { pod, container, terminated } = state;
    const isKilled = (end: TerminatedState) => end.reason === "OOMKilled";
    const role = state.kind === "exited" ? "test" : state.role;
    if (isKilled(terminated)) return find({ container, limit: pod.memoryLimits[container], role });
    // A test that says itself why it failed knows better.
    if (firstLine(terminated.message ?? "") !== "") return undefined;
    const service = pod.services.find((each) => isKilled(each.terminated));
    return service && find({ container: service.name, limit: pod.memoryLimits[service.name], role: "service" });
  });
}

export function whenTroubled(rule: WaitingTrouble["rule"]): (sighting: Sighting) => Finding | undefined {
  return ({ trouble: seen, end }) => {
    if (!seen || end || seen.trouble.rule !== rule) return undefined;
    const { sentence, result, evidence, finalAfterMs } = seen.trouble;
    const isFinal = finalAfterMs !== undefined && seen.standsMs >= finalAfterMs;
    return isFinal ? { sentence, evidence, ...(result === undefined ? {} : { result }) } : undefined;
  };
}

/** How much earlier than its limit a test ends that nobody has ended for that, whatever clocks say. */
const EARLY_MS = 60_000;

/**
 * False for a test that has ended well before its limit, as its node tells too late; and for one whose pod was taken away before its node
 * has told anything.
 */
export function hadItsTime({ state, limits }: Pick<Sighting, "state" | "limits">): boolean {
  if (state.kind === "lost") return state.pod?.isTerminal === true;
  return state.kind !== "exited" || !(ranByNodeMs(state.terminated) < limits.runMs - EARLY_MS);
}

export function endOf({ exitCode, reason }: TerminatedState): string {
  if (reason === "OOMKilled") return "out of memory";
  return exitCode > 128 && exitCode < 160 ? `exit code ${exitCode} (signal ${exitCode - 128})` : `exit code ${exitCode}`;
}

export function exitEvidence(terminated: TerminatedState): Evidence {
  return { exitCode: terminated.exitCode, ...(terminated.reason ? { reason: terminated.reason } : {}) };
}

export function podEvidence({ state }: Sighting): Evidence {
  if (!("pod" in state) || !state.pod) return {};
  const { name, node, reason } = state.pod;
  return {
    pod: name,
    ...(node ? { node } : {}),
    ...(reason ? { podReason: reason } : {}),
    ...("terminated" in state ? exitEvidence(state.terminated) : {}),
  };
}

const MAX_EVIDENCE_LENGTH = 1024;

export function withEvidence(evidence: Evidence | undefined): { evidence?: Evidence } {
  if (!evidence || Object.keys(evidence).length === 0) return {};
  const short = (value: string | number) => (typeof value === "string" ? cutText(value, MAX_EVIDENCE_LENGTH) : value);
  return { evidence: Object.fromEntries(Object.entries(evidence).map(([name, value]) => [name, short(value)])) };
}
