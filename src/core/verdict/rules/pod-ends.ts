import { mayBeInvented } from "../../observation/invented-ends.ts";
import { isPastDeadline, isUnwatched, whenContainerEnded, whenExited, whenPod, whenRefusedByNode } from "../sighting.ts";
import { POD, type VerdictRule } from "./verdict-rule.ts";

// The pod was ended by its kubelet, was never let in, or is gone without a word.

export const podDeadline = {
  id: "pod-deadline",
  class: "infrastructure",
  seen: "The pod's own deadline ended it (while no operator ran) though its test had not had its time; or something of it ended after that, and the pod did not.",
  result: null,
  keeps: POD,
  find: (sighting) => {
    const finding = { sentence: "the pod's deadline passed before its test had its time" };
    return (
      whenPod(({ reason }) => (reason === "DeadlineExceeded" ? finding : undefined))(sighting) ??
      whenContainerEnded(sighting, (state) => (!state.pod.isTerminal && isPastDeadline(state) ? finding : undefined))
    );
  },
} as const satisfies VerdictRule;

export const killed = {
  id: "killed",
  class: "infrastructure",
  seen: "The kubelet ended the containers (its `Killing` Event) and the test then exited 0, or the pod did not end.",
  result: null,
  keeps: "pod, exit code, the kubelet's message",
  isChance: true,
  find: (sighting) =>
    whenExited(sighting, ({ pod: { killed, isTerminal }, terminated }) =>
      killed !== undefined && (terminated.exitCode === 0 || !isTerminal)
        ? { sentence: `the kubelet ended the test - ${killed}`, evidence: { message: killed } }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const unwatched = {
  id: "unwatched",
  class: "infrastructure",
  seen: "The test ended 20 s or more before its node's kubelet took note of it, by the change of `ContainersReady`: the kubelet was away, and nobody saw who ended the test. A node that shuts down ends tests like that, whatever exit code they give.",
  result: null,
  keeps: "pod, exit code, seconds until it was seen",
  isChance: true,
  find: (sighting) =>
    whenExited(sighting, ({ pod }) =>
      isUnwatched(pod)
        ? {
            sentence: "its node's kubelet was away when the test ended, and who ended it is not known",
            evidence: { unseenSeconds: Math.round((pod.unseenMs ?? 0) / 1000) },
          }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const cutOff = {
  id: "cut-off",
  class: "infrastructure",
  seen: "The test, a script, ended with exit code 137 or 255 and reason `Error`, and its runner did not say that it ended with that: a runtime makes that up of a container that it has lost, as when its shim died. Where the kubelet has announced that it ends the test, 137 is its KILL and counts; so does each exit code of an image's own command, which has no runner.",
  result: null,
  keeps: POD,
  isChance: true,
  find: (sighting) =>
    whenExited(sighting, ({ pod: { killed }, terminated, runner }) =>
      runner && runner.exitCode !== terminated.exitCode && mayBeInvented(terminated) && !mayBeKillOf(killed, terminated)
        ? { sentence: `the container runtime has lost the test's container, exit code ${terminated.exitCode} is not that of its script` }
        : undefined,
    ),
} as const satisfies VerdictRule;

/** What a kubelet ends, as for a failed probe of the template's own, gets KILL when the grace is over; its Event does not say why it ends it. */
function mayBeKillOf(killed: string | undefined, { exitCode }: { exitCode: number }): boolean {
  return killed !== undefined && exitCode === 137;
}

export const runAgain = {
  id: "run-again",
  class: "configuration",
  seen: "A container of the pod was started again in it by its own `restartPolicy` or a rule, and how the test ended at first was not seen. Seen, its first end counts.",
  result: "CONFIG_ERROR - all containers of its pod were started again - the pod of a build runs once",
  keeps: POD,
  find: ({ state }) =>
    state.kind === "lost" && state.pod?.restarted !== undefined
      ? { sentence: `${state.pod.restarted} - the pod of a build runs once` }
      : undefined,
} as const satisfies VerdictRule;

export const nodeUnfit = {
  id: "node-unfit",
  class: "configuration",
  seen: "The node's kubelet refused the pod for what it asks of the system: `SysctlForbidden`, `AppArmor`, another operating system.",
  result: "CONFIG_ERROR - the node refuses the pod - forbidden sysctl",
  keeps: "pod, reason, the kubelet's message",
  find: whenRefusedByNode((reason) => /^(SysctlForbidden|AppArmor|PodOS)/.test(reason)),
} as const satisfies VerdictRule;

export const nodeRefused = {
  id: "node-refused",
  class: "infrastructure",
  seen: "The node's kubelet refused the pod: `OutOfpods`, `OutOfcpu`, `OutOfmemory`, `NodeAffinity`, `UnexpectedAdmissionError`.",
  result: null,
  keeps: "pod, reason, the kubelet's message",
  find: whenRefusedByNode(() => true),
} as const satisfies VerdictRule;

export const podEnded = {
  id: "pod-ended",
  class: "infrastructure",
  seen: "The pod has a reason that none of these rules knows: something other than its containers ended it, whatever their exit codes.",
  result: null,
  keeps: "pod, exit code, reason, its message",
  find: whenPod(({ reason, message }) =>
    reason === undefined
      ? undefined
      : {
          sentence: `the pod was ended - ${reason}${message === undefined ? "" : ` - ${message}`}`,
          evidence: { message: message ?? "" },
        },
  ),
} as const satisfies VerdictRule;

export const podLost = {
  id: "pod-lost",
  class: "infrastructure",
  seen: "The pod is gone or over, and its test's exit code was not seen (`ContainerStatusUnknown` among them).",
  result: null,
  keeps: "pod, reason",
  // What was not seen tells nothing of the next build either.
  isChance: true,
  find: ({ state }) => (state.kind === "lost" ? { sentence: `the pod was lost - ${state.reason}` } : undefined),
} as const satisfies VerdictRule;
