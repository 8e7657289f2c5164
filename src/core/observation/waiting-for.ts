import { imageOf, sayImage } from "../kubernetes/image-failure.ts";
import type { KubeEvent } from "../kubernetes/objects.ts";
import type { BuildState, WaitingContainer } from "./build-state.ts";
import { newest } from "./waiting-trouble.ts";

/** The kubelet's and the attach controller's Events about what keeps a pod's containers from being made. */
const HINDRANCE = /^Failed(?:CreatePodSandBox|Mount|AttachVolume|MapVolume)$|^NetworkNotReady$|^FailedPrepareDynamicResources$/;

/**
 * What a pod that has a node waits for, for people: the first container in its order that is not there, in the cluster's words. Where its
 * status is silent, `events` of the pod tell; of a Job without a pod, those of the Job, and of a pod without a node, those of its claim. Undefined for every other state.
 */
export function describeWaiting(state: BuildState, events: readonly KubeEvent[]): string | undefined {
  if (state.kind === "queued") return newest(events.filter(({ reason }) => reason === "FailedCreate"))?.message;
  if (state.kind === "unscheduled") return newest(events.filter(({ reason }) => reason === "ProvisioningFailed"))?.message;
  if (state.kind !== "preparing") return undefined;
  const [stuck] = state.waiting.filter(({ reason }) => reason !== "ContainerCreating");
  if (stuck) return describeContainer(stuck, events);
  if (state.init !== undefined) return `init container ${state.init} still runs`;
  const event = newest(events.filter(({ reason = "" }) => HINDRANCE.test(reason)));
  if (event) return `${event.reason} - ${event.message}`;
  const [creating] = state.waiting;
  return creating ? `container ${creating.container} is being created` : undefined;
}

function describeContainer({ container, reason, message }: WaitingContainer, events: readonly KubeEvent[]): string {
  if (!/^(?:ErrImagePull|ImagePullBackOff|RegistryUnavailable|SignatureValidationFailed)$/.test(reason)) {
    return `container ${container} - ${reason}${message === "" ? "" : ` - ${message}`}`;
  }
  const image = imageOf(message);
  // What backs off may not say from what.
  const pull = newest(events.filter((event) => event.reason === "Failed" && image !== undefined && imageOf(event.message ?? "") === image));
  const why = /^Back-off pulling image "[^"]*"$/.test(message) ? (pull?.message ?? "") : message;
  return `image ${image === undefined ? "" : `${sayImage(image)} `}of container ${container} - ${reason}${why === "" ? "" : ` - ${why}`}`;
}
