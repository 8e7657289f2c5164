import { asMapping, type Mapping } from "../zuul/mapping.ts";

/** Of one definition of TestTasks against another; paths such as `spec.services[].ready`. */
export interface DefinitionDifference {
  /** Fields that it lacks: the API server drops them from what is applied. */
  readonly lacking: readonly string[];
  /** Fields that the other lacks. */
  readonly foreign: readonly string[];
  /** Whether the rules of fields that both have differ. */
  readonly hasOtherRules: boolean;
}

/** A schema nested deeper than ours is cut off there: it is from outside. */
const MAX_DEPTH = 60;

/** How the schema that an API server serves (OpenAPI, of the custom resource as a whole) differs from ours. */
export function compareDefinitions(served: unknown, own: unknown): DefinitionDifference {
  const [there, here] = [fieldsOf(served), fieldsOf(own)];
  const lacking = [...here.keys()].filter((path) => !there.has(path));
  const foreign = [...there.keys()].filter((path) => !here.has(path));
  const hasOtherRules = [...here].some(([path, rules]) => there.has(path) && there.get(path) !== rules);
  return { lacking: withoutInner(lacking), foreign: withoutInner(foreign), hasOtherRules };
}

/** Path of each field of spec and status -> its rules, as text. */
function fieldsOf(schema: unknown): Map<string, string> {
  const fields = new Map<string, string>();
  const walk = (node: unknown, path: string, depth: number) => {
    if (depth > MAX_DEPTH) return;
    const { properties, items, additionalProperties, "x-kubernetes-validations": rules } = record(node);
    fields.set(path, rulesText(rules));
    for (const [name, property] of Object.entries(record(properties))) walk(property, path === "" ? name : `${path}.${name}`, depth + 1);
    if (asMapping(items)) walk(items, `${path}[]`, depth + 1);
    if (asMapping(additionalProperties)) walk(additionalProperties, `${path}{}`, depth + 1);
  };
  const { spec, status } = record(record(schema).properties);
  if (asMapping(spec)) walk(spec, "spec", 0);
  if (asMapping(status)) walk(status, "status", 0);
  return fields;
}

function rulesText(rules: unknown): string {
  const texts = Array.isArray(rules) ? rules.map((each) => String(record(each).rule)) : [];
  return texts.sort((left, right) => (left < right ? -1 : 1)).join("\n");
}

/** What is below a path that is named already says nothing more. */
function withoutInner(paths: readonly string[]): string[] {
  const named = new Set(paths);
  return paths.filter((path) => !parentsOf(path).some((parent) => named.has(parent)));
}

function parentsOf(path: string): string[] {
  return [...path.matchAll(/\.|\[\]|\{\}/g)].map(({ index }) => path.slice(0, index)).filter((parent) => parent !== path);
}

function record(value: unknown): Mapping {
  return asMapping(value) ?? {};
}
