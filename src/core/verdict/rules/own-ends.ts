import { isStartFailure } from "../../kubernetes/start-failure.ts";
import { failureText, firstLine } from "../../zuul/clean-result-text.ts";
import { endOf, exitEvidence, isPastDeadline, isUntouched, whenExited } from "../sighting.ts";
import { POD, type VerdictRule } from "./verdict-rule.ts";

// What the test, or a container that it needs, said of itself: an exit code of its own.

export const exit0 = {
  id: "exit-0",
  class: "success",
  seen: "The test's container ended with exit code 0, and nothing else ended its pod.",
  result: "SUCCESS",
  keeps: POD,
  find: (sighting) =>
    whenExited(sighting, (state) => {
      const { pod, terminated } = state;
      const isOpen = sighting.end !== undefined || isPastDeadline(state);
      const wasFirst = !isOpen || pod.phase === "Succeeded";
      const isOwn = terminated.exitCode === 0 && !isStartFailure(terminated);
      return isOwn && wasFirst && isUntouched(pod) ? { sentence: "the test ended with exit code 0" } : undefined;
    }),
} as const satisfies VerdictRule;

export const initFailed = {
  id: "init-failed",
  class: "failure",
  seen: "An init container of the template ended with another exit code than 0: its termination message, or this.",
  result: "FAILURE - init container setup - exit code 3",
  keeps: "container, exit code, reason",
  find: ({ state }) =>
    state.kind !== "not-started"
      ? undefined
      : {
          sentence: firstLine(state.terminated.message ?? "") || `FAILURE - init container ${state.container} - ${endOf(state.terminated)}`,
          evidence: { container: state.container, ...exitEvidence(state.terminated) },
        },
  isChance: true,
} as const satisfies VerdictRule;

export const serviceFailed = {
  id: "service-failed",
  class: "failure",
  seen: "The test failed, and a service had ended while it ran. The first line of the result file, or this.",
  result: "FAILURE - service db - exit code 1",
  keeps: "pod, exit code, service, its exit code",
  find: (sighting) =>
    whenExited(sighting, ({ pod, terminated }) => {
      const [service] = pod.services;
      if (!service) return undefined;
      const { exitCode } = service.terminated;
      return {
        sentence: firstLine(terminated.message ?? "") || `FAILURE - service ${service.name} - ${endOf(service.terminated)}`,
        evidence: { service: service.name, serviceExitCode: exitCode },
      };
    }),
} as const satisfies VerdictRule;

export const otherExit = {
  id: "exit-code",
  class: "failure",
  seen: "The test ended with another exit code, or by a signal of its own: the first line of its result file, or FAILURE.",
  result: "FAILURE",
  keeps: POD,
  find: (sighting) =>
    whenExited(sighting, ({ terminated }) => {
      const said = firstLine(terminated.message ?? "");
      const result = failureText(said);
      return { result, sentence: result === "FAILURE" ? `the test ended with ${endOf(terminated)}` : said };
    }),
} as const satisfies VerdictRule;
