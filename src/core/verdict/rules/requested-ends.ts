import { ranAtMostMs } from "../../observation/run-time.ts";
import { endOf, exitEvidence, hadItsTime, whenEndedBy, whenExited, whenOver } from "../sighting.ts";
import { POD, type VerdictRule } from "./verdict-rule.ts";

// Ends that were asked for: by Zuul, by a limit, or by nobody who is known.

export const stopped = {
  id: "stopped",
  class: "cancelled",
  seen: "Zuul asked to stop the build before its test had ended, whatever its exit code was then.",
  result: "ABORTED",
  keeps: POD,
  find: whenEndedBy("stop", () => "Zuul asked to stop it"),
} as const satisfies VerdictRule;

export const runTimeout = {
  id: "run-timeout",
  class: "failure",
  seen: "The test ran longer than `timeouts.run`; waiting, pulling and checkout do not count.",
  result: "TIMED_OUT",
  token: "TIMED_OUT",
  keeps: POD,
  find: (sighting) =>
    (hadItsTime(sighting) ? whenEndedBy("run-timeout", ({ limits }) => `the test ran longer than ${limits.run}`)(sighting) : undefined) ??
    whenExited(sighting, (state) =>
      state.pod.reason === "DeadlineExceeded" && ranAtMostMs(state, sighting.clusterNow) >= sighting.limits.runMs
        ? { sentence: `the test ran longer than ${sighting.limits.run}` }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const serviceNotReady = {
  id: "service-not-ready",
  class: "configuration",
  seen: "When `timeouts.pull` and the checkout's time had passed, a service did not get ready: it kept ending, or its `ready` probe did not pass.",
  result: "CONFIG_ERROR - service db does not get ready - exit code 1",
  keeps: "service, exit code, reason",
  find: (sighting) =>
    whenOver(sighting, ({ pod }) => {
      const service = pod?.stuckService ?? pod?.services[0]?.name;
      const last = pod?.services.find(({ name }) => name === service)?.terminated;
      if (sighting.end !== "service-not-ready" || service === undefined) return undefined;
      const why = last ? endOf(last) : "its probe does not pass";
      return { sentence: `service ${service} does not get ready - ${why}`, evidence: { service, ...(last ? exitEvidence(last) : {}) } };
    }),
} as const satisfies VerdictRule;

export const pullTimeout = {
  id: "pull-timeout",
  class: "infrastructure",
  seen: "The pod's images and init containers were not ready within `timeouts.pull`, and the checkout's 10 minutes if it has one. The message says what it waited for.",
  result: null,
  keeps: "what it waited for, pod, exit code, reason",
  find: whenWaitEndedBy(
    ["pull-timeout", "service-not-ready"],
    "the pod's images and init containers were not ready in time",
    (waitedFor) => `waited for ${waitedFor}`,
  ),
} as const satisfies VerdictRule;

export const scheduleTimeout = {
  id: "schedule-timeout",
  class: "infrastructure",
  seen: "No node took the pod, or a full quota let no Job be made, within `timeouts.schedule`. Without that limit it waits, so that a cluster can grow.",
  result: null,
  keeps: "pod",
  find: whenEndedBy("schedule-timeout", () => "no node took the pod in time"),
} as const satisfies VerdictRule;

export const noPod = {
  id: "no-pod",
  class: "infrastructure",
  seen: "The Job had no pod for 10 minutes. The message has what the Job controller said last, if anything. A full quota waits instead.",
  result: null,
  keeps: "what the Job controller said, pod",
  find: whenWaitEndedBy("no-pod", "the Job got no pod in time", (waitedFor) => waitedFor),
} as const satisfies VerdictRule;

export const unclaimed = {
  id: "unclaimed",
  class: "infrastructure",
  seen: "For 2 minutes no Gearman server has asked for the build any more.",
  result: null,
  keeps: POD,
  isChance: true,
  find: whenEndedBy("unclaimed", () => "no Gearman server asked for it any more"),
} as const satisfies VerdictRule;

export const endedEarly = {
  id: "ended-early",
  class: "infrastructure",
  seen: "Somebody lowered the pod's `activeDeadlineSeconds` to end it before its time; or its test was ended for its run limit, had not had that time, and the pod's own end did not come.",
  result: null,
  keeps: POD,
  isChance: true,
  find: (sighting) =>
    whenEndedBy("unknown", () => "its pod was told to end, and by whom is not known")(sighting) ??
    (hadItsTime(sighting)
      ? undefined
      : whenExited(sighting, ({ pod }) =>
          sighting.end === "run-timeout" && !pod.isTerminal
            ? { sentence: "its test ended before its time, and why is not known" }
            : undefined,
        )),
} as const satisfies VerdictRule;

/** As `whenEndedBy`; where it is known what the build waited for, the sentence ends with what `tell` makes of that. */
function whenWaitEndedBy(
  end: Parameters<typeof whenEndedBy>[0],
  why: string,
  tell: (waitedFor: string) => string,
): ReturnType<typeof whenEndedBy> {
  return (sighting) => {
    const { waitedFor } = sighting;
    const found = whenEndedBy(end, () => why)(sighting);
    return found && waitedFor !== undefined ? { sentence: `${why} - ${tell(waitedFor)}`, evidence: { waitedFor } } : found;
  };
}
