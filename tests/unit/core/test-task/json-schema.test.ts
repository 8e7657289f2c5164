import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { renderTestTaskJsonSchema } from "../../../../src/core/test-task/json-schema.ts";

const FIXTURES = join(import.meta.dirname, "../../../fixtures/test-tasks");
/** Another reader of JSON Schema than the one that wrote it would be an editor. */
const schema = z.fromJSONSchema(renderTestTaskJsonSchema());

const read = (path: string) =>
  parseAllDocuments(readFileSync(join(FIXTURES, path), "utf8"), { version: "1.1" }).map((document) => document.toJS());
const task = (spec: object, more: object = {}) => ({
  ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "a", labels: { b: "c" } }, spec },
  ...more,
});

/** A key with nothing behind it the API server leaves out; an editor may well point to it. */
const EMPTY = "nothing-but-keys.yaml";

describe("the JSON Schema of TestTasks", () => {
  for (const name of readdirSync(join(FIXTURES, "good")).filter((file) => file !== EMPTY)) {
    test(`accepts good/${name}`, () => {
      for (const document of read(`good/${name}`)) schema.parse(document);
    });
  }

  const refused: [what: string, document: object, path: string][] = [
    ["an unknown field", task({ imgae: "i" }), "spec"],
    ["one far below", task({ image: "i", datasets: [{ name: "a", configMap: { name: "x", nam: "x" } }] }), "spec.datasets.0.configMap"],
    ["another type", task({ image: "i", maxConcurrent: "8" }), "spec.maxConcurrent"],
    [
      "a word that is none of those",
      task({ image: "i", checks: [{ name: "a", pattern: { regex: "x", expect: "here" } }] }),
      "spec.checks.0.pattern.expect",
    ],
    ["another kind", task({ image: "i" }, { kind: "TestTasks" }), "kind"],
    ["no spec", { ...task({}), spec: undefined }, "spec"],
  ];
  for (const [what, document, path] of refused) {
    test(`refuses ${what}, at its place`, () => {
      const { error } = schema.safeParse(document);
      assert.deepEqual(
        error?.issues.map((issue) => issue.path.join(".")),
        [path],
        JSON.stringify(error?.issues),
      );
    });
  }

  test("takes what Kubernetes knows better, a number or a text for a quantity, and the rest of a pod template", () => {
    schema.parse(
      task({
        image: "i",
        resources: { limits: { cpu: 2, memory: "2Gi" } },
        template: { spec: { containers: [{ name: "test", stdin: true }] } },
      }),
    );
  });
});
