import * as z from "zod";

/** Status of a TestTask, in Kubernetes' own shapes; the operator writes it, nobody else. */

/** Type names of a TestTask's conditions. */
export const TEST_TASK_CONDITIONS = ["Ready", "Registered", "TemplateValid", "Degraded"] as const;
export type TestTaskConditionType = (typeof TEST_TASK_CONDITIONS)[number];

/** `metav1.Condition`. */
const conditionSchema = z.strictObject({
  type: z.string().max(316).meta({ description: "Ready, Registered, TemplateValid or Degraded." }),
  status: z.enum(["True", "False", "Unknown"]).meta({ description: "Whether it holds." }),
  observedGeneration: z
    .int()
    .min(0)
    .meta({ description: "Generation of the TestTask that it was found for.", format: "int64" })
    .exactOptional(),
  lastTransitionTime: z.string().meta({ description: "When the condition's status last changed.", format: "date-time" }),
  reason: z.string().min(1).max(1024).meta({ description: "Why, in one word for programs." }),
  message: z.string().max(32_768).meta({ description: "Why, in a sentence for people." }),
});

const lastBuildSchema = z.strictObject({
  number: z.string().meta({ description: "Name of the build's Job." }),
  result: z.string().nullable().meta({ description: "Result as Zuul got it; null when Zuul was asked to run the build again." }),
  url: z.string().meta({ description: "The build's page." }).exactOptional(),
  finishedAt: z.string().meta({ description: "When it finished.", format: "date-time" }),
});

export const testTaskStatusSchema = z
  .strictObject({
    observedGeneration: z
      .int()
      .meta({ description: "Generation of the TestTask that this status tells of.", format: "int64" })
      .exactOptional(),
    conditions: z
      .array(conditionSchema)
      .max(20)
      .meta({
        description: "State of the task: Ready sums the others up.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
      })
      .exactOptional(),
    functions: z
      .array(z.string().max(512))
      .max(1000)
      .meta({ description: "Gearman functions that the task serves.", "x-kubernetes-list-type": "set" })
      .exactOptional(),
    active: z.int().min(0).meta({ description: "Builds that are being carried out.", format: "int32" }).exactOptional(),
    lastBuild: lastBuildSchema.meta({ description: "The build that finished last." }).exactOptional(),
  })
  .meta({ description: "What the operator found; written by it alone." });

export type TestTaskStatus = z.infer<typeof testTaskStatusSchema>;
export type TestTaskCondition = z.infer<typeof conditionSchema>;
