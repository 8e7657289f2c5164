import { whenTroubled } from "../sighting.ts";
import type { VerdictRule } from "./verdict-rule.ts";

// It waits for what will not come.

export const invalidImageName = {
  id: "invalid-image-name",
  class: "configuration",
  seen: "A container waits with `InvalidImageName`, at once.",
  result: "CONFIG_ERROR - invalid image name - could not parse image name Bad",
  keeps: "container, the kubelet's message",
  find: whenTroubled("invalid-image-name"),
} as const satisfies VerdictRule;

export const imageNotFound = {
  id: "image-not-found",
  class: "configuration",
  seen: "The registry says that there is no such image (`not found`, `manifest unknown`), for 60 s. Every other failed pull has until `timeouts.pull`.",
  result: "CONFIG_ERROR - image not found - ci/tests tag 3 at registry.example.org port 5000",
  keeps: "container, the kubelet's message",
  find: whenTroubled("image-not-found"),
} as const satisfies VerdictRule;

export const imageDenied = {
  id: "image-denied",
  class: "configuration",
  seen: "The registry denies access to the repository, for 3 minutes: many say that of one that is not there, too. Credentials that it does not take are waited for.",
  result: "CONFIG_ERROR - image not found, or no right to pull it - pyhton tag 3.12",
  keeps: "container, the kubelet's message",
  find: whenTroubled("image-denied"),
} as const satisfies VerdictRule;

export const imagePlatform = {
  id: "image-platform",
  class: "configuration",
  seen: "The image is there, but not for the operating system and processor of the pod's node, for 60 s.",
  result: "CONFIG_ERROR - registry.example.org/ci/tests tag 1 has nothing for the platform of this node",
  keeps: "container, the kubelet's message",
  find: whenTroubled("image-platform"),
} as const satisfies VerdictRule;

export const containerConfig = {
  id: "container-config",
  class: "configuration",
  seen: "A container waits with `CreateContainerConfigError` (missing Secret, ConfigMap or key), unchanged for 30 s.",
  result: "CONFIG_ERROR - secret db not found",
  keeps: "container, the kubelet's message",
  find: whenTroubled("container-config"),
} as const satisfies VerdictRule;

export const volumeNotFound = {
  id: "volume-not-found",
  class: "configuration",
  seen: "A volume's Secret, ConfigMap or claim is not there (`FailedMount`, or the scheduler's words), or what a dataset is to be cloned or restored from, or its StorageClass (`ProvisioningFailed` of its claim), unchanged for 30 s.",
  result: "CONFIG_ERROR - configmap settings not found",
  keeps: "the Event",
  find: whenTroubled("volume-not-found"),
} as const satisfies VerdictRule;

export const datasetSize = {
  id: "dataset-size",
  class: "configuration",
  seen: "The `size` of a dataset is less than its claim's or its snapshot's, as the storage driver says of the clone (`ProvisioningFailed`), for 30 s.",
  result: "CONFIG_ERROR - dataset too big - 21474836480 bytes, and its size says 1073741824 - raise it in the TestTask",
  keeps: "the Event",
  find: whenTroubled("dataset-size"),
} as const satisfies VerdictRule;

export const sandboxLost = {
  id: "sandbox-lost",
  class: "infrastructure",
  seen: "The pod has a node and no sandbox, though containers of it were made, for 60 s before its test began: its node was reset, and the kubelet begins such a pod never again ([kubernetes#118321](https://github.com/kubernetes/kubernetes/issues/118321)).",
  result: null,
  keeps: "node",
  isChance: true,
  find: whenTroubled("sandbox-lost"),
} as const satisfies VerdictRule;

export const podRefused = {
  id: "pod-refused",
  class: "configuration",
  seen: "5 s after the Job there is no pod, and the Job controller's `FailedCreate` Event tells of Pod Security, a LimitRange, an invalid field, or more than the quota's hard limit; of a ServiceAccount that is not there, for 60 s.",
  result: "CONFIG_ERROR - violates PodSecurity restricted-latest - privileged (container test must not set...",
  keeps: "the Event",
  find: whenTroubled("pod-refused"),
} as const satisfies VerdictRule;

export const namespaceTerminating = {
  id: "namespace-terminating",
  class: "infrastructure",
  seen: "The pod cannot be made because the namespace is being deleted.",
  result: null,
  keeps: "the Event",
  isChance: true,
  find: whenTroubled("namespace-terminating"),
} as const satisfies VerdictRule;
