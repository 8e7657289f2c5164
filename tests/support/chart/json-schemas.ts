/** Schemas of kinds, as kubeconform takes them: of what the API server publishes, and of definitions of custom resources. */

type Schema = Record<string, unknown>;

interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

/** The file that all schemas of one Kubernetes version refer to. */
const DEFINITIONS = "definitions.json";

/** What swagger.json cannot say of these types: they are written as numbers, too. */
const WRITTEN_AS_NUMBERS: ReadonlyMap<string, Schema> = new Map([
  ["io.k8s.apimachinery.pkg.api.resource.Quantity", { type: ["string", "number"] }],
  ["io.k8s.apimachinery.pkg.util.intstr.IntOrString", { type: ["string", "integer"] }],
]);

/** What kubeconform puts together of an object's apiVersion and kind: `v1-v1-pod.json`, `apps-v1-deployment.json`. */
export const SCHEMA_FILE = "{{ .Group }}-{{ .ResourceAPIVersion }}-{{ .ResourceKind }}.json";

function schemaFile({ group, version, kind }: GroupVersionKind): string {
  return `${group || version}-${version}-${kind.toLowerCase()}.json`;
}

/** Of Kubernetes' own kinds, from api/openapi-spec/swagger.json: name of a file -> schema. No object may have a field that its type does not know. */
export function renderKubernetesSchemas(swagger: { definitions: Record<string, Schema> }): Map<string, Schema> {
  const files = new Map<string, Schema>();
  const definitions: Schema = {};
  for (const [name, definition] of Object.entries(swagger.definitions)) {
    definitions[name] = WRITTEN_AS_NUMBERS.get(name) ?? closeSchema(definition);
    const kinds = (definition["x-kubernetes-group-version-kind"] ?? []) as GroupVersionKind[];
    // Options and events of watches are of every group.
    if (kinds.length === 1 && kinds[0]) files.set(schemaFile(kinds[0]), { $ref: `${DEFINITIONS}#/definitions/${name}` });
  }
  return files.set(DEFINITIONS, { definitions });
}

/** Of a CustomResourceDefinition, for each of its versions. */
export function renderCustomSchemas(definition: CustomResourceDefinition): Map<string, Schema> {
  const { group, names, versions } = definition.spec;
  return new Map(
    versions.map(({ name, schema }) => {
      const { properties, ...rest } = schema.openAPIV3Schema as { properties: Schema };
      const ofEvery = { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: { type: "object" } };
      return [schemaFile({ group, version: name, kind: names.kind }), closeSchema({ ...rest, properties: { ...properties, ...ofEvery } })];
    }),
  );
}

export interface CustomResourceDefinition {
  spec: { group: string; names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: Schema } }[] };
}

/** Refuses fields that are not told of, as an API server with strict validation does, and takes what OpenAPI calls nullable. */
function closeSchema(schema: Schema): Schema {
  const closed: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") closed[key] = mapValues(value as Record<string, Schema>, closeSchema);
    else if (isSchema(value) && /^(?:items|additionalProperties|not)$/.test(key)) closed[key] = closeSchema(value);
    else closed[key] = value;
  }
  const isOpen = schema.properties === undefined || schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (!isOpen) closed.additionalProperties ??= false;
  if (schema.nullable === true && typeof schema.type === "string") closed.type = [schema.type, "null"];
  return closed;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapValues(object: Record<string, Schema>, change: (value: Schema) => Schema): Schema {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
