import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../../src/config.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/configuration.md"), "utf8");
const LEAST = { gearman: { servers: ["a"] } };

/** Field -> the cell of its default. */
const rows = new Map(
  Array.from(page.matchAll(/^\| `([\w.]+)` \| [^|]+ \| ([^|]*) \|/gm), ([, field = "", initial = ""]) => [field, initial]),
);

/** The fields that the operator's refusal of an unknown one lists at a place of the file; none where no object stands there. */
function fieldsAt(path: readonly string[]): string[] {
  const atPath = path.reduceRight<Record<string, unknown>>((inner, name) => ({ [name]: inner }), { unheardOf: 1 });
  try {
    parseConfig(JSON.stringify({ ...LEAST, ...atPath }), "test");
  } catch (error) {
    return /unheardOf: unknown field; known here: (.*)/.exec((error as Error).message)?.[1]?.split(", ") ?? [];
  }
  return [];
}

function leavesBelow(path: readonly string[]): string[] {
  const inner = path.at(-1) === "resources" ? [] : fieldsAt(path);
  return inner.length === 0 ? [path.join(".")] : inner.flatMap((field) => leavesBelow([...path, field]));
}

describe("docs/configuration.md", () => {
  test("has a row for every field that the operator takes, in its order, and for no other", () => {
    const known = leavesBelow([]);
    assert.ok(known.length > 25, known.join());
    assert.deepEqual([...rows.keys()], known);
  });

  test("tells the defaults that a file without the field gets", () => {
    const config: unknown = parseConfig(JSON.stringify(LEAST), "test");
    for (const [field, initial] of rows) {
      const value = field.split(".").reduce<unknown>((object, name) => (object as Record<string, unknown> | undefined)?.[name], config);
      const [, told] = /^`(.*)`$/.exec(initial) ?? [];
      if (told !== undefined) assert.equal(told, typeof value === "string" ? value : JSON.stringify(value), field);
      else if (initial === "") assert.equal(value, undefined, `${field} has a default`);
    }
  });

  test("has examples that the operator takes", () => {
    const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
    assert.equal(examples.length, 2);
    for (const example of examples) parseConfig(example, "the page");
  });
});
