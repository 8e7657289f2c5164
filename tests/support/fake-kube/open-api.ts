import type { ResourceRules } from "./resource-rules.ts";

/** The OpenAPI document at this path, of the resources whose schema is known; undefined where there are none. */
export function openApiDocument(rules: readonly ResourceRules[], path: string): object | undefined {
  const found = rules.filter(({ group, version, schema }) => schema !== undefined && path === `/openapi/v3/apis/${group}/${version}`);
  if (found.length === 0) return undefined;
  const schemas = found.map(({ group, version, kind, schema }) => {
    const name = [...group.split(".").reverse(), version, kind].join(".");
    return [name, { ...schema, "x-kubernetes-group-version-kind": [{ group, kind, version }] }];
  });
  return { openapi: "3.0.0", components: { schemas: Object.fromEntries(schemas) } };
}
