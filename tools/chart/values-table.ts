import { parse } from "yaml";
import { describeValues } from "./values-comments.ts";
import { FILLED_IN, type JsonSchema, renderValuesSchema, valueAt } from "./values-schema.ts";

const BEGIN = "<!-- values: made of values.yaml and src/config.ts by `npm run generate` -->";
const END = "<!-- end -->";

/**
 * The chart's README with the table of all values between its marks.
 * @throws Error where the marks are missing.
 */
export function renderReadme(readme: string, valuesYaml: string): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`the chart's README lacks ${BEGIN} or ${END}`);
  const rows = [...configRows(valueAt(renderValuesSchema(valuesYaml), "config"), "config"), ...otherRows(valuesYaml)];
  const table = ["| value | default | meaning |", "|---|---|---|", ...rows.map((cells) => `| ${cells.map(escapeCell).join(" | ")} |`)];
  return `${before}${BEGIN}\n${table.join("\n")}\n${END}${after}`;
}

type Row = [value: string, initial: string, meaning: string];

/** Fields of the configuration file, described where it is parsed. */
function configRows(schema: JsonSchema, path: string): Row[] {
  const inner = Object.entries(schema.properties ?? {});
  // Kubernetes' own, told as a whole.
  if (inner.length === 0 || path.endsWith(".resources"))
    return [[`\`${path}\``, FILLED_IN[path] ?? renderDefault(schema.default), schema.description ?? ""]];
  return inner.flatMap(([name, part]) => configRows(part, `${path}.${name}`));
}

/** All others, described by their comments in values.yaml. */
function otherRows(valuesYaml: string): Row[] {
  const values: unknown = parse(valuesYaml);
  const descriptions = describeValues(valuesYaml);
  const isGroup = (path: string) => [...descriptions.keys()].some((other) => other.startsWith(`${path}.`));
  const initial = (path: string) => path.split(".").reduce((value, name) => (value as Record<string, unknown>)[name], values);
  return [...descriptions].map(([path, meaning]) => [`\`${path}\``, isGroup(path) ? "" : renderDefault(initial(path)), meaning]);
}

function renderDefault(value: unknown): string {
  return value === undefined || value === null || value === "" ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}
