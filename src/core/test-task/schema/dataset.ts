import * as z from "zod";
import { TEST_CONTAINER } from "../../kubernetes/container-roles.ts";
import { branchSchema } from "./checkout.ts";
import { quantitySchema } from "./pod.ts";
import { mapListOf, matchingString, setOf, withRules } from "./rule.ts";
import { dnsLabelSchema, imageSchema, mountPathSchema, objectNameSchema, projectNameSchema } from "./scalar.ts";

/** Datasets: data that every build gets a copy of, or can only read. */

const SOURCES = ["volumeSnapshot", "persistentVolumeClaim", "image", "configMap"] as const;

const nameOnly = (what: string) =>
  z.strictObject({ name: objectNameSchema.meta({ description: `Name of the ${what}, in the TestTask's namespace.` }) });

const imageSourceSchema = z.strictObject({
  reference: imageSchema.meta({ description: "The image; it needs cp, as one made from busybox has." }),
  path: matchingString("^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$", 255, "must be an absolute path without '.', '..' and blanks, such as /data")
    .meta({ description: "The directory in the image whose content is copied." })
    .default("/data"),
});

const datasetFields = z.strictObject({
  name: matchingString(
    "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$",
    50,
    "must consist of lower-case letters, digits, '_' and '-', and begin and end with a letter or digit",
  ).meta({ description: "Name of the dataset, as people read it in results." }),
  version: matchingString(
    "^[A-Za-z0-9][A-Za-z0-9._+-]*$",
    63,
    "must be a version such as 2024-06-01: letters, digits, '.', '_', '+' and '-'",
  )
    .meta({ description: "What the data is as of, for the records of builds. Change it with the data." })
    .exactOptional(),
  projects: setOf(projectNameSchema, { min: 1, max: 100 })
    .meta({ description: "Projects whose builds use it; without it those of all projects." })
    .exactOptional(),
  branches: setOf(branchSchema, { min: 1, max: 100 })
    .meta({ description: "Branches whose builds use it, as ZUUL_BRANCH names them; without it those of all, and builds without a branch." })
    .exactOptional(),
  path: mountPathSchema.meta({ description: "Where its containers find it." }).default("/dataset"),
  containers: setOf(dnsLabelSchema, { min: 1, max: 21 })
    .meta({ description: `Which containers have it: ${TEST_CONTAINER} is the test's, others are services by their names.` })
    .default([TEST_CONTAINER]),
  volumeSnapshot: nameOnly("VolumeSnapshot").meta({ description: "Each build gets a volume made from this snapshot." }).exactOptional(),
  persistentVolumeClaim: z
    .strictObject({
      claimName: objectNameSchema.meta({ description: "Name of the claim, in the TestTask's namespace." }),
      readOnly: z.boolean().meta({ description: "true: all builds read the one volume; else each gets a clone of it." }).default(false),
    })
    .meta({ description: "A volume." })
    .exactOptional(),
  image: imageSourceSchema.meta({ description: "A directory of an image; each build gets a copy of it." }).exactOptional(),
  configMap: nameOnly("ConfigMap").meta({ description: "The keys of a ConfigMap as files that can only be read." }).exactOptional(),
  size: quantitySchema
    .meta({
      description:
        "Size of a clone or a restored snapshot, at least that of its source; of an image's copy the most that it and what the test adds may take.",
    })
    .exactOptional(),
  storageClassName: objectNameSchema
    .meta({ description: "StorageClass of a clone or a restored snapshot. Without it the cluster's default." })
    .exactOptional(),
});

type DatasetFields = z.output<typeof datasetFields>;

/** Made by a storage provisioner, for one build. */
const isCopiedVolume = ({ volumeSnapshot, persistentVolumeClaim }: Pick<DatasetFields, "volumeSnapshot" | "persistentVolumeClaim">) =>
  volumeSnapshot !== undefined || (persistentVolumeClaim !== undefined && !persistentVolumeClaim.readOnly);
const COPIED_VOLUME_CEL = "(has(self.volumeSnapshot) || (has(self.persistentVolumeClaim) && !self.persistentVolumeClaim.readOnly))";

const datasetSchema = withRules(datasetFields, [
  {
    cel: `[${SOURCES.map((source) => `has(self.${source})`).join(", ")}].filter(is, is).size() == 1`,
    holds: (dataset) => SOURCES.filter((source) => dataset[source] !== undefined).length === 1,
    message: `must have one of ${SOURCES.join(", ")}`,
  },
  {
    cel: `has(self.size) || !${COPIED_VOLUME_CEL}`,
    holds: (dataset) => dataset.size !== undefined || !isCopiedVolume(dataset),
    message: "must be given for a clone or a restored snapshot, at least the size of its source, such as 20Gi",
    field: "size",
  },
  {
    cel: `!has(self.size) || ${COPIED_VOLUME_CEL} || has(self.image)`,
    holds: (dataset) => dataset.size === undefined || isCopiedVolume(dataset) || dataset.image !== undefined,
    message: "is of copies, and nothing is copied of a ConfigMap or a claim that is only read; remove it",
    field: "size",
  },
  {
    cel: `!has(self.storageClassName) || ${COPIED_VOLUME_CEL}`,
    holds: (dataset) => dataset.storageClassName === undefined || isCopiedVolume(dataset),
    message: "is of a clone or a restored snapshot; remove it",
    field: "storageClassName",
  },
]);

export const datasetsSchema = mapListOf(datasetSchema, "name", { max: 20 });
export type TestTaskDataset = z.output<typeof datasetSchema>;
