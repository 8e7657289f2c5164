import { DATASET_CONTAINER, TEST_CONTAINER } from "../kubernetes/container-roles.ts";
import type { Container, PodSpec, VolumeMount } from "../kubernetes/objects.ts";
import type { TestTaskDataset } from "../test-task/schema/dataset.ts";
import { DATASET_VOLUME } from "../test-task/schema/reserved-names.ts";
import type { TestTaskSecurityContext } from "../test-task/schema/security.ts";
import { withContainerSecurity } from "./pod-security.ts";

type Volume = NonNullable<PodSpec["volumes"]>[number];

/** Where the copying container has the volume; nothing of an image is there. */
const COPY_DIRECTORY = "/run/turbo-hipster/dataset";

/**
 * The volume that a build has its dataset in. What can be written to is the pod's own: a generic ephemeral volume is made with the pod from
 * its source, and its claim goes with the pod, however that ends.
 * https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
 */
export function renderDatasetVolume(dataset: TestTaskDataset): Volume {
  const { volumeSnapshot, persistentVolumeClaim, image, configMap, size } = dataset;
  const name = DATASET_VOLUME;
  if (volumeSnapshot) {
    return { name, ...copiedVolume(dataset, { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: volumeSnapshot.name }) };
  }
  if (persistentVolumeClaim?.readOnly)
    return { name, persistentVolumeClaim: { claimName: persistentVolumeClaim.claimName, readOnly: true } };
  if (persistentVolumeClaim) {
    return { name, ...copiedVolume(dataset, { kind: "PersistentVolumeClaim", name: persistentVolumeClaim.claimName }) };
  }
  if (image) return { name, emptyDir: size === undefined ? {} : { sizeLimit: size } };
  return { name, configMap: { name: configMap?.name } };
}

/** The name that the ephemeral volume controller gives the claim of a pod's dataset. */
export function datasetClaim(podName: string): string {
  return `${podName}-${DATASET_VOLUME}`;
}

/** For the container of this name, where the dataset is to be in it. */
export function datasetMounts(dataset: TestTaskDataset | undefined, container: string): VolumeMount[] {
  if (!dataset?.containers.includes(container)) return [];
  const isReadOnly = dataset.configMap !== undefined || dataset.persistentVolumeClaim?.readOnly === true;
  return [{ name: DATASET_VOLUME, mountPath: dataset.path, ...(isReadOnly ? { readOnly: true } : {}) }];
}

/**
 * The test's container with the dataset where it is to have it. A template may mount it there itself; where it mounts another volume, the API
 * server is to refuse the pod: a test must not run on something else.
 */
export function withTestDataset(container: Container, dataset: TestTaskDataset | undefined): Container {
  const present = container.volumeMounts ?? [];
  const isThere = ({ name, mountPath }: VolumeMount) => present.some((mount) => mount.name === name && mount.mountPath === mountPath);
  const added = datasetMounts(dataset, TEST_CONTAINER).filter((mount) => !isThere(mount));
  return added.length === 0 ? container : { ...container, volumeMounts: [...present, ...added] };
}

/** Copies what the dataset's image holds, for a container runtime need not be able to mount images, and could not let them be written to. */
export function renderDatasetCopy({ image }: TestTaskDataset, securityContext: TestTaskSecurityContext | undefined): Container[] {
  if (!image) return [];
  const container: Container = {
    name: DATASET_CONTAINER,
    image: image.reference,
    command: ["cp", "-RP", `${image.path}/.`, COPY_DIRECTORY],
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [{ name: DATASET_VOLUME, mountPath: COPY_DIRECTORY }],
  };
  return [withContainerSecurity(container, securityContext)];
}

function copiedVolume({ size, storageClassName }: TestTaskDataset, dataSource: object): Omit<Volume, "name"> {
  const spec = {
    accessModes: ["ReadWriteOnce"],
    ...(storageClassName === undefined ? {} : { storageClassName }),
    dataSource,
    resources: { requests: { storage: size } },
  };
  return { ephemeral: { volumeClaimTemplate: { spec } } };
}
