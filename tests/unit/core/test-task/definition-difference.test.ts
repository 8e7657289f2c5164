import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderTestTaskCrd } from "../../../../src/core/test-task/crd.ts";
import { compareDefinitions } from "../../../../src/core/test-task/definition-difference.ts";

const schema = (spec: object) => ({ properties: { spec: { properties: spec }, status: {} } });
const text = { type: "string" };

describe("the difference of two definitions", () => {
  test("is none of one to itself", () => {
    const { spec } = renderTestTaskCrd() as { spec: { versions: { schema: { openAPIV3Schema: object } }[] } };
    const own = spec.versions[0]?.schema.openAPIV3Schema;
    assert.deepEqual(compareDefinitions(structuredClone(own), own), { lacking: [], foreign: [], hasOtherRules: false });
    const { lacking } = compareDefinitions({}, own);
    assert.deepEqual(lacking, ["spec", "status"]);
  });

  test("names the outermost fields that one of them lacks, in lists and maps too", () => {
    const inner = { properties: { name: text, added: { properties: { deep: text } } } };
    const own = schema({ a: text, list: { items: inner }, map: { additionalProperties: inner } });
    const served = schema({ old: text, list: { items: { properties: { name: text } } }, map: { additionalProperties: true } });
    assert.deepEqual(compareDefinitions(served, own), {
      lacking: ["spec.a", "spec.list[].added", "spec.map{}"],
      foreign: ["spec.old"],
      hasOtherRules: false,
    });
  });

  test("sees rules that differ, and not their order", () => {
    const rules = (...texts: string[]) => schema({ a: { "x-kubernetes-validations": texts.map((rule) => ({ rule, message: rule })) } });
    assert.equal(compareDefinitions(rules("x", "y"), rules("y", "x")).hasOtherRules, false);
    assert.equal(compareDefinitions(rules("x"), rules("y")).hasOtherRules, true);
    assert.equal(compareDefinitions(rules(), rules("y")).hasOtherRules, true);
  });

  test("is not led astray by what is no schema, or nested without an end", () => {
    let deep: object = text;
    for (let count = 0; count < 5000; count += 1) deep = { items: deep };
    for (const served of [undefined, null, [], "x", { properties: [] }, { properties: { spec: 7 } }, schema({ deep })])
      assert.ok(compareDefinitions(served, schema({ a: text })).lacking.length > 0);
  });
});
