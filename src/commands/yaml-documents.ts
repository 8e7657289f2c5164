import { type Document, LineCounter, parseAllDocuments, type ScalarTag, type Tags } from "yaml";
import { coerceError } from "../runtime/errors.ts";
import { withoutConsequences, yamlErrorMessage } from "./yaml-errors.ts";

/** A document of a text, not looked into yet. */
export interface YamlSource {
  text: string;
  document: Document.Parsed;
  lineCounter: LineCounter;
}

/** What is wrong with a document, and where in the text. */
interface YamlFault {
  message: string;
  offset: number;
}

/** How often one anchor may be used, times those within it: as many as a list of similar things needs; each may stand for a large subtree. */
const MAX_ALIASES = 100;

/** The documents of a YAML or JSON text as kubectl, and Zuul, read it (YAML 1.1: `yes` is true). */
export function parseYaml(text: string): YamlSource[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: "1.1",
    schema: "yaml-1.1",
    customTags: kubectlTags,
    lineCounter,
    prettyErrors: false,
    logLevel: "error",
  });
  return [...documents].map((document) => ({ text, document, lineCounter }));
}

/** What a document says, or all that keeps it from being read. Two keys alike are such a fault, and more aliases than any file is worth. */
export function readYaml({ text, document }: YamlSource, maxAliases = MAX_ALIASES): { value: unknown } | { faults: YamlFault[] } {
  if (document.errors.length > 0) {
    return {
      faults: withoutConsequences(document.errors).map((error) => ({ message: yamlErrorMessage(error, text), offset: error.pos[0] })),
    };
  }
  try {
    return { value: document.toJS({ maxAliasCount: maxAliases }) };
  } catch (thrown) {
    // Aliases without an anchor, and so many that they stand for more than any file is worth.
    return { faults: [{ message: coerceError(thrown).message, offset: document.contents?.range?.[0] ?? document.range[0] }] };
  }
}

/** Plain texts that YAML 1.1 or the `yaml` package read as something else than kubectl's reader does: all of these stay strings. */
function kubectlTags(tags: Tags): Tags {
  const unknown = /:(timestamp|binary|omap|pairs|set)$/;
  const kept = tags.filter((tag) => typeof tag === "string" || !(unknown.test(tag.tag) || tag.format === "TIME"));
  return kept.map((tag) => {
    if (typeof tag === "string" || !("test" in tag)) return tag;
    if (tag.test?.test(".")) return { ...tag, test: FLOAT };
    return tag.format === "EXP" ? { ...(tag as ScalarTag), resolve: finite } : tag;
  });
}

/** What is too large for a number, or has no digits before its exponent, is a text: a commit's id may look like 5e99999 or e5. */
function finite(text: string): number | string {
  const value = Number.parseFloat(text.replaceAll("_", ""));
  return Number.isFinite(value) ? value : text;
}

/** The package takes a lone `.` for a number. */
const FLOAT = /^[-+]?([0-9][0-9_]*[.][0-9_]*|[.][0-9][0-9_]*)$/;
