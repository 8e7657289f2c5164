import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { layEnvironment } from "../../../../src/core/job/environment.ts";
import type { EnvVar } from "../../../../src/core/kubernetes/objects.ts";

/** What a container gets of it, as Kubernetes documents it: each `$(NAME)` is what stands before under that name, or stays. */
function expand(variables: readonly EnvVar[]): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const { name, value = "" } of variables) {
    seen[name] = value.replace(/\$\$|\$\(([^)]*)\)/g, (text, reference) => (text === "$$" ? "$" : (seen[reference] ?? text)));
  }
  return seen;
}
const variables = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => ({ name, value }));
const laid = (...layers: Record<string, string>[]) => expand(layEnvironment(layers.map(variables)));

describe("layEnvironment", () => {
  test("has each name once, with the last layer's value", () => {
    const result = layEnvironment([variables({ A: "1", B: "1" }), variables({ B: "2", C: "2" }), variables({ A: "3" })]);
    assert.deepEqual(Object.fromEntries(result.map(({ name, value }) => [name, value])), { A: "3", B: "2", C: "2" });
    assert.equal(result.length, 3);
  });

  test("keeps the order in which they were written, where nothing refers to anything", () => {
    assert.deepEqual(
      layEnvironment([variables({ B: "", A: "" }), variables({ D: "", B: "x", C: "" })]).map(({ name }) => name),
      ["B", "A", "D", "C"],
    );
  });

  test("lets a later layer override what an earlier one refers to", () => {
    const template = { DB_HOST: "localhost", DB_URL: "mysql://$(DB_HOST)/nova" };
    assert.equal(laid(template, { DB_HOST: "db.example.org" }).DB_URL, "mysql://db.example.org/nova");
    assert.equal(laid({ DB_URL: "request's" }, template, {}).DB_URL, "mysql://localhost/nova");
    assert.equal(laid(template, { REGION: "eu", DB_HOST: "db.$(REGION).example.org" }).DB_URL, "mysql://db.eu.example.org/nova");
  });

  test("takes escaped text for no reference", () => {
    assert.deepEqual(laid({ A: "$$(B) $$$(C)" }, { B: "b", C: "c" }), { A: "$(B) $c", B: "b", C: "c" });
    assert.deepEqual(
      layEnvironment([variables({ A: "$$(B)", B: "" })]).map(({ name }) => name),
      ["A", "B"],
    );
  });

  test("has what a value refers to before it, in the order of the references, and leaves what nobody names", () => {
    const order = layEnvironment([variables({ URL: "$(HOST):$(PORT)/$(NOWHERE)", PORT: "1", HOST: "h" })]);
    assert.deepEqual(
      order.map(({ name }) => name),
      ["HOST", "PORT", "URL"],
    );
    assert.equal(expand(order).URL, "h:1/$(NOWHERE)");
  });

  test("gives the first of a circle what it refers to", () => {
    assert.deepEqual(laid({ A: "a$(B)", B: "b$(A)" }), { A: "ab$(A)", B: "b$(A)" });
  });

  test("ends with circles, with what refers to itself, and with a long chain", () => {
    assert.deepEqual(new Set(Object.keys(laid({ A: "$(B)", B: "$(C)", C: "$(A)", D: "$(D)" }))), new Set(["A", "B", "C", "D"]));
    const chain = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`V${index}`, index === 199 ? "end" : `$(V${index + 1})`]));
    assert.equal(laid(chain).V0, "end");
  });

  test("keeps references to Secrets as they are", () => {
    const valueFrom = { secretKeyRef: { name: "s", key: "k" } };
    assert.deepEqual(layEnvironment([variables({ URL: "x:$(PASSWORD)" }), [{ name: "PASSWORD", valueFrom }]]), [
      { name: "PASSWORD", valueFrom },
      { name: "URL", value: "x:$(PASSWORD)" },
    ]);
  });
});
