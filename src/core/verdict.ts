import type { BuildState } from "./build-state.ts";
import { CHECKOUT_EXIT_CODES } from "./checkout-plan.ts";
import { cleanResultText, failureText } from "./result-text.ts";

export type VerdictClass = "success" | "failure" | "cancelled" | "infrastructure" | "configuration";

/**
 * What a finished build means. `result` is what Zuul gets; null tells it "not the change's fault, run it again" (up to the job's
 * `attempts`). `rule` names the row that decided, `message` says it in a sentence, `evidence` holds what was seen.
 */
export interface Verdict {
  result: string | null;
  class: VerdictClass;
  rule: string;
  message: string;
  evidence?: Record<string, string | number>;
}

/** Why the operator ended a build itself. */
export type EndRequest = "stop" | "run-timeout" | "pull-timeout" | "schedule-timeout" | "no-pod" | "unclaimed" | "unknown";

/**
 * Judges a build by its state, the only place where results come from. `end` is set when its end was requested (by Zuul or by a limit),
 * `runTimeout` is that limit as the task wrote it. Returns undefined while nothing can be said yet.
 *
 * SUCCESS comes from one line only: exit code 0 of the test's container, seen, in a pod that nothing else ended.
 */
export function judge(state: BuildState, end: EndRequest | undefined, limits: { run: string; runMs: number }): Verdict | undefined {
  switch (state.kind) {
    case "exited":
      return judgeExit(state, end, limits);
    case "not-started":
      return end ? endVerdict(end, limits) : judgeInitFailure(state);
    case "lost":
      return end ? endVerdict(end, limits) : infrastructure("pod-lost", `the pod was lost - ${state.reason}`);
    case "preparing":
      return end ? undefined : judgeWaiting(state);
    default:
      return undefined;
  }
}

function judgeExit(
  { pod, terminated }: Extract<BuildState, { kind: "exited" }>,
  end: EndRequest | undefined,
  limits: { run: string; runMs: number },
): Verdict | undefined {
  const evidence = { pod: pod.name, exitCode: terminated.exitCode, ...(terminated.reason ? { reason: terminated.reason } : {}) };
  if (end) {
    // A test may handle TERM and exit 0 after its end was requested: only the pod's own end tells which of the two came first.
    if (terminated.exitCode === 0 && !pod.isTerminal && !pod.disruption) return undefined;
    if (terminated.exitCode === 0 && pod.phase === "Succeeded" && !pod.disruption) return { ...success(), evidence };
    return { ...endVerdict(end, limits), evidence };
  }
  if (pod.disruption) return { ...infrastructure("pod-disrupted", `the pod was taken away - ${pod.disruption}`), evidence };
  if (pod.reason === "DeadlineExceeded") return { ...judgeDeadline(terminated, limits), evidence };
  if (pod.reason === "Evicted")
    return { ...infrastructure("evicted", `the pod was evicted - ${pod.message ?? "no reason given"}`), evidence };
  if (terminated.exitCode === 0) return { ...success(), evidence };
  if (terminated.reason === "OOMKilled") {
    const limit = pod.memoryLimit;
    if (limit === undefined) return { ...infrastructure("node-out-of-memory", "the node ran out of memory"), evidence };
    return { ...failure("out-of-memory", `FAILURE - out of memory (limit ${limit})`), evidence };
  }
  if (terminated.reason === "ContainerCannotRun" || terminated.reason === "StartError") {
    return { ...infrastructure("not-runnable", `the container could not be started - ${terminated.message ?? ""}`), evidence };
  }
  return { ...failure("exit-code", terminated.message ?? ""), evidence };
}

/** The pod's own deadline ended it while no operator watched; the container's times say whether its run was over its limit. */
function judgeDeadline(
  { startedAt, finishedAt }: { startedAt?: string | null; finishedAt?: string | null },
  limits: { run: string; runMs: number },
): Verdict {
  const ranMs = startedAt && finishedAt ? Date.parse(finishedAt) - Date.parse(startedAt) : Number.NaN;
  if (ranMs >= limits.runMs) return endVerdict("run-timeout", limits);
  return infrastructure("pod-deadline", "the pod's deadline passed before its test had its time");
}

function judgeInitFailure({ container, terminated }: Extract<BuildState, { kind: "not-started" }>): Verdict {
  const evidence = { container, exitCode: terminated.exitCode };
  const sentence = cleanResultText(terminated.message ?? "") || `exit code ${terminated.exitCode}`;
  if (container === "checkout" && terminated.exitCode === CHECKOUT_EXIT_CODES.configuration) {
    return { ...configuration("checkout-configuration", sentence), evidence };
  }
  return {
    ...infrastructure(`${container === "checkout" ? "checkout" : "init-container"}-failed`, `${container} failed - ${sentence}`),
    evidence,
  };
}

function judgeWaiting({ waiting }: Extract<BuildState, { kind: "preparing" }>): Verdict | undefined {
  if (waiting?.reason !== "InvalidImageName") return undefined;
  return { ...configuration("invalid-image-name", `invalid image name - ${waiting.message}`), evidence: { container: waiting.container } };
}

function endVerdict(end: EndRequest, limits: { run: string }): Verdict {
  switch (end) {
    case "stop":
      return { result: "ABORTED", class: "cancelled", rule: "stopped", message: "Zuul asked to stop it" };
    case "run-timeout":
      return { result: "TIMED_OUT", class: "failure", rule: "run-timeout", message: `the test ran longer than ${limits.run}` };
    case "pull-timeout":
      return infrastructure("pull-timeout", "the pod's images and init containers were not ready in time");
    case "schedule-timeout":
      return infrastructure("schedule-timeout", "no node took the pod in time");
    case "no-pod":
      return infrastructure("no-pod", "the Job got no pod in time");
    case "unclaimed":
      return infrastructure("unclaimed", "no Gearman server asked for it any more");
    case "unknown":
      return infrastructure("ended-early", "its pod was told to end, and by whom is not known");
  }
}

/** A build that never had a Job, because its request or its task does not allow one. */
export function configuration(rule: string, why: string): Verdict {
  return { result: failureText(`CONFIG_ERROR - ${why}`), class: "configuration", rule, message: why };
}

/** Not the change's fault: Zuul runs it again. */
export function infrastructure(rule: string, message: string): Verdict {
  return { result: null, class: "infrastructure", rule, message };
}

/** Its end was asked for before there was anything to end. */
export function endedBeforeStart(end: "stop" | "unclaimed"): Verdict {
  return endVerdict(end, { run: "" });
}

function success(): Verdict {
  return { result: "SUCCESS", class: "success", rule: "exit-0", message: "the test ended with exit code 0" };
}

function failure(rule: string, sentence: string): Verdict {
  const result = failureText(sentence);
  return { result, class: "failure", rule, message: result };
}

/** `text` sends the sentences, `token` one word of ours for each. */
export type ResultStyle = "text" | "token";

/** The `result` for Zuul in the style that the configuration asks for. */
export function renderResult(verdict: Verdict, style: ResultStyle): string | null {
  if (verdict.result === null || style === "text") return verdict.result;
  switch (verdict.class) {
    case "success":
      return "SUCCESS";
    case "cancelled":
      return "ABORTED";
    case "configuration":
      return "CONFIG_ERROR";
    case "failure":
      return verdict.rule === "run-timeout" ? "TIMED_OUT" : "FAILURE";
    case "infrastructure":
      return null;
  }
}
