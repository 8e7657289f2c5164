import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";
import { REASONS } from "../../../src/core/task-status/conditions.ts";
import { knownFields } from "../../../src/core/test-task/problem.ts";
import { testTaskSpecSchema } from "../../../src/core/test-task/schema/spec.ts";
import { TEST_TASK_CONDITIONS } from "../../../src/core/test-task/schema/status.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/testtask.md"), "utf8");

describe("docs/testtask.md", () => {
  test("names every field of a spec, of its timeouts and of its checkout", () => {
    for (const field of knownFields(testTaskSpecSchema, [])) assert.match(page, new RegExp(`\`${field}[\`.]`), field);
    for (const field of knownFields(testTaskSpecSchema, ["timeouts"])) assert.ok(page.includes(`timeouts.${field}`), field);
    for (const field of knownFields(testTaskSpecSchema, ["checkout"])) assert.match(page, new RegExp(`(checkout\\.|\`)${field}\``), field);
  });

  test("has examples that are valid, and probably meant", () => {
    const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
    assert.ok(examples.length > 0);
    for (const example of examples)
      assert.deepEqual(
        readTestTaskDocuments(example).map((document) => [document.state, document.state === "valid" && document.warnings]),
        [["valid", []]],
        example,
      );
  });

  test("names every condition that is written, and every reason why a task is not ready", () => {
    for (const type of TEST_TASK_CONDITIONS) if (type !== "Degraded") assert.ok(page.includes(`| \`${type}\` |`), type);
    const { invalid, functionConflict, checksRefused, templateRefused, suspended, noServer } = REASONS;
    for (const reason of [invalid, functionConflict, checksRefused, templateRefused, suspended, noServer])
      assert.ok(page.includes(`\`${reason}\``), reason);
  });
});
