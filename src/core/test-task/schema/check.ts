import * as z from "zod";
import { mapListOf, matchingString, withRules } from "./rule.ts";
import { dnsLabelSchema, durationSchema } from "./scalar.ts";

/** Checks of the finished log, and of artifacts. What is in a regular expression is looked at by `findCheckFaults`, which the API server can't do. */

const KINDS = ["pattern", "steps", "counters", "values"] as const;
const JUNIT_COUNTS = ["tests", "failures", "errors", "skipped", "seconds"] as const;

const regularExpression = z.string().min(1).max(500);
const limitSchema = z.int().min(0);
const stepName = z.string().min(1).max(200);
const countSchema = z.int().min(0).max(1_000_000_000);

const overridesOf = <S extends z.ZodType>(limit: S) =>
  mapListOf(
    z.strictObject({
      step: stepName.meta({ description: "Name of the step." }),
      limit: limit.meta({ description: "Limit of this step instead." }),
      reason: z.string().min(1).max(200).meta({ description: "Why it is another one, such as the link of a bug." }).exactOptional(),
    }),
    "step",
    { max: 200 },
  );

const baselineSchema = z.strictObject({
  branch: z
    .string()
    .min(1)
    .max(255)
    .meta({ description: "Builds of this branch are compared with; without it those of the build's own." })
    .exactOptional(),
  last: z
    .int()
    .min(8)
    .max(100)
    .meta({ description: "How many of them, the newest; with fewer than 8 that tell of it nothing fails." })
    .default(20),
  allow: matchingString("^[1-9][0-9]?(\\.[0-9])? sigma$", 10, "must be a number of standard deviations above the mean, such as 3 sigma")
    .meta({
      description:
        "How much more than their mean it may be: so many standard deviations, of which each counts as at least a tenth of the mean and, of steps, a second.",
    })
    .default("3 sigma"),
});

const patternSchema = withRules(
  z.strictObject({
    regex: regularExpression.meta({ description: "Regular expression (RE2) for a line of the log." }),
    expect: z.enum(["present", "absent"]).meta({ description: "Whether the log must have such a line, or must not." }).default("absent"),
    atLeast: countSchema.meta({ description: "How many such lines there must be; without it one." }).exactOptional(),
    atMost: countSchema.meta({ description: "How many such lines there may be; without it any number." }).exactOptional(),
  }),
  [
    {
      cel: "(has(self.expect) && self.expect == 'present') || (!has(self.atLeast) && !has(self.atMost))",
      holds: ({ expect, atLeast, atMost }) => expect === "present" || (atLeast === undefined && atMost === undefined),
      message: "has atLeast or atMost, which belong to expect: present",
    },
    {
      cel: "!has(self.atMost) || (has(self.atLeast) ? self.atLeast : 1) <= self.atMost",
      holds: ({ atLeast = 1, atMost }) => atMost === undefined || atLeast <= atMost,
      message: "must be at least atLeast (1 without it)",
      field: "atMost",
    },
  ],
);

const stepsSchema = z.strictObject({
  start: regularExpression.meta({ description: "Line that begins a step; its group `step`, or else its first one, is the step's name." }),
  end: regularExpression
    .meta({
      description:
        "Line that ends the step of the name that it has in the same groups, or else the one that began last. Without it a step ends where the next begins, or the log.",
    })
    .exactOptional(),
  key: z
    .string()
    .min(1)
    .max(200)
    .meta({ description: "The step's name made of groups of start, by number or name: {1}->{2}, {from}->{to}." })
    .exactOptional(),
  limit: durationSchema.meta({ description: "How long a step may take; without it only those of overrides are limited." }).exactOptional(),
  overrides: overridesOf(durationSchema).meta({ description: "Limits of single steps." }).exactOptional(),
  baseline: baselineSchema
    .meta({ description: "How long a step usually takes, by builds that are kept, is its limit too, unless overrides have one." })
    .exactOptional(),
  atLeast: countSchema
    .meta({ description: "How many steps there must be; 0: there need be none, as for a change without a migration." })
    .default(1),
  last: stepName.meta({ description: "Name of the step that must be the last one." }).exactOptional(),
});

const countersSchema = withRules(
  z.strictObject({
    regex: regularExpression.meta({
      description: "Line with a number; its groups are `value`, or else the first one, and, perhaps, `step`.",
    }),
    measure: z
      .enum(["value", "delta", "step"])
      .meta({
        description:
          "What is limited: the number itself; how much it grows from one such line to the next; or in a step, from the last line before it to its last one.",
      })
      .default("delta"),
    steps: dnsLabelSchema
      .meta({ description: "Name of the check whose steps the lines lie in, where they do not name them themselves." })
      .exactOptional(),
    limit: limitSchema.meta({ description: "How much that may be.", format: "int64" }).exactOptional(),
    overrides: overridesOf(limitSchema.meta({ format: "int64" }))
      .meta({ description: "Limits of single steps." })
      .exactOptional(),
    baseline: baselineSchema
      .meta({ description: "How much it usually is at most, by builds that are kept, is its limit too, unless overrides have one." })
      .exactOptional(),
    atLeast: countSchema.meta({ description: "How many such lines there must be." }).default(1),
  }),
  [
    {
      cel: "has(self.limit) || has(self.baseline)",
      holds: ({ limit, baseline }) => limit !== undefined || baseline !== undefined,
      message: "must have limit or baseline",
    },
    {
      cel: "!has(self.steps) || (has(self.measure) && self.measure == 'step')",
      holds: ({ measure, steps }) => steps === undefined || measure === "step",
      message: "belongs to measure: step",
      field: "steps",
    },
  ],
);

const valuesSchema = withRules(
  z.strictObject({
    artifact: z.string().min(1).max(500).meta({ description: "JSON file among the artifacts, such as results/perf.json." }).exactOptional(),
    path: z
      .string()
      .min(1)
      .max(500)
      .meta({ description: "Where in it the number is: names and indices with dots between them, latency.p99 or runs.0.seconds." })
      .exactOptional(),
    junit: z.enum(JUNIT_COUNTS).meta({ description: "Or one of the counts of artifacts.junit." }).exactOptional(),
    min: z.number().meta({ description: "The least that it may be." }).exactOptional(),
    max: z.number().meta({ description: "The most that it may be." }).exactOptional(),
    baseline: baselineSchema.meta({ description: "What it usually is, by builds that are kept, limits it upwards too." }).exactOptional(),
  }),
  [
    {
      cel: "has(self.artifact) == has(self.path) && has(self.artifact) != has(self.junit)",
      holds: ({ artifact, path, junit }) =>
        (artifact === undefined) === (path === undefined) && (artifact === undefined) !== (junit === undefined),
      message: "must have artifact and path, or junit",
    },
    {
      cel: "has(self.min) || has(self.max) || has(self.baseline)",
      holds: ({ min, max, baseline }) => min !== undefined || max !== undefined || baseline !== undefined,
      message: "must have min, max or baseline",
    },
  ],
);

const checkSchema = withRules(
  z.strictObject({
    name: dnsLabelSchema.meta({ description: "Name of the check." }),
    message: z
      .string()
      .min(1)
      .max(120)
      .meta({
        description:
          "What reviewers read when it fails; {step} is the step's name, {found}, {limit} and {usual} are what was found, allowed and usual.",
      })
      .exactOptional(),
    pattern: patternSchema.meta({ description: "A line that must, or must not, be in the log." }).exactOptional(),
    steps: stepsSchema.meta({ description: "Steps that may take only so long." }).exactOptional(),
    counters: countersSchema.meta({ description: "Numbers that may grow only so much." }).exactOptional(),
    values: valuesSchema.meta({ description: "A number in an artifact." }).exactOptional(),
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

export type Check = z.output<typeof checkSchema>;
export type Baseline = z.output<typeof baselineSchema>;
export type StepsCheck = z.output<typeof stepsSchema>;
export type CountersCheck = z.output<typeof countersSchema>;
export type PatternCheck = z.output<typeof patternSchema>;
export type ValuesCheck = z.output<typeof valuesSchema>;
