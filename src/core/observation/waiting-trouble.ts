import { ownDiskLimit } from "../kubernetes/disk-limit.ts";
import { imageFailure, imageOf, sayImage } from "../kubernetes/image-failure.ts";
import type { KubeEvent } from "../kubernetes/objects.ts";
import { isPassingRefusal } from "../kubernetes/passing-refusal.ts";
import { isQuotaFull } from "../kubernetes/quota.ts";
import { refusalCause } from "../kubernetes/refusal-cause.ts";
import { judgeRuntimeWords } from "../kubernetes/start-failure.ts";
import { withoutNames } from "../kubernetes/without-names.ts";
import type { BuildState, WaitingContainer } from "./build-state.ts";
import type { PodFacts } from "./pod-facts.ts";

/** Why a build waits, where that is more than a matter of time. */
export interface WaitingTrouble {
  rule: WaitingRule | "quota-full";
  /** Equal for the same trouble: it counts from when it was first seen, and begins anew when another takes its place. */
  key: string;
  /** How long it must stand before it is taken for final; undefined: it may pass by itself, however long that takes. */
  finalAfterMs: number | undefined;
  /** In the words of the cluster, for people. */
  sentence: string;
  /** What reviewers get of it, where that is less. */
  result?: string;
  evidence: Record<string, string>;
}

type WaitingRule =
  | "invalid-image-name"
  | "image-not-found"
  | "image-denied"
  | "image-platform"
  | "not-runnable"
  | "container-config"
  | "volume-not-found"
  | "dataset-size"
  | "sandbox-lost"
  | "pod-refused"
  | "namespace-terminating"
  | "out-of-disk";

/** How long a trouble must stand unchanged: a Secret may come a moment after the task, a tag a moment after its push. */
const FINAL_AFTER_MS: Record<WaitingRule, number> = {
  "invalid-image-name": 0,
  "image-not-found": 60_000,
  // A Secret with the right to pull may come after the pod, and a registry may take it late.
  "image-denied": 180_000,
  "image-platform": 60_000,
  "not-runnable": 30_000,
  "container-config": 30_000,
  "volume-not-found": 30_000,
  "dataset-size": 30_000,
  // A kubelet that does begin such a pod again does it at once.
  "sandbox-lost": 60_000,
  "pod-refused": 0,
  "namespace-terminating": 0,
  "out-of-disk": 0,
};

/**
 * plugin/pkg/admission/serviceaccount/admission.go of Kubernetes. That of a namespace is made a moment after it, another may be applied after
 * its task. The Job controller tries again after 1, 3, 7, 15, 31 and 63 s: one that comes half a minute after the Job is in time.
 */
const MISSING_ACCOUNT = /error looking up service account /;
const MISSING_ACCOUNT_MS = 60_000;

/** A Job without a pod for this long is asked about; it comes within milliseconds where nothing is in the way. */
const NO_POD_MS = 5000;
/** A pod whose containers say no more than that they are being made is asked about after this long. */
const NO_NEWS_MS = 20_000;

/** pkg/scheduler/framework/plugins/volumebinding of Kubernetes. */
const CLAIM_AWAITED = /unbound immediate PersistentVolumeClaims|ephemeral volume controller|binding volumes: /;

/** Whose Events would tell more about this state, and from when on; undefined when its objects tell enough. */
export function eventsWanted(state: BuildState): { of: "job" | "pod" | "claim"; afterMs: number } | undefined {
  if (state.kind === "queued") return { of: "job", afterMs: NO_POD_MS };
  // The scheduler says that it waits for a claim, and whoever makes the volume why it does not.
  if (state.kind === "unscheduled") return CLAIM_AWAITED.test(state.reason) ? { of: "claim", afterMs: NO_NEWS_MS } : undefined;
  // The pod itself does not tell why the kubelet ended it when its test then exited 0.
  if (state.kind === "exited" && state.pod.killed !== undefined && state.pod.phase === "Succeeded") return { of: "pod", afterMs: 0 };
  return state.kind === "preparing" && state.waiting.every(isSilent) ? { of: "pod", afterMs: NO_NEWS_MS } : undefined;
}

/** It says that it waits, and not why; before Kubernetes 1.31 one that backs off gives no cause. */
function isSilent({ reason, message }: WaitingContainer): boolean {
  return reason === "ContainerCreating" || (reason === "ImagePullBackOff" && /^Back-off pulling image "[^"]*"$/.test(message));
}

/** What keeps the build from going on; `events` are those that `eventsWanted` says. */
export function observeTrouble(state: BuildState, events: readonly KubeEvent[]): WaitingTrouble | undefined {
  switch (state.kind) {
    case "queued":
      return observeRefusedPod(events);
    case "unscheduled":
      return observeUnscheduled(state.reason, events);
    case "preparing":
      for (const container of state.waiting) {
        // What the cluster has added is nothing that the task could mend.
        if (container.isInjected) continue;
        const found = observeWaiting(container, state.pod, events);
        if (found) return found;
      }
      return observeMount(events) ?? observeSandbox(events, state.pod) ?? observeLostSandbox(state.pod);
    case "exited":
      return observeEviction(events);
    default:
      return undefined;
  }
}

/** The kubelet could not ask; it will. What it finds in a volume may be another thing in a minute. */
const TRANSIENT = /timed out|timeout|connection refused|deadline exceeded|too many requests|failed to prepare subPath|^stat /i;

/** Pod Security, a ValidatingAdmissionPolicy, a webhook: what follows are a policy's own words. */
const DENIAL = /violates PodSecurity |ValidatingAdmissionPolicy '[^']*' .*denied request: |admission webhook "[^"]*" denied the request/s;
/** Go's words of who could not be asked (net, context). */
const UNREACHABLE = /i\/o timeout|context deadline exceeded|connection refused|connection reset by peer|no such host/;

function observeWaiting(waiting: WaitingContainer, pod: PodFacts, events: readonly KubeEvent[]): WaitingTrouble | undefined {
  const { container, reason } = waiting;
  const message = wholeMessage(waiting, events);
  const of = (rule: WaitingRule, sentence: string) => trouble(rule, `${rule} ${container}`, sentence, { container, reason, message });
  const image = () => sayImage(imageOf(message) ?? `the image of ${container}`);
  switch (reason) {
    case "InvalidImageName":
      return of("invalid-image-name", `invalid image name - ${shortCause(message)}`);
    case "ErrImageNeverPull":
      return of("image-not-found", `image not found - ${image()} is not on the node, and imagePullPolicy is Never`);
    case "ErrImagePull":
    case "ImagePullBackOff":
      return observePull(message, image(), of);
    case "CreateContainerConfigError":
      return TRANSIENT.test(withoutNames(message)) ? undefined : of("container-config", message);
    case "CreateContainerError": {
      if (/no command specified/.test(message))
        return of("container-config", `container ${container} has no command, and its image has none`);
      const failure = judgeRuntimeWords(message, pod.memoryLimits[container]);
      return failure.isConfiguration ? of("not-runnable", `cannot start ${container} - ${failure.cause}`) : undefined;
    }
    default:
      return undefined;
  }
}

function observePull(
  message: string,
  image: string,
  of: (rule: WaitingRule, sentence: string) => WaitingTrouble,
): WaitingTrouble | undefined {
  switch (imageFailure(message)) {
    case "not-found":
      return of("image-not-found", `image not found - ${image}`);
    case "denied":
      return of("image-denied", `image not found, or no right to pull it - ${image}`);
    case "platform":
      return of("image-platform", `${image} has nothing for the platform of this node`);
    case undefined:
      return undefined;
  }
}

/** With the cause that only the Event of the failed pull gives. */
function wholeMessage(waiting: WaitingContainer, events: readonly KubeEvent[]): string {
  if (!isSilent(waiting)) return waiting.message;
  const image = imageOf(waiting.message);
  const pulls = events.filter(
    ({ reason, message = "" }) => reason === "Failed" && /^Failed to pull image /.test(message) && imageOf(message) === image,
  );
  return newest(pulls)?.message ?? waiting.message;
}

/** The sandbox is the first that must do with the limits of the pod's containers together; whatever else goes wrong with it is the node's. */
function observeSandbox(events: readonly KubeEvent[], pod: PodFacts): WaitingTrouble | undefined {
  const message = newest(events.filter(({ reason }) => reason === "FailedCreatePodSandBox"))?.message ?? "";
  const limits = Object.values(pod.memoryLimits).join(" + ");
  const { cause, isConfiguration } = judgeRuntimeWords(message, limits === "" ? undefined : limits);
  if (!isConfiguration || !cause.startsWith("memory limit")) return undefined;
  return trouble("not-runnable", "not-runnable sandbox", `cannot start the pod - ${cause}`, { event: message });
}

function observeLostSandbox({ hasLostSandbox, node = "" }: PodFacts): WaitingTrouble | undefined {
  const sentence = "its node lost the pod before the test began, and does not begin it again";
  return hasLostSandbox ? trouble("sandbox-lost", "sandbox-lost", sentence, { node }) : undefined;
}

function observeMount(events: readonly KubeEvent[]): WaitingTrouble | undefined {
  const event = newest(events.filter(({ reason }) => reason === "FailedMount"));
  const message = event?.message ?? "";
  const missing = /((?:secret|configmap|persistentvolumeclaim) "[^"]*" not found|references non-existent \w+ key: \S+)/i.exec(message)?.[1];
  return missing === undefined ? undefined : trouble("volume-not-found", `volume-not-found ${missing}`, missing, { event: message });
}

function observeEviction(events: readonly KubeEvent[]): WaitingTrouble | undefined {
  const message = newest(events.filter(({ reason }) => reason === "Evicted"))?.message ?? "";
  const sentence = ownDiskLimit(message);
  return sentence === undefined ? undefined : trouble("out-of-disk", "out-of-disk", sentence, { event: message });
}

function observeUnscheduled(reason: string, events: readonly KubeEvent[]): WaitingTrouble | undefined {
  const missing = /persistentvolumeclaim "[^"]*" not found/i.exec(reason)?.[0];
  if (missing !== undefined) return trouble("volume-not-found", `volume-not-found ${missing}`, missing, { scheduler: reason });
  const event = newest(events.filter((each) => each.reason === "ProvisioningFailed"));
  return event && observeProvisioning(event.message ?? "");
}

/**
 * What keeps a clone or a restored snapshot from being made, in the words of Kubernetes' volume controller and of
 * github.com/kubernetes-csi/external-provisioner (pkg/controller/controller.go), which all CSI drivers use. What fits none may pass.
 */
function observeProvisioning(message: string): WaitingTrouble | undefined {
  const evidence = { event: message };
  const missing = /(?:persistentvolumeclaim|volumesnapshot|storageclass)[a-z0-9.]* "[^"]*" not found/.exec(message)?.[0];
  if (missing !== undefined) return trouble("volume-not-found", `volume-not-found ${missing}`, missing, evidence);
  const small = TOO_SMALL.map((pattern) => pattern.exec(message)).find((found) => found !== null);
  if (!small) return undefined;
  const { asked = "", has = "" } = small.groups ?? {};
  const sentence = `dataset too big - ${has} bytes, and its size says ${asked} - raise it in the TestTask`;
  return trouble("dataset-size", "dataset-size", sentence, evidence);
}

const TOO_SMALL = [
  /requested volume size (?<asked>\d+) is less than the size (?<has>\d+) for the source snapshot /,
  /new PVC request must be greater than or equal in size to the specified PVC data source, requested (?<asked>\d+) but source is (?<has>\d+)/,
];

/** The Job controller's words about a pod that the API server did not take; it goes on trying. */
function observeRefusedPod(events: readonly KubeEvent[]): WaitingTrouble | undefined {
  const message = newest(events.filter(({ reason }) => reason === "FailedCreate"))?.message;
  if (message === undefined) return undefined;
  const evidence = { event: message };
  if (/because it is being terminated/.test(message)) {
    return trouble("namespace-terminating", "namespace-terminating", "its namespace is being deleted", evidence);
  }
  if (isQuotaFull(message)) return { rule: "quota-full", key: "quota-full", finalAfterMs: undefined, sentence: message, evidence };
  if (isPassingRefusal(message)) return undefined;
  if (!isRefusal(message)) return undefined;
  const sentence = message.replace(/^Error creating: /, "");
  const refused = { ...trouble("pod-refused", "pod-refused", sentence, evidence), result: refusalCause(message) };
  return MISSING_ACCOUNT.test(message) ? { ...refused, finalAfterMs: MISSING_ACCOUNT_MS } : refused;
}

/** What a policy denies stays denied, in whatever words; who could not ask whom it needs for that may let it pass later. */
function isRefusal(message: string): boolean {
  if (DENIAL.test(message)) return !UNREACHABLE.test(message);
  const said = withoutNames(message);
  if (/failed calling webhook|Internal error|the server|etcdserver|connection refused/.test(said) || TRANSIENT.test(said)) return false;
  return /is forbidden: |is invalid: /.test(said);
}

function trouble(rule: WaitingRule, key: string, sentence: string, evidence: Record<string, string>): WaitingTrouble {
  return { rule, key, finalAfterMs: FINAL_AFTER_MS[rule], sentence, evidence };
}

export function newest(events: readonly KubeEvent[]): KubeEvent | undefined {
  const at = ({ lastTimestamp, eventTime, metadata }: KubeEvent) =>
    Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "") || 0;
  return events.reduce<KubeEvent | undefined>((latest, event) => (latest && at(latest) > at(event) ? latest : event), undefined);
}

/** The last part of `a: b: c`, which is the cause. */
function shortCause(message: string): string {
  return message.replace(/^Failed to apply default image tag "[^"]*": /, "");
}
