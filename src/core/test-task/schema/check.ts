import { z } from "zod";
import { mapListOf, withRules } from "./rule.ts";
import { dnsLabelSchema, durationSchema } from "./scalar.ts";

/** Checks of the finished log. Schema only, for now: builds of a task with checks are refused. */

const KINDS = ["pattern", "steps", "counters"] as const;

const regularExpression = z.string().min(1).max(500);
const limitSchema = z.int().min(0);

const overridesOf = <S extends z.ZodType>(limit: S) =>
  mapListOf(
    z.strictObject({
      step: z.string().min(1).max(200).meta({ description: "Name of the step." }),
      limit: limit.meta({ description: "Limit of this step instead." }),
    }),
    "step",
    { max: 200 },
  );

const checkSchema = withRules(
  z.strictObject({
    name: dnsLabelSchema.meta({ description: "Name of the check." }),
    message: z.string().min(1).max(120).meta({ description: "What reviewers read when it fails." }).exactOptional(),
    pattern: z
      .strictObject({
        regex: regularExpression.meta({ description: "Regular expression for a line of the log." }),
        expect: z
          .enum(["present", "absent"])
          .meta({ description: "Whether the log must have such a line, or must not." })
          .default("absent"),
      })
      .meta({ description: "A line that must, or must not, be in the log." })
      .exactOptional(),
    steps: z
      .strictObject({
        start: regularExpression.meta({ description: "Line that begins a step; its group `step` is the step's name." }),
        end: regularExpression.meta({ description: "Line that ends it." }),
        limit: durationSchema.meta({ description: "How long a step may take." }),
        overrides: overridesOf(durationSchema).meta({ description: "Limits of single steps." }).exactOptional(),
      })
      .meta({ description: "Steps that may take only so long." })
      .exactOptional(),
    counters: z
      .strictObject({
        regex: regularExpression.meta({ description: "Line with a number; its groups are `value` and, perhaps, `step`." }),
        limit: limitSchema.meta({ description: "How much the number may grow in a step.", format: "int64" }),
        overrides: overridesOf(limitSchema.meta({ format: "int64" }))
          .meta({ description: "Limits of single steps." })
          .exactOptional(),
      })
      .meta({ description: "Numbers that may grow only so much." })
      .exactOptional(),
  }),
  [
    {
      cel: `[${KINDS.map((kind) => `has(self.${kind})`).join(", ")}].filter(is, is).size() == 1`,
      holds: (check) => KINDS.filter((kind) => check[kind] !== undefined).length === 1,
      message: `must have one of ${KINDS.join(", ")}`,
    },
  ],
);

export const checksSchema = mapListOf(checkSchema, "name", { max: 50 });
