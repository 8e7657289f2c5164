import { badRequest } from "./status-error.ts";

type Selector = (object: { metadata: { labels?: Record<string, string> } }) => boolean;

/** `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, joined by commas. Other set-based selectors are refused: nobody here uses them. */
export function parseLabelSelector(text: string): Selector {
  const tests = text
    .split(/,(?![^(]*\))/)
    .filter((part) => part.trim() !== "")
    .map(parseRequirement);
  return ({ metadata }) => tests.every((test) => test(metadata.labels ?? {}));
}

function parseRequirement(part: string): (labels: Record<string, string>) => boolean {
  const set = /^\s*([\w./-]+)\s+in\s*\(([\w.,\s-]*)\)\s*$/.exec(part);
  if (set) {
    const values = new Set(set[2]?.split(",").map((value) => value.trim()));
    return (labels) => values.has(labels[set[1] ?? ""] ?? "\0");
  }
  const match = /^\s*(!?)([\w./-]+)\s*(?:(==?|!=)\s*([\w.-]*))?\s*$/.exec(part);
  if (!match) throw badRequest(`unable to parse requirement: ${part}`);
  const [, not, key = "", operator, value] = match;
  if (operator === "!=") return (labels) => labels[key] !== value;
  if (operator !== undefined) return (labels) => labels[key] === value;
  return not ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
}

const FIELDS = /^(metadata\.(name|namespace)|status\.phase|spec\.nodeName|involvedObject\.(kind|name|namespace|uid)|reason|type)$/;

/** `metadata.name=x` and the few others that the API server knows for pods and events. */
export function parseFieldSelector(text: string): (object: object) => boolean {
  const tests = text.split(",").map((part) => {
    const [field = "", value] = part.split(/==?/);
    if (!FIELDS.test(field) || value === undefined) throw badRequest(`field label not supported: ${part}`);
    return (object: object) =>
      String(field.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], object) ?? "") === value;
  });
  return (object) => tests.every((test) => test(object));
}
