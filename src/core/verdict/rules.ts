import { CHECKOUT_EXIT_CODES } from "../checkout/plan.ts";
import { NO_INTERPRETER } from "../job/script.ts";
import { ownDiskLimit } from "../kubernetes/disk-limit.ts";
import { startFailure } from "../kubernetes/start-failure.ts";
import { ranAtMostMs } from "../observation/run-time.ts";
import { failureText, firstLine } from "../zuul/clean-result-text.ts";
import {
  endOf,
  exitEvidence,
  type Finding,
  hadItsTime,
  isPastDeadline,
  isUntouched,
  isUnwatched,
  type Sighting,
  whenCheckoutFailed,
  whenContainerEnded,
  whenDisrupted,
  whenEndedBy,
  whenExited,
  whenOutOfMemory,
  whenOver,
  whenPod,
  whenRefusedByNode,
  whenTroubled,
} from "./sighting.ts";

export type VerdictClass = "success" | "failure" | "cancelled" | "infrastructure" | "configuration";

export interface VerdictRule {
  id: string;
  class: VerdictClass;
  /** What was seen, for the documentation. */
  seen: string;
  /** The result text as it is, or looks; null: none. */
  result: string | null;
  /** The result is this word, whatever was found. */
  token?: string;
  /** What is kept in the Job's annotation beside rule and sentence. */
  keeps: string;
  /** Told by what is seen of Job and pod; rules without it are told by whoever refuses or gives up a build before there is any. */
  find?: (sighting: Sighting) => Finding | undefined;
  /** The Job goes as well: left alone, it would make a pod for a build that was answered. */
  deletesJob?: true;
  /** Says nothing of what the next build of the task would meet. */
  isChance?: true;
}

const POD = "pod, exit code, reason";

/**
 * Every end that a build can have, and what it means. The first rule that finds something decides; what none knows is infrastructure:
 * absence of evidence is never a result. SUCCESS comes from the first one only.
 */
export const VERDICT_RULES = [
  {
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
        return terminated.exitCode === 0 && wasFirst && isUntouched(pod) ? { sentence: "the test ended with exit code 0" } : undefined;
      }),
  },

  // Its end was requested.
  {
    id: "stopped",
    class: "cancelled",
    seen: "Zuul asked to stop the build before its test had ended, whatever its exit code was then.",
    result: "ABORTED",
    keeps: POD,
    find: whenEndedBy("stop", () => "Zuul asked to stop it"),
  },
  {
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
  },
  {
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
  },
  {
    id: "pull-timeout",
    class: "infrastructure",
    seen: "The pod's images and init containers were not ready within `timeouts.pull`, and the checkout's 10 minutes if it has one. The message says what it waited for.",
    result: null,
    keeps: "what it waited for, pod, exit code, reason",
    find: (sighting) => {
      const why = "the pod's images and init containers were not ready in time";
      const found = whenEndedBy(["pull-timeout", "service-not-ready"], () => why)(sighting);
      const { waitedFor } = sighting;
      return found && waitedFor !== undefined ? { sentence: `${why} - waited for ${waitedFor}`, evidence: { waitedFor } } : found;
    },
  },
  {
    id: "schedule-timeout",
    class: "infrastructure",
    seen: "No node took the pod, or a full quota let no Job be made, within `timeouts.schedule`. Without that limit it waits, so that a cluster can grow.",
    result: null,
    keeps: "pod",
    find: whenEndedBy("schedule-timeout", () => "no node took the pod in time"),
  },
  {
    id: "no-pod",
    class: "infrastructure",
    seen: "The Job had no pod for 10 minutes, and the Job controller did not say why. A full quota waits instead.",
    result: null,
    keeps: "pod",
    find: whenEndedBy("no-pod", () => "the Job got no pod in time"),
  },
  {
    id: "unclaimed",
    class: "infrastructure",
    seen: "For 2 minutes no Gearman server has asked for the build any more.",
    result: null,
    keeps: POD,
    isChance: true,
    find: whenEndedBy("unclaimed", () => "no Gearman server asked for it any more"),
  },
  {
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
  },

  // The pod was taken away, or used more than it may.
  {
    id: "out-of-disk",
    class: "failure",
    seen: "The kubelet evicted the pod for its own limit of ephemeral storage or of an emptyDir (no `DisruptionTarget` condition).",
    result: "FAILURE - out of disk (limit 10Gi)",
    keeps: "pod, exit code, the kubelet's message",
    find: (sighting) =>
      whenPod(({ reason, disruption, message = "" }) => {
        const sentence = reason === "Evicted" && !disruption ? ownDiskLimit(message) : undefined;
        return sentence === undefined ? undefined : { sentence, evidence: { message } };
      })(sighting) ?? whenTroubled("out-of-disk")(sighting),
  },
  {
    id: "preempted",
    class: "infrastructure",
    seen: "The pod gave way to one of higher priority (`PreemptionByScheduler`, or the kubelet's `Preempting`).",
    result: null,
    keeps: "pod, exit code, the condition's message",
    isChance: true,
    find: whenDisrupted(({ reason, disruption }) => disruption?.reason === "PreemptionByScheduler" || reason === "Preempting", "preempted"),
  },
  {
    id: "drained",
    class: "infrastructure",
    seen: "The pod was evicted through the API (`EvictionByEvictionAPI`): kubectl drain, an autoscaler, an upgrade.",
    result: null,
    keeps: "pod, exit code, the condition's message",
    isChance: true,
    find: whenDisrupted(({ disruption }) => disruption?.reason === "EvictionByEvictionAPI", "evicted through the API, as by a drain"),
  },
  {
    id: "node-lost",
    class: "infrastructure",
    seen: "The node was lost, deleted or got a `NoExecute` taint (`DeletionByTaintManager`, `DeletionByPodGC`, or phase `Unknown`).",
    result: null,
    keeps: "pod, exit code, the condition's message",
    isChance: true,
    find: whenDisrupted(
      ({ disruption, phase }) => /^DeletionBy(TaintManager|PodGC)$/.test(disruption?.reason ?? "") || phase === "Unknown",
      "lost with its node",
    ),
  },
  {
    id: "evicted",
    class: "infrastructure",
    seen: "The kubelet evicted the pod because its node was short of memory, disk or process ids.",
    result: null,
    keeps: "pod, exit code, the kubelet's message",
    find: whenDisrupted(({ reason }) => reason === "Evicted", "evicted by its node"),
  },
  {
    id: "disrupted",
    class: "infrastructure",
    seen: "Any other `DisruptionTarget` condition, such as `TerminationByKubelet` when a node shuts down.",
    result: null,
    keeps: "pod, exit code, the condition's message",
    isChance: true,
    find: whenDisrupted(({ disruption }) => disruption !== undefined, "taken away"),
  },
  {
    id: "job-suspended",
    class: "infrastructure",
    seen: "The Job was suspended after its test had begun (Kueue took its quota back). Suspended before that, it waits.",
    result: null,
    keeps: POD,
    deletesJob: true,
    isChance: true,
    find: (sighting) =>
      whenOver(sighting, ({ pod, job }) =>
        job.isSuspended && (pod?.isDeleted || sighting.state.kind === "lost")
          ? { sentence: "the Job was suspended while its test ran" }
          : undefined,
      ),
  },
  {
    id: "job-deleted",
    class: "infrastructure",
    seen: "The Job was deleted, by a person or with its namespace.",
    result: null,
    keeps: POD,
    isChance: true,
    find: (sighting) =>
      whenOver(sighting, ({ pod, job }) =>
        job.isDeleted && (pod === undefined || pod.isDeleted || sighting.state.kind === "lost")
          ? { sentence: "the Job was deleted" }
          : undefined,
      ),
  },
  {
    id: "pod-deleted",
    class: "infrastructure",
    seen: "The pod was deleted before its test's end was seen, without a reason.",
    result: null,
    keeps: POD,
    isChance: true,
    find: whenPod(({ isDeleted }) => (isDeleted ? { sentence: "the pod was deleted" } : undefined)),
  },
  {
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
  },
  {
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
  },
  {
    id: "unwatched",
    class: "infrastructure",
    seen: "The test ended 10 s or more before its node's kubelet took note of it, by the change of `ContainersReady`: the kubelet was away, and nobody saw who ended the test. A node that shuts down ends tests like that, whatever exit code they give.",
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
  },

  {
    id: "run-again",
    class: "configuration",
    seen: "A container of the pod was started again in it by its own `restartPolicy` or a rule, and how the test ended at first was not seen. Seen, its first end counts.",
    result: "CONFIG_ERROR - all containers of its pod were started again - the pod of a build runs once",
    keeps: POD,
    find: ({ state }) =>
      state.kind === "lost" && state.pod?.restarted !== undefined
        ? { sentence: `${state.pod.restarted} - the pod of a build runs once` }
        : undefined,
  },

  // It was never begun.
  {
    id: "node-unfit",
    class: "configuration",
    seen: "The node's kubelet refused the pod for what it asks of the system: `SysctlForbidden`, `AppArmor`, another operating system.",
    result: "CONFIG_ERROR - the node refuses the pod - forbidden sysctl",
    keeps: "pod, reason, the kubelet's message",
    find: whenRefusedByNode((reason) => /^(SysctlForbidden|AppArmor|PodOS)/.test(reason)),
  },
  {
    id: "node-refused",
    class: "infrastructure",
    seen: "The node's kubelet refused the pod: `OutOfpods`, `OutOfcpu`, `OutOfmemory`, `NodeAffinity`, `UnexpectedAdmissionError`.",
    result: null,
    keeps: "pod, reason, the kubelet's message",
    find: whenRefusedByNode(() => true),
  },
  {
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
  },
  {
    id: "injected-failed",
    class: "infrastructure",
    seen: "An init container that the cluster had added to the pod (a mesh, an agent) failed; neither the task nor the change knows of it.",
    result: null,
    keeps: "container, exit code, reason",
    find: ({ state }) =>
      state.kind === "not-started" && state.role === "injected"
        ? {
            sentence: `init container ${state.container}, which the cluster added to the pod, failed - ${endOf(state.terminated)}`,
            evidence: { container: state.container, ...exitEvidence(state.terminated) },
          }
        : undefined,
  },
  {
    id: "checkout-out-of-memory",
    class: "configuration",
    seen: "The checkout, or git in it, was `OOMKilled` at a limit of its own: that of a LimitRange, for instance, and the next one would be as well.",
    result: "CONFIG_ERROR - checkout out of memory (limit 24Mi)",
    keeps: "container, exit code, limit",
    find: (sighting) =>
      whenOutOfMemory(sighting, ({ container, limit, role }) =>
        role === "checkout" && limit !== undefined
          ? { sentence: `checkout out of memory (limit ${limit})`, evidence: { container, limit } }
          : undefined,
      ),
  },
  {
    id: "checkout-configuration",
    class: "configuration",
    seen: "The checkout cannot work as it is set up: bad URL, forbidden host, missing credentials; a build without a ref that no branch is named for; a branch, tag or `ZUUL_COMMIT` that is not there because the merger is behind or a parameter-function chose it; a submodule that would stay empty (exit code 78).",
    result: "CONFIG_ERROR - git.example.org has no project nova - check zuul_url in zuul.conf",
    keeps: "container, exit code",
    find: whenCheckoutFailed(CHECKOUT_EXIT_CODES.configuration),
  },
  {
    id: "checkout-ref",
    class: "failure",
    seen: "What Zuul names cannot be checked out: the change's ref is gone, a branch or tag was deleted, or a path in it is refused (exit code 65). A relaunch would ask for the same.",
    result: "FAILURE - refs/zuul/master/Z0 does not exist in nova at git.example.org",
    keeps: "container, exit code",
    find: whenCheckoutFailed(CHECKOUT_EXIT_CODES.ref, "FAILURE - "),
  },
  {
    id: "checkout-failed",
    class: "infrastructure",
    seen: "The checkout's network failed, retries included (exit code 69), or it ended in any other way.",
    result: null,
    keeps: "container, exit code",
    find: whenCheckoutFailed(undefined, "checkout failed - "),
  },

  // Something could not be started, or took more memory than it may.
  {
    id: "not-runnable",
    class: "configuration",
    seen: "A container's command is not there or cannot be executed, its user or seccomp profile is not there, or its memory limit is too low even for the runtime (`StartError`, `ContainerCannotRun`; `CreateContainerError` or `FailedCreatePodSandBox` for 30 s).",
    result: "CONFIG_ERROR - cannot start test - exec - make - executable file not found in PATH",
    keeps: "container, the runtime's message",
    find: (sighting) =>
      whenContainerEnded(sighting, ({ container, terminated, pod }) => {
        const failure = startFailure(terminated, pod.memoryLimits[container]);
        return failure?.isConfiguration
          ? { sentence: `cannot start ${container} - ${failure.cause}`, evidence: { message: terminated.message ?? "" } }
          : undefined;
      }) ?? whenTroubled("not-runnable")(sighting),
  },
  {
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
  },
  {
    id: "no-interpreter",
    class: "configuration",
    seen: "The first line of the test's script names an interpreter that its image does not have.",
    result: "CONFIG_ERROR - the interpreter /bin/bash of the script is not in the image",
    keeps: POD,
    find: (sighting) =>
      whenExited(sighting, ({ terminated: { exitCode, message = "" } }) =>
        exitCode === NO_INTERPRETER.exitCode && message.startsWith(NO_INTERPRETER.before)
          ? { sentence: firstLine(message).replace(/^CONFIG_ERROR - /, "") }
          : undefined,
      ),
  },
  {
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
  },
  {
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
  },

  // An exit code of its own.
  {
    id: "init-failed",
    class: "failure",
    seen: "An init container of the template ended with another exit code than 0: its termination message, or this.",
    result: "FAILURE - init container setup - exit code 3",
    keeps: "container, exit code, reason",
    find: ({ state }) =>
      state.kind !== "not-started"
        ? undefined
        : {
            sentence:
              firstLine(state.terminated.message ?? "") || `FAILURE - init container ${state.container} - ${endOf(state.terminated)}`,
            evidence: { container: state.container, ...exitEvidence(state.terminated) },
          },
  },
  {
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
  },
  {
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
  },

  // It waits for what will not come.
  {
    id: "invalid-image-name",
    class: "configuration",
    seen: "A container waits with `InvalidImageName`, at once.",
    result: "CONFIG_ERROR - invalid image name - could not parse image name Bad",
    keeps: "container, the kubelet's message",
    find: whenTroubled("invalid-image-name"),
  },
  {
    id: "image-not-found",
    class: "configuration",
    seen: "The registry says that there is no such image (`not found`, `manifest unknown`), for 60 s. Every other failed pull has until `timeouts.pull`.",
    result: "CONFIG_ERROR - image not found - ci/tests tag 3 at registry.example.org port 5000",
    keeps: "container, the kubelet's message",
    find: whenTroubled("image-not-found"),
  },
  {
    id: "image-denied",
    class: "configuration",
    seen: "The registry denies access to the repository, for 3 minutes: many say that of one that is not there, too. Credentials that it does not take are waited for.",
    result: "CONFIG_ERROR - image not found, or no right to pull it - pyhton tag 3.12",
    keeps: "container, the kubelet's message",
    find: whenTroubled("image-denied"),
  },
  {
    id: "image-platform",
    class: "configuration",
    seen: "The image is there, but not for the operating system and processor of the pod's node, for 60 s.",
    result: "CONFIG_ERROR - registry.example.org/ci/tests tag 1 has nothing for the platform of this node",
    keeps: "container, the kubelet's message",
    find: whenTroubled("image-platform"),
  },
  {
    id: "container-config",
    class: "configuration",
    seen: "A container waits with `CreateContainerConfigError` (missing Secret, ConfigMap or key), unchanged for 30 s.",
    result: "CONFIG_ERROR - secret db not found",
    keeps: "container, the kubelet's message",
    find: whenTroubled("container-config"),
  },
  {
    id: "volume-not-found",
    class: "configuration",
    seen: "A volume's Secret, ConfigMap or claim is not there (`FailedMount`, or the scheduler's words), unchanged for 30 s.",
    result: "CONFIG_ERROR - configmap settings not found",
    keeps: "the Event",
    find: whenTroubled("volume-not-found"),
  },
  {
    id: "pod-refused",
    class: "configuration",
    seen: "5 s after the Job there is no pod, and the Job controller's `FailedCreate` Event tells of Pod Security, a LimitRange, an invalid field, or more than the quota's hard limit.",
    result: "CONFIG_ERROR - violates PodSecurity restricted-latest - privileged (container test must not set...",
    keeps: "the Event",
    find: whenTroubled("pod-refused"),
  },
  {
    id: "namespace-terminating",
    class: "infrastructure",
    seen: "The pod cannot be made because the namespace is being deleted.",
    result: null,
    keeps: "the Event",
    isChance: true,
    find: whenTroubled("namespace-terminating"),
  },

  // Nothing of the above.
  {
    id: "pod-lost",
    class: "infrastructure",
    seen: "The pod is gone or over, and its test's exit code was not seen (`ContainerStatusUnknown` among them).",
    result: null,
    keeps: "pod, reason",
    // What was not seen tells nothing of the next build either.
    isChance: true,
    find: ({ state }) => (state.kind === "lost" ? { sentence: `the pod was lost - ${state.reason}` } : undefined),
  },

  // Told by whoever refuses a request, or gives a build up before it has a Job.
  {
    id: "no-task",
    class: "configuration",
    seen: "No TestTask serves the job any more; once registered, its name stays answered.",
    result: "CONFIG_ERROR - no TestTask serves this job any more",
    keeps: "nothing, there is no Job",
  },
  {
    id: "invalid-task",
    class: "configuration",
    seen: "The TestTask that names the job was stored by a version with fewer rules, and breaks one of this version's; no other serves the job.",
    result: "CONFIG_ERROR - TestTask unit is invalid - spec.template.spec.restartPolicy must be Never",
    keeps: "nothing, there is no Job",
  },
  {
    id: "bad-request",
    class: "configuration",
    seen: "The request's parameters are no JSON object, or larger than 128 KiB.",
    result: "CONFIG_ERROR - the parameters of the request are not JSON",
    keeps: "nothing, there is no Job",
  },
  {
    id: "pipeline",
    class: "configuration",
    seen: "The task's `pipelines` do not name the request's.",
    result: "CONFIG_ERROR - pipeline check is none of those that TestTask unit takes builds of",
    keeps: "nothing, there is no Job",
  },
  {
    id: "unsupported",
    class: "configuration",
    seen: "The task uses a field that this version does not carry out.",
    result: "CONFIG_ERROR - TestTask unit uses datasets - not carried out by this version",
    keeps: "nothing, there is no Job",
  },
  {
    id: "unrenderable",
    class: "configuration",
    seen: "The task's template cannot be made a Job of, though its schema lets it pass: the field that is in the way, and why.",
    result: "CONFIG_ERROR - TestTask unit makes no Job, look at spec.template.spec.volumes - base.spec.volumes is not iterable",
    keeps: "nothing, there is no Job",
  },
  {
    id: "job-refused",
    class: "configuration",
    seen: "The API server refused the Job as invalid, or by a policy. A full quota of Jobs waits instead.",
    result: "CONFIG_ERROR - spec.template.spec.containers[0].image - Required value",
    keeps: "nothing, there is no Job",
  },
  {
    id: "job-not-created",
    class: "infrastructure",
    seen: "The API server kept refusing to make the Job for a reason that is not the task's, such as a missing right.",
    result: null,
    keeps: "nothing, there is no Job",
  },
  {
    id: "name-taken",
    class: "infrastructure",
    seen: "Jobs of other builds hold every name that the build may have.",
    result: null,
    keeps: "nothing, there is no Job",
    isChance: true,
  },
  {
    id: "job-gone",
    class: "infrastructure",
    seen: "The Job was made and is not there any more, and nothing of it was seen.",
    result: null,
    keeps: "nothing, there is no Job",
    isChance: true,
  },
  {
    id: "operator-error",
    class: "infrastructure",
    seen: "A defect of the operator.",
    result: null,
    keeps: "the error, in the operator's log",
  },
] as const satisfies readonly VerdictRule[];

export type RuleId = (typeof VERDICT_RULES)[number]["id"];

/** The row of the table; rules of verdicts that another version wrote may be unknown. */
export function findRule(id: string): VerdictRule | undefined {
  return VERDICT_RULES.find((rule) => rule.id === id);
}

export function ruleOf(id: RuleId): VerdictRule {
  return findRule(id) as VerdictRule;
}
