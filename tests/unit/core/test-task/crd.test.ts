import assert from "node:assert/strict";
import test from "node:test";
import { renderTestTaskCrd } from "../../../../src/core/test-task/crd.ts";
import { knownFields } from "../../../../src/core/test-task/problem.ts";
import { testTaskSpecSchema } from "../../../../src/core/test-task/schema/spec.ts";
import { parseTestTask, TEST_TASK_API_VERSION } from "../../../../src/core/test-task/test-task.ts";
import { findStaleFiles, renderGeneratedFiles } from "../../../../tools/generate.ts";

interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  maxItems?: number;
  maxLength?: number;
  maxProperties?: number;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-validations"?: { rule: string; message: string }[];
}

function rootSchema(): Schema {
  const crd = renderTestTaskCrd() as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const [version] = crd.spec.versions;
  assert.ok(version);
  return version.schema.openAPIV3Schema;
}

function schemaAt(path: string): Schema {
  const schema = path.split(".").reduce<Schema | undefined>((parent, field) => parent?.properties?.[field], rootSchema());
  assert.ok(schema, path);
  return schema;
}

/** Every schema in the CRD below `schema`, with its path. */
function* allSchemas(schema: Schema, path = ""): Generator<[string, Schema]> {
  yield [path, schema];
  for (const [field, child] of Object.entries(schema.properties ?? {})) yield* allSchemas(child, `${path}.${field}`);
  if (schema.items) yield* allSchemas(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* allSchemas(schema.additionalProperties, `${path}{}`);
}

/** What the API server makes of an object's missing fields. */
function withDefaults(value: Record<string, unknown>, schema: Schema): Record<string, unknown> {
  const result = { ...value };
  for (const [field, child] of Object.entries(schema.properties ?? {})) {
    if (!(field in result) && child.default !== undefined) result[field] = child.default;
    if (field in result && child.type === "object" && child.properties)
      result[field] = withDefaults(result[field] as Record<string, unknown>, child);
  }
  return result;
}

test("the committed CRD and the chart's copy are what the schema says; else run npm run generate", () => {
  assert.deepEqual(findStaleFiles(), []);
});

test("the chart's copy holds the same definition and can be left out and kept", () => {
  const template = renderGeneratedFiles().get("charts/turbo-hipster/templates/crd.yaml") ?? "";
  const plain = renderGeneratedFiles().get("crds/testtasks.turbo-hipster.io.yaml") ?? "";
  assert.match(template, /^\{\{- if \.Values\.crds\.install \}\}$/m);
  assert.match(template, /^\{\{- if \.Values\.crds\.keep \}\}\n {2}annotations:\n {4}helm\.sh\/resource-policy: keep\n\{\{- end \}\}$/m);
  assert.ok(template.includes(plain.slice(plain.indexOf("spec:\n"))));
});

test("the definition has these defaults and no others: what else it filled in, operators of before would not know", () => {
  const paths = Array.from(allSchemas(schemaAt("spec"))).flatMap(([path, schema]) => (schema.default === undefined ? [] : [path.slice(1)]));
  const ofFirstVersion = ["checkout", "checkout.enabled", "suspend", "timeouts", "timeouts.pull", "timeouts.run"];
  // Those came with their lists, which no operator of before takes at all.
  const withTheirLists = [
    ...["atLeast", "baseline.allow", "baseline.last", "measure"].map((field) => `checks[].counters.${field}`),
    ...["checks[].pattern.expect", "checks[].values.baseline.allow", "checks[].values.baseline.last"],
    ...["atLeast", "baseline.allow", "baseline.last"].map((field) => `checks[].steps.${field}`),
    ...["containers", "image.path", "path", "persistentVolumeClaim.readOnly"].map((field) => `datasets[].${field}`),
    ...["failureThreshold", "periodSeconds", "timeoutSeconds"].map((field) => `services[].ready.${field}`),
  ];
  assert.deepEqual(new Set(paths), new Set([...ofFirstVersion, ...withTheirLists]));
});

test("the API server fills in defaults of the first version alone, and with them a task means the same", () => {
  for (const [spec, filledIn] of [
    [{ image: "a" }, { suspend: false, timeouts: { pull: "10m", run: "1h" }, checkout: { enabled: false } }],
    [
      { image: "a", timeouts: { run: "5m" } },
      { suspend: false, timeouts: { pull: "10m", run: "5m" }, checkout: { enabled: false } },
    ],
    [
      { image: "a", checkout: {} },
      { suspend: false, timeouts: { pull: "10m", run: "1h" }, checkout: { enabled: true } },
    ],
  ]) {
    const parse = (written: object) =>
      parseTestTask({ apiVersion: TEST_TASK_API_VERSION, kind: "TestTask", metadata: { name: "a" }, spec: written });
    const stored = withDefaults({ ...spec }, schemaAt("spec"));
    assert.deepEqual(stored, { ...spec, ...filledIn });
    assert.ok(parse(stored).ok);
    assert.deepEqual(parse(stored), parse({ ...spec }));
  }
});

test("every field of a spec is in the CRD, described for kubectl explain", () => {
  assert.deepEqual(Object.keys(schemaAt("spec").properties ?? {}), knownFields(testTaskSpecSchema, []));
  for (const [path, schema] of allSchemas(rootSchema())) {
    if (/^\.(spec|status)/.test(path) && !/(\[\]|\{\})$/.test(path)) assert.ok(schema.description, `${path} has no description`);
  }
});

test("every list says how it merges, and every schema but quantities has a type", () => {
  for (const [path, schema] of allSchemas(rootSchema())) {
    if (schema.type === "array") assert.match(schema["x-kubernetes-list-type"] ?? "", /^(set|map|atomic)$/, path);
    assert.ok(schema.type !== undefined || schema["x-kubernetes-int-or-string"], path);
  }
});

test("everything in a spec that a rule may look at has a limit", () => {
  for (const [path, schema] of allSchemas(schemaAt("spec"))) {
    if (path.startsWith(".template.metadata")) continue;
    if (schema.type === "array") assert.ok(schema.maxItems, path);
    if (schema.additionalProperties) assert.ok(schema.maxProperties, path);
    if (schema.type === "string" && !("enum" in schema)) assert.ok(schema.maxLength, path);
  }
});

test("unknown fields are kept in the pod template, everywhere in it, and nowhere else", () => {
  for (const [path, schema] of allSchemas(rootSchema())) {
    const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true;
    if (!path.startsWith(".spec.template")) assert.equal(isOpen, false, path);
    else if (schema.type === "object" && !schema.additionalProperties) assert.equal(isOpen, true, path);
  }
});

test("rules about the name stand at the root and name the field", () => {
  const rules = rootSchema()["x-kubernetes-validations"] ?? [];
  assert.ok(
    rules.some(({ rule, message }) => rule === "self.metadata.name.size() <= 40" && message.startsWith("metadata.name must be at most 40")),
  );
});
