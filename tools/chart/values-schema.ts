import * as z from "zod";
import { QUANTITY_PATTERN } from "../../src/core/kubernetes/quantity.ts";
import { valuesSchema } from "./values.ts";
import { describeValues } from "./values-comments.ts";

export interface JsonSchema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  pattern?: string;
  properties?: Record<string, JsonSchema>;
  [keyword: string]: unknown;
}

/** What the chart fills in where `config` says nothing, instead of the operator's own default. */
export const FILLED_IN: Readonly<Record<string, string>> = {
  "config.installation": "the release's name",
  "config.namespaces": "the release's namespace",
  "config.ownNamespace": 'with `["*"]` the release\'s namespace',
  "config.image": "the image of the operator",
  "config.publicUrl": "the Ingress's address, if there is one",
  "config.internalUrl": "the Service of that port",
  "config.logs.store": "`files`",
  "config.logs.directory": "with `files` `/var/lib/turbo-hipster`",
  "config.logs.retention.size": "nine tenths of the chart's claim",
};

/** The JSON Schema of the chart's values, draft 7 as helm takes it. `valuesYaml` is the text of values.yaml, whose comments describe them. */
export function renderValuesSchema(valuesYaml: string): JsonSchema {
  const schema = z.toJSONSchema(valuesSchema, {
    ...{ target: "draft-7", io: "input", reused: "inline", unrepresentable: "throw" },
    override: ({ zodSchema, jsonSchema }) => simplify(zodSchema, jsonSchema as JsonSchema),
  });
  const { $schema, ...rest } = schema as JsonSchema;
  const described: JsonSchema = { $schema, title: "Values of the turbo-hipster chart", ...rest };
  for (const [path, description] of describeValues(valuesYaml)) valueAt(described, path).description ??= description;
  for (const path of Object.keys(FILLED_IN)) delete valueAt(described, path).default;
  // That there is one is checked in the templates, with a better message, and that none is named twice where it has a port once.
  const servers = valueAt(described, "config.gearman.servers");
  delete servers.minItems;
  for (const list of [servers, valueAt(described, "config.namespaces")]) list.uniqueItems = true;
  return described;
}

/** The schema of the value at a path such as `image.tag`; throws where there is none. */
export function valueAt(schema: JsonSchema, path: string): JsonSchema {
  const found = path.split(".").reduce<JsonSchema | undefined>((parent, field) => parent?.properties?.[field], schema);
  if (found === undefined) throw new Error(`the schema of the chart's values knows no ${path}`);
  return found;
}

/** Takes away what zod says beyond what helm's validator, or a reader of its messages, can use. */
function simplify(zodSchema: z.core.$ZodType, jsonSchema: JsonSchema): void {
  // Said there by a rule of CEL, which helm's validator does not know.
  if (jsonSchema["x-kubernetes-int-or-string"]) Object.assign(jsonSchema, { pattern: QUANTITY_PATTERN, minimum: 0 });
  for (const keyword of Object.keys(jsonSchema)) if (keyword.startsWith("x-kubernetes-")) delete jsonSchema[keyword];
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  delete jsonSchema.propertyNames;
  // Defaults of objects are those of their fields.
  if (typeof jsonSchema.default === "object" && !Array.isArray(jsonSchema.default)) delete jsonSchema.default;
  // A format is not looked at by every validator. All URLs of the configuration are of these two kinds.
  if (zodSchema instanceof z.ZodURL) jsonSchema.pattern = "^https?://[^/?#:\\s]";
}
