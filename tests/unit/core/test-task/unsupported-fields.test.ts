import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unsupportedFields } from "../../../../src/core/test-task/unsupported-fields.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const CHECKS = { checks: [{ name: "a", pattern: { regex: "a" } }] };

const ROWS: [what: string, spec: object, fields: string[]][] = [
  ["a test alone", {}, []],
  ["a checkout", { checkout: {} }, []],
  ["a checkout without submodules", { checkout: { submodules: false } }, []],
  ["a checkout with them", { checkout: { submodules: true } }, ["checkout.submodules"]],
  ["a checkout that is switched off", { checkout: { enabled: false, submodules: true } }, []],
  [
    "a checkout of more projects from elsewhere",
    { checkout: { gitUrl: "https://git.example.org", projects: ["a"], projectBranches: { a: "b" } } },
    [],
  ],
  ["checks", CHECKS, ["checks"]],
  ["checks beside a checkout", { ...CHECKS, checkout: { submodules: true } }, ["checkout.submodules", "checks"]],
];

describe("of what is not carried out", () => {
  for (const [what, spec, fields] of ROWS) {
    test(`${what} has ${fields.join(", ") || "nothing"}`, () => {
      assert.deepEqual(unsupportedFields(makeTask(spec).spec), fields);
    });
  }
});
