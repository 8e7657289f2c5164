import * as z from "zod";
import { unknownFieldMessage } from "./field-hints.ts";

/** One thing that is wrong with a resource. `segments` is `path` taken apart, for finding the line. */
export interface Problem {
  path: string;
  segments: readonly (string | number)[];
  message: string;
}

type Segments = readonly (string | number)[];

/** `spec.nodeLabels[0].name`; keys that are no plain words are quoted, as in `spec.resources.limits["example.com/gpu"]`. */
function formatPath(segments: Segments): string {
  let path = "";
  for (const segment of segments) {
    if (typeof segment === "number") path += `[${segment}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(segment)) path += path === "" ? segment : `.${segment}`;
    else path += `[${JSON.stringify(segment)}]`;
  }
  return path;
}

export function makeProblem(segments: Segments, message: string): Problem {
  return { path: formatPath(segments), segments, message };
}

/**
 * What zod found, as problems. The messages are those of `problemMessage`, given to zod when parsing, or of the schema itself. Rules
 * about an object that has unknown fields wait until those are right: what misses `image` may well say `imgae`.
 */
export function renderProblems(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): Problem[] {
  const misspelt = new Set(issues.filter(({ code }) => code === "unrecognized_keys").map(({ path }) => path.join("/")));
  const isPremature = ({ code, path }: z.core.$ZodIssue) => code === "custom" && misspelt.has(path.join("/"));
  return issues.flatMap((issue) => {
    if (isPremature(issue)) return [];
    const segments = issue.path.map((segment) => (typeof segment === "symbol" ? String(segment) : segment));
    if (issue.code !== "unrecognized_keys") return [makeProblem(segments, issue.message)];
    const known = knownFields(schema, segments);
    return issue.keys.map((key) =>
      makeProblem([...segments, key], unknownFieldMessage(key, known, segments, knownFields(schema, ["spec"]))),
    );
  });
}

/** zod's error map: what is wrong with the value at a path, and the remedy. Undefined where the schema has a message of its own. */
export function problemMessage(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return typeMessage(issue.expected, issue.input);
    case "invalid_union":
      return typeMessage("string or int", issue.input);
    case "invalid_value":
      return issue.input === undefined ? "is required" : `must be ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return issue.minimum === 1 && (issue.origin === "string" || issue.origin === "array")
        ? "must not be empty; give a value or remove the field"
        : `must be at least ${issue.minimum}`;
    case "too_big":
      return sizeMessage(issue.origin, issue.maximum);
    default:
      return undefined;
  }
}

function typeMessage(expected: string, input: unknown): string {
  if (input === undefined) return "is required";
  const wanted = TYPE_NAMES[expected] ?? expected;
  return `must be ${wanted}, not ${typeName(input)}${typeRemedy(expected, input)}`;
}

function typeRemedy(expected: string, input: unknown): string {
  if (expected.startsWith("string")) return typeof input === "number" || typeof input === "boolean" ? "; put it in quotes" : "";
  return typeof input === "string" && UNQUOTED[expected]?.test(input) ? "; remove the quotes" : "";
}

/** Strings that only lack the right type. */
const UNQUOTED: Record<string, RegExp> = { number: /^[0-9]+$/, boolean: /^(true|false)$/ };

const TYPE_NAMES: Record<string, string> = {
  string: "a string",
  array: "a list",
  object: "an object",
  record: "an object",
  boolean: "true or false",
  int: "a whole number",
  // No field takes a fraction.
  number: "a whole number",
  "string or int": "a string or a whole number",
};

function typeName(input: unknown): string {
  if (input === null) return "null";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "number") return Number.isInteger(input) ? "a number" : "a fraction";
  return TYPE_NAMES[typeof input] ?? typeof input;
}

function sizeMessage(origin: string, maximum: number | bigint): string {
  if (origin === "string") return `must be at most ${maximum} characters long`;
  if (origin === "array") return `must have at most ${maximum} entries`;
  return `must be at most ${maximum}`;
}

/** Names of the fields that `schema` has at `segments`. */
export function knownFields(schema: z.ZodType, segments: Segments): string[] {
  let current: z.core.$ZodType | undefined = unwrap(schema);
  for (const segment of segments) {
    if (current instanceof z.ZodObject) current = unwrap(current.shape[segment as string]);
    else if (current instanceof z.ZodArray) current = unwrap(current.element);
    else return [];
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let current = schema;
  while (
    current instanceof z.ZodOptional ||
    current instanceof z.ZodExactOptional ||
    current instanceof z.ZodDefault ||
    current instanceof z.ZodPrefault
  ) {
    current = current.unwrap();
  }
  return current;
}
