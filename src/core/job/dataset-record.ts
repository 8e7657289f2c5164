import * as z from "zod";
import { DATASET_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";
import type { TestTaskDataset } from "../test-task/schema/dataset.ts";

/** On which dataset a build ran: on its Job, and in its records. `source` is what it was made from, for people. */
export interface DatasetRecord {
  name: string;
  version?: string | undefined;
  source: string;
}

export const datasetRecordSchema = z.object({
  name: z.string().max(63),
  version: z.string().max(63).optional(),
  source: z.string().max(2048),
});

export function renderDatasetRecord(dataset: TestTaskDataset): DatasetRecord {
  const { name, version } = dataset;
  return { name, ...(version === undefined ? {} : { version }), source: sourceOf(dataset) };
}

/** From the Job's annotation; undefined where it ran on none, and where the annotation was edited into something else. */
export function readDatasetRecord({ metadata }: Job): DatasetRecord | undefined {
  const text = metadata.annotations?.[DATASET_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    return datasetRecordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function sourceOf({ volumeSnapshot, persistentVolumeClaim, image, configMap }: TestTaskDataset): string {
  if (volumeSnapshot) return `volumeSnapshot ${volumeSnapshot.name}`;
  if (persistentVolumeClaim) return `persistentVolumeClaim ${persistentVolumeClaim.claimName}`;
  if (image) return `image ${image.reference} ${image.path}`;
  return `configMap ${configMap?.name}`;
}
