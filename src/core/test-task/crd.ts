import * as z from "zod";
import { type ValidationRule, validationRules } from "./schema/rule.ts";
import { testTaskNameSchema } from "./schema/spec.ts";
import { testTaskStatusSchema } from "./schema/status.ts";
import { TEST_TASK_GROUP, TEST_TASK_KIND, TEST_TASK_PLURAL, TEST_TASK_VERSION, testTaskSchema } from "./test-task.ts";

export const TEST_TASK_CRD_NAME = `${TEST_TASK_PLURAL}.${TEST_TASK_GROUP}`;

type JsonSchema = Record<string, unknown>;

/** The CustomResourceDefinition of TestTasks, rendered from the zod schema. Plain JSON. */
export function renderTestTaskCrd(): Record<string, unknown> {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: TEST_TASK_CRD_NAME },
    spec: {
      group: TEST_TASK_GROUP,
      names: {
        kind: TEST_TASK_KIND,
        listKind: `${TEST_TASK_KIND}List`,
        plural: TEST_TASK_PLURAL,
        singular: "testtask",
        shortNames: ["tt"],
        categories: ["ci"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: TEST_TASK_VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: renderPrinterColumns(),
          schema: { openAPIV3Schema: renderOpenApiSchema() },
        },
      ],
    },
  };
}

function renderPrinterColumns(): object[] {
  const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;
  return [
    { name: "Suspended", type: "boolean", jsonPath: ".spec.suspend", description: "Whether it takes no new builds." },
    { name: "Active", type: "integer", jsonPath: ".status.active", description: "Builds that are being carried out." },
    { name: "Ready", type: "string", jsonPath: condition("Ready", "status") },
    {
      name: "Registered",
      type: "string",
      jsonPath: condition("Registered", "status"),
      description: "Whether Gearman knows its functions.",
    },
    {
      name: "Last result",
      type: "string",
      jsonPath: ".status.lastBuild.result",
      description: "Result of the build that finished last, as Zuul got it.",
    },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    { name: "Reason", type: "string", jsonPath: condition("Ready", "reason"), priority: 1 },
    { name: "Jobs", type: "string", jsonPath: ".spec.jobs", priority: 1 },
    { name: "Last build", type: "string", jsonPath: ".status.lastBuild.url", priority: 1 },
  ];
}

function renderOpenApiSchema(): JsonSchema {
  return {
    type: "object",
    description: "A TestTask says which Zuul jobs it serves and how the pod of their builds looks.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: withoutLaterDefaults(renderStructural(testTaskSchema.shape.spec)),
      status: renderStructural(testTaskStatusSchema),
    },
    // Rules about metadata can only stand at the root.
    "x-kubernetes-validations": validationRules(testTaskNameSchema).map(({ rule, message }) => ({
      rule: rule.replaceAll(/\bself\b/g, "self.metadata.name"),
      message: `metadata.name ${message}`,
    })),
  };
}

/**
 * Fields of a spec that the API server fills in: those of the first version. Any other default is the program's alone. In the definition it would
 * be in every task as soon as that is upgraded, and operators of the version before, which take builds for a moment still, would answer them
 * with CONFIG_ERROR for a field that they do not know.
 */
const FILLED_IN: ReadonlySet<string> = new Set(["suspend", "timeouts", "timeouts.pull", "timeouts.run", "checkout", "checkout.enabled"]);

/** Within lists nothing is filled in where a task has none of it. */
function withoutLaterDefaults(schema: JsonSchema, path = ""): JsonSchema {
  if (!schema.properties) return schema;
  const properties = mapEntries(schema.properties as Record<string, JsonSchema>, (name, { default: value, ...property }) => {
    const place = path === "" ? name : `${path}.${name}`;
    const isFilledIn = value !== undefined && FILLED_IN.has(place);
    return { ...(isFilledIn ? { default: withoutLaterParts(value, place) } : {}), ...withoutLaterDefaults(property, place) };
  });
  return { ...schema, properties };
}

function withoutLaterParts(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => FILLED_IN.has(`${path}.${name}`)));
}

/** A zod schema as the structural OpenAPI v3 schema that a CRD needs. */
function renderStructural(schema: z.ZodType): JsonSchema {
  return structural(
    z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", reused: "inline", cycles: "throw", unrepresentable: "throw" }),
  );
}

/** Keywords that stand in a structural schema as they are. */
const KEPT_KEYWORDS = [
  "description",
  "type",
  "format",
  "nullable",
  "enum",
  "default",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "maxProperties",
  "required",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
];
/** Keywords that are handled one by one below, or say nothing to an API server. */
const HANDLED_KEYWORDS = ["$schema", "properties", "items", "additionalProperties", "anyOf", "x-kubernetes-validations"];

function structural(input: JsonSchema): JsonSchema {
  const output: JsonSchema = {};
  for (const [keyword, value] of Object.entries(input)) {
    if (KEPT_KEYWORDS.includes(keyword)) output[keyword] = value;
    else if (!HANDLED_KEYWORDS.includes(keyword))
      throw new Error(`the CRD has no place for the keyword ${keyword}: ${JSON.stringify(input)}`);
  }
  if (output.minimum === Number.MIN_SAFE_INTEGER) delete output.minimum;
  if (output.maximum === Number.MAX_SAFE_INTEGER) delete output.maximum;
  if (input.properties) output.properties = mapValues(input.properties as Record<string, JsonSchema>, structural);
  if (input.items) output.items = structural(input.items as JsonSchema);
  if (input.anyOf && !input["x-kubernetes-int-or-string"]) throw new Error(`a structural schema has no anyOf: ${JSON.stringify(input)}`);
  const additional = input.additionalProperties;
  // `false` is what structural schemas mean anyway: kubectl has unknown fields refused, and whoever gets past that has them pruned.
  if (isOpenSchema(additional)) output["x-kubernetes-preserve-unknown-fields"] = true;
  else if (additional) output.additionalProperties = structural(additional as JsonSchema);
  const rules = input["x-kubernetes-validations"] as ValidationRule[] | undefined;
  if (rules && rules.length > 0) output["x-kubernetes-validations"] = rules;
  return output;
}

/** What a loose object leaves for its unknown properties. */
function isOpenSchema(additional: unknown): boolean {
  return additional === true || (typeof additional === "object" && additional !== null && Object.keys(additional).length === 0);
}

function mapValues<From, To>(record: Record<string, From>, change: (value: From) => To): Record<string, To> {
  return mapEntries(record, (_, value) => change(value));
}

function mapEntries<From, To>(record: Record<string, From>, change: (key: string, value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(key, value)]));
}
