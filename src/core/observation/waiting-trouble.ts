import { ownDiskLimit } from "../kubernetes/disk-limit.ts";
import type { KubeEvent } from "../kubernetes/objects.ts";
import { isPassingRefusal } from "../kubernetes/passing-refusal.ts";
import { isQuotaFull } from "../kubernetes/quota.ts";
import { refusalCause } from "../kubernetes/refusal-cause.ts";
import type { BuildState, WaitingContainer } from "./build-state.ts";

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
  | "container-config"
  | "volume-not-found"
  | "pod-refused"
  | "namespace-terminating"
  | "out-of-disk";

/** How long a trouble must stand unchanged: a Secret may come a moment after the task, a tag a moment after its push. */
const FINAL_AFTER_MS: Record<WaitingRule, number> = {
  "invalid-image-name": 0,
  "image-not-found": 60_000,
  "container-config": 30_000,
  "volume-not-found": 30_000,
  "pod-refused": 0,
  "namespace-terminating": 0,
  "out-of-disk": 0,
};

/** A Job without a pod for this long is asked about; it comes within milliseconds where nothing is in the way. */
const NO_POD_MS = 5000;
/** A pod whose containers say no more than that they are being made is asked about after this long. */
const NO_NEWS_MS = 20_000;

/** Whose Events would tell more about this state, and from when on; undefined when its objects tell enough. */
export function eventsWanted(state: BuildState): { of: "job" | "pod"; afterMs: number } | undefined {
  if (state.kind === "queued") return { of: "job", afterMs: NO_POD_MS };
  // The pod itself does not tell why the kubelet ended it when its test then exited 0.
  if (state.kind === "exited" && state.pod.killed !== undefined && state.pod.phase === "Succeeded") return { of: "pod", afterMs: 0 };
  const isSilent = state.kind === "preparing" && state.waiting.every(({ reason }) => reason === "ContainerCreating");
  return isSilent ? { of: "pod", afterMs: NO_NEWS_MS } : undefined;
}

/** What keeps the build from going on; `events` are those of its Job (without a pod) or its pod. */
export function observeTrouble(state: BuildState, events: readonly KubeEvent[]): WaitingTrouble | undefined {
  switch (state.kind) {
    case "queued":
      return observeRefusedPod(events);
    case "unscheduled":
      return observeUnscheduled(state.reason);
    case "preparing":
      for (const container of state.waiting) {
        // What the cluster has added is nothing that the task could mend.
        if (container.isInjected) continue;
        const found = observeWaiting(container);
        if (found) return found;
      }
      return observeMount(events);
    case "exited":
      return observeEviction(events);
    default:
      return undefined;
  }
}

const NOT_FOUND = /\bnot found\b|manifest unknown/i;
/** A registry, not an image, that cannot be found. */
const NO_REGISTRY = /\blookup [^ ]+|no such host/i;
/** The kubelet could not ask; it will. */
const TRANSIENT = /timed out|timeout|connection refused|deadline exceeded|too many requests/i;

function observeWaiting({ container, reason, message }: WaitingContainer): WaitingTrouble | undefined {
  const of = (rule: WaitingRule, sentence: string) => trouble(rule, `${rule} ${container}`, sentence, { container, reason, message });
  switch (reason) {
    case "InvalidImageName":
      return of("invalid-image-name", `invalid image name - ${shortCause(message)}`);
    case "ErrImageNeverPull":
      return of("image-not-found", `image not found - ${message}`);
    case "ErrImagePull":
    case "ImagePullBackOff":
      if (!NOT_FOUND.test(message) || NO_REGISTRY.test(message) || TRANSIENT.test(message)) return undefined;
      return of("image-not-found", `image not found - ${imageOf(message) ?? shortCause(message)}`);
    case "CreateContainerConfigError":
      return TRANSIENT.test(message) ? undefined : of("container-config", message);
    case "CreateContainerError":
      return /no command specified/.test(message)
        ? of("container-config", `container ${container} has no command, and its image has none`)
        : undefined;
    default:
      return undefined;
  }
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

function observeUnscheduled(reason: string): WaitingTrouble | undefined {
  const missing = /persistentvolumeclaim "[^"]*" not found/i.exec(reason)?.[0];
  return missing === undefined ? undefined : trouble("volume-not-found", `volume-not-found ${missing}`, missing, { scheduler: reason });
}

/** The Job controller's words about a pod that the API server did not take; it goes on trying. */
function observeRefusedPod(events: readonly KubeEvent[]): WaitingTrouble | undefined {
  const message = newest(events.filter(({ reason }) => reason === "FailedCreate"))?.message;
  if (message === undefined) return undefined;
  const evidence = { event: message };
  if (/is being terminated/.test(message)) {
    return trouble("namespace-terminating", "namespace-terminating", "its namespace is being deleted", evidence);
  }
  if (isQuotaFull(message)) return { rule: "quota-full", key: "quota-full", finalAfterMs: undefined, sentence: message, evidence };
  if (isPassingRefusal(message)) return undefined;
  if (/failed calling webhook|Internal error|the server|etcdserver|connection refused/.test(message) || TRANSIENT.test(message))
    return undefined;
  if (!/is forbidden: |is invalid: |denied the request/.test(message)) return undefined;
  const sentence = message.replace(/^Error creating: /, "");
  return { ...trouble("pod-refused", "pod-refused", sentence, evidence), result: refusalCause(message) };
}

function trouble(rule: WaitingRule, key: string, sentence: string, evidence: Record<string, string>): WaitingTrouble {
  return { rule, key, finalAfterMs: FINAL_AFTER_MS[rule], sentence, evidence };
}

function newest(events: readonly KubeEvent[]): KubeEvent | undefined {
  const at = ({ lastTimestamp, eventTime, metadata }: KubeEvent) =>
    Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "") || 0;
  return events.reduce<KubeEvent | undefined>((latest, event) => (latest && at(latest) > at(event) ? latest : event), undefined);
}

/** The image that a runtime did not find, out of a message of several hundred characters. */
function imageOf(message: string): string | undefined {
  return /(?:pull and unpack image|pulling image|Back-off pulling image) "([^"]+)"/.exec(message)?.[1];
}

/** The last part of `a: b: c`, which is the cause. */
function shortCause(message: string): string {
  return message.replace(/^Failed to apply default image tag "[^"]*": /, "");
}
