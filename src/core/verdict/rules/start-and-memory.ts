import { NO_INTERPRETER } from "../../job/script.ts";
import type { TerminatedState } from "../../kubernetes/objects.ts";
import { startFailure } from "../../kubernetes/start-failure.ts";
import { ranByNodeMs } from "../../observation/run-time.ts";
import { firstLine } from "../../zuul/clean-result-text.ts";
import { whenContainerEnded, whenExited, whenOutOfMemory, whenTroubled } from "../sighting.ts";
import { POD, type VerdictRule } from "./verdict-rule.ts";

// Something could not be started, or took more memory than it may.

export const notRunnable = {
  id: "not-runnable",
  class: "configuration",
  seen: "A container's command is not there or cannot be executed, its user or seccomp profile is not there, or its memory limit is too low even for the runtime (`StartError`, `ContainerCannotRun`; `CreateContainerError` or `FailedCreatePodSandBox` for 30 s). Or a script's test ended with 1 in the second in which it began, and its runner said nothing: `/bin/sh` of the image does not run, as that of an image for other processors.",
  result: "CONFIG_ERROR - cannot start test - exec - make - executable file not found in PATH",
  keeps: "container, the runtime's message",
  find: (sighting) =>
    whenContainerEnded(sighting, ({ container, terminated, pod }) => {
      const failure = startFailure(terminated, pod.memoryLimits[container]);
      return failure?.isConfiguration
        ? { sentence: `cannot start ${container} - ${failure.cause}`, evidence: { message: terminated.message ?? "" } }
        : undefined;
    }) ??
    whenExited(sighting, ({ terminated, runner }) =>
      runner && runner.exitCode === undefined && isExecFailure(terminated)
        ? { sentence: "cannot start test - /bin/sh of its image does not run here, as in one for other processors" }
        : undefined,
    ) ??
    whenTroubled("not-runnable")(sighting),
} as const satisfies VerdictRule;

/**
 * Of what the kernel cannot execute (`exec format error`) runc before 1.2 and crun tell the container's log alone, and end with 1: its process
 * was begun by then. An image of one platform is pulled on any.
 */
function isExecFailure(terminated: TerminatedState): boolean {
  const { exitCode, reason, message = "" } = terminated;
  return exitCode === 1 && reason === "Error" && message === "" && ranByNodeMs(terminated) <= 1000;
}

export const startFailed = {
  id: "start-failed",
  class: "infrastructure",
  seen: "The container runtime could not start a container for any other reason: a hook, a mount, the node's own state.",
  result: null,
  keeps: "container, the runtime's message",
  find: (sighting) =>
    whenContainerEnded(sighting, ({ container, terminated, pod }) => {
      const failure = startFailure(terminated, pod.memoryLimits[container]);
      return failure ? { sentence: `could not start ${container} - ${failure.cause}` } : undefined;
    }),
} as const satisfies VerdictRule;

export const noInterpreter = {
  id: "no-interpreter",
  class: "configuration",
  seen: "The first line of the test's script names an interpreter that its image does not have.",
  result: "CONFIG_ERROR - the interpreter /bin/bash of the script is not in the image",
  keeps: POD,
  find: (sighting) =>
    whenExited(sighting, ({ terminated: { exitCode, message = "" }, runner }) =>
      // What ran has an interpreter.
      runner?.exitCode === undefined && exitCode === NO_INTERPRETER.exitCode && message.startsWith(NO_INTERPRETER.before)
        ? { sentence: firstLine(message).replace(/^CONFIG_ERROR - /, "") }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const outOfMemory = {
  id: "out-of-memory",
  class: "failure",
  seen: "The test, an init container, or a service that the failed test needed, was `OOMKilled` and has a memory limit of its own or of its pod. An init container also where it then ended with exit code 0, which the kubelet counts as failed.",
  result: "FAILURE - out of memory (limit 2Gi)",
  keeps: "container, exit code, limit",
  find: (sighting) =>
    whenOutOfMemory(sighting, ({ container, limit, role }) =>
      limit === undefined
        ? undefined
        : {
            sentence: `FAILURE - ${role === "test" ? "" : `${container} `}out of memory (limit ${limit})`,
            evidence: { container, limit },
          },
    ),
} as const satisfies VerdictRule;

export const nodeOutOfMemory = {
  id: "node-out-of-memory",
  class: "infrastructure",
  seen: "The same without such a limit: the node ran out of memory.",
  result: null,
  keeps: "container, exit code",
  find: (sighting) =>
    whenOutOfMemory(sighting, ({ container, role, limit }) =>
      limit === undefined
        ? { sentence: `the node ran out of memory${role === "test" ? "" : `, ${container} was killed`}`, evidence: { container } }
        : undefined,
    ),
} as const satisfies VerdictRule;
