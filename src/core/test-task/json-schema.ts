import { renderTestTaskCrd } from "./crd.ts";
import { TEST_TASK_API_VERSION, TEST_TASK_KIND } from "./test-task.ts";

type JsonSchema = { [keyword: string]: unknown };

/**
 * The JSON Schema (draft 7) of a TestTask's file, for editors: the CRD's, in the words of JSON Schema. Rules between fields are not in it:
 * `validate` and the API server know them.
 */
export function renderTestTaskJsonSchema(): JsonSchema {
  const { spec } = renderTestTaskCrd() as { spec: { versions: [{ schema: { openAPIV3Schema: JsonSchema } }] } };
  const schema = translate(spec.versions[0].schema.openAPIV3Schema);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: TEST_TASK_KIND,
    ...schema,
    required: ["apiVersion", "kind", "metadata", "spec"],
    properties: {
      ...(schema.properties as JsonSchema),
      apiVersion: { const: TEST_TASK_API_VERSION },
      kind: { const: TEST_TASK_KIND },
      metadata: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
    },
  };
}

/** https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema */
function translate(schema: JsonSchema): JsonSchema {
  const translated: JsonSchema = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "properties") {
      translated[keyword] = Object.fromEntries(
        Object.entries(value as JsonSchema).map(([name, each]) => [name, translate(each as JsonSchema)]),
      );
    } else if (keyword === "items" || keyword === "additionalProperties") {
      translated[keyword] = typeof value === "object" ? translate(value as JsonSchema) : value;
    } else if (keyword !== "nullable" && !keyword.startsWith("x-kubernetes-")) {
      translated[keyword] = value;
    }
  }
  if (schema["x-kubernetes-int-or-string"] === true) translated.type = ["integer", "string"];
  if (schema.nullable === true) translated.type = [translated.type, "null"].flat();
  const isClosed = "properties" in schema && schema["x-kubernetes-preserve-unknown-fields"] !== true && !("additionalProperties" in schema);
  return isClosed ? { ...translated, additionalProperties: false } : translated;
}
