import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse, stringify } from "yaml";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";
import { knownFields } from "../../../src/core/test-task/problem.ts";
import { testTaskSpecSchema } from "../../../src/core/test-task/schema/spec.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/testtask-fields.md"), "utf8");

/** Where one example cannot, or need not, show all there is: alternatives, and what has a page of its own with more of them. */
const PARTLY_SHOWN = ["checkout", "services", "securityContext", "checks"];

const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({
    field: text.slice(0, text.indexOf("\n")),
    rows: Array.from(text.matchAll(/^\| `([^`]+)` \|/gm), ([, path = ""]) => path),
    example: parse(/```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? ""),
  }));

/** Whether something stands at `a.b[].c`, in any element of a list. */
function stands(value: unknown, path: string): boolean {
  const [name = "", ...rest] = path.split(".");
  const list = name.endsWith("[]");
  const inner = (value as Record<string, unknown> | undefined)?.[list ? name.slice(0, -2) : name];
  const candidates = list ? ((inner ?? []) as unknown[]) : [inner];
  return candidates.some((each) => (rest.length === 0 ? each !== undefined : stands(each, rest.join("."))));
}

describe("docs/testtask-fields.md", () => {
  test("has a section for every field of a spec", () => {
    assert.deepEqual(
      sections.map(({ field }) => field),
      knownFields(testTaskSpecSchema, []),
    );
  });

  for (const { field, rows, example } of sections) {
    test(`shows ${field}, and what is in it, by an example that is valid`, () => {
      const spec = { image: "python:3.12", script: "true\n", ...example };
      const task = { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "example" }, spec };
      assert.deepEqual(
        readTestTaskDocuments(stringify(task)).map((document) => (document.state === "valid" ? document.state : document)),
        ["valid"],
      );
      assert.ok(stands(example, field));
      if (PARTLY_SHOWN.includes(field)) return;
      assert.deepEqual(
        rows.filter((path) => !stands(example, path)),
        [],
      );
    });
  }
});
