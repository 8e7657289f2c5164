import { z } from "zod";
import { mapListOf, setOf, withRules } from "./rule.ts";
import { dnsLabelSchema, imageSchema, mountPathSchema, objectNameSchema, projectNameSchema } from "./scalar.ts";

/** Datasets: volumes that every build gets a private copy of. Schema only, for now: builds of a task with datasets are refused. */

const SOURCES = ["volumeSnapshot", "persistentVolumeClaim", "image", "configMap"] as const;

const nameOnly = (what: string) =>
  z.strictObject({ name: objectNameSchema.meta({ description: `Name of the ${what}, in the TestTask's namespace.` }) });

const datasetSchema = withRules(
  z.strictObject({
    name: dnsLabelSchema.meta({ description: "Name of the dataset." }),
    projects: setOf(projectNameSchema, { min: 1, max: 100 })
      .meta({ description: "Projects whose builds use it; without it those of all projects." })
      .exactOptional(),
    path: mountPathSchema.meta({ description: "Where the test finds it." }).default("/dataset"),
    volumeSnapshot: nameOnly("VolumeSnapshot").meta({ description: "Each build gets a volume made from this snapshot." }).exactOptional(),
    persistentVolumeClaim: z
      .strictObject({
        claimName: objectNameSchema.meta({ description: "Name of the claim, in the TestTask's namespace." }),
        readOnly: z.boolean().meta({ description: "true: all builds read the one volume; else each gets a clone of it." }).default(false),
      })
      .meta({ description: "A volume." })
      .exactOptional(),
    image: imageSchema.meta({ description: "The files of an image." }).exactOptional(),
    configMap: nameOnly("ConfigMap").meta({ description: "The keys of a ConfigMap as files." }).exactOptional(),
  }),
  [
    {
      cel: `[${SOURCES.map((source) => `has(self.${source})`).join(", ")}].filter(is, is).size() == 1`,
      holds: (dataset) => SOURCES.filter((source) => dataset[source] !== undefined).length === 1,
      message: `must have one of ${SOURCES.join(", ")}`,
    },
  ],
);

export const datasetsSchema = mapListOf(datasetSchema, "name", { max: 20 });
