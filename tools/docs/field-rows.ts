import { DURATION_MAX_LENGTH } from "../../src/core/kubernetes/duration.ts";
import { QUANTITY_MAX_LENGTH, QUANTITY_PATTERN } from "../../src/core/kubernetes/quantity.ts";

/** What is used of a JSON Schema here; those that zod and the CRD are made to are of this kind. */
export interface JsonSchema {
  type?: string | string[];
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  items?: JsonSchema;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxLength?: number;
  pattern?: string;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
}

export interface FieldRow {
  /** `a.b[].c` */
  path: string;
  schema: JsonSchema;
  /** Whether what it stands in is refused without it. */
  isRequired: boolean;
}

/** The fields below `path`, in the schema's order; of what `isWhole` says so, and of what has none, nothing but itself. */
export function fieldRows(schema: JsonSchema, path: string, isWhole: (path: string) => boolean, isRequired = false): FieldRow[] {
  const object = schema.items?.properties === undefined ? schema : schema.items;
  const inner = Object.entries(object.properties ?? {});
  if (inner.length === 0 || isWhole(path)) return [{ path, schema, isRequired }];
  const prefix = path === "" ? "" : `${path}${object === schema ? "" : "[]"}.`;
  return inner.flatMap(([name, field]) => fieldRows(field, `${prefix}${name}`, isWhole, object.required?.includes(name) ?? false));
}

/** What a field takes, in a few words. */
export function renderKind(schema: JsonSchema): string {
  const type = [schema.type].flat().find((each) => each !== "null" && each !== "string") ?? "string";
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.maxLength === QUANTITY_MAX_LENGTH && (schema.pattern ?? QUANTITY_PATTERN) === QUANTITY_PATTERN) return "a quantity";
  if (type === "array") return schema.minItems === undefined ? "a list" : "a list, not empty";
  if (type === "boolean") return "`true` or `false`";
  if (type === "integer" || type === "number") return renderRange(schema);
  if (type === "object") return "a map";
  if (schema.maxLength === DURATION_MAX_LENGTH) return "a duration";
  if (schema.format === "uri") return "a URL, http or https";
  return schema.pattern?.startsWith("^\\/") ? "an absolute path" : "a text";
}

function renderRange({ minimum, maximum }: JsonSchema): string {
  if (minimum === undefined) return "a number";
  return maximum === undefined ? `a number from ${minimum} on` : `${minimum} to ${maximum}`;
}

/** Its default as code, "must be given", or nothing. */
export function renderDefault({ schema, isRequired }: FieldRow): string {
  if (schema.default === undefined) return isRequired ? "must be given" : "";
  return `\`${typeof schema.default === "string" ? schema.default : JSON.stringify(schema.default)}\``;
}

/** A table of cells in Markdown. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), `|${header.map(() => "---").join("|")}|`, ...rows.map(line)];
}

/** A schema's description as a text of Markdown. */
export function renderDescription({ description = "" }: JsonSchema): string {
  return description.replaceAll("<", "&lt;").replaceAll("*", "\\*");
}
