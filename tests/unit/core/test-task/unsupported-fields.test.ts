import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unsupportedFields } from "../../../../src/core/test-task/unsupported-fields.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const CHECKS = { checks: [{ name: "a", pattern: { regex: "a" } }] };

const ROWS: [what: string, spec: object, fields: string[]][] = [
  ["a test alone", {}, []],
  [
    "a checkout with all there is",
    { checkout: { gitUrl: "https://git.example.org", projects: ["a"], branch: "b", projectBranches: { a: "b" }, submodules: true } },
    [],
  ],
  ["checks", CHECKS, ["checks"]],
  ["artifacts beside them", { ...CHECKS, artifacts: { paths: ["a"] } }, ["checks"]],
];

describe("of what is not carried out", () => {
  for (const [what, spec, fields] of ROWS) {
    test(`${what} has ${fields.join(", ") || "nothing"}`, () => {
      assert.deepEqual(unsupportedFields(makeTask(spec).spec), fields);
    });
  }
});
