import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import { describeInvalidTask, readInvalidTask } from "../../../../src/core/test-task/invalid-task.ts";
import { namedFunctions } from "../../../../src/core/test-task/served-functions.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";

function read(spec: unknown, metadata: object = {}) {
  const object = {
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "unit", namespace: "ci", uid: "u", ...metadata },
    ...(spec === undefined ? {} : { spec }),
  } as KubeObject;
  const parsed = parseTestTask(object);
  return readInvalidTask(object, parsed.ok ? [] : parsed.problems);
}

describe("of an invalid TestTask", () => {
  const rows: [what: string, spec: unknown, functions: string[]][] = [
    ["no spec at all", undefined, ["build:unit"]],
    ["a spec that is none", "text", ["build:unit"]],
    ["jobs", { jobs: ["a", "b"] }, ["build:a", "build:b"]],
    ["jobs that are null", { jobs: null }, ["build:unit"]],
    ["jobs that are no list", { jobs: "a" }, []],
    ["jobs of which some are none", { jobs: ["a", 1, null, "", "b c", "d:e", "x".repeat(201), ["f"], {}] }, ["build:a"]],
    ["jobs that newer rules refuse", { jobs: ["^gate-.*", "{name}-tests"] }, ["build:^gate-.*", "build:{name}-tests"]],
    ["jobs that come twice", { jobs: ["a", "a"] }, ["build:a"]],
    ["node labels", { nodeLabels: [{ name: "large", image: 1 }, { name: "a b" }, null, {}, "x"] }, ["build:unit", "build:unit:large"]],
    ["node labels that are no list", { nodeLabels: { name: "large" } }, ["build:unit"]],
  ];
  for (const [what, spec, functions] of rows) {
    test(`with ${what} the functions are known that it names`, () => assert.deepEqual(read(spec).functions, functions));
  }

  test("no more functions are known than a valid one may have", () => {
    const names = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    const { functions } = read({ jobs: names(2000, "j"), nodeLabels: names(2000, "l").map((name) => ({ name })) });
    assert.equal(functions.length, 1000);
    assert.equal(read({ jobs: names(5000, "j") }).functions.length, 1000);
  });

  test("the functions are those that it would serve if it were valid", () => {
    const name = fc.constantFrom("a", "b", "c.d", "E_f", "ß");
    const names = fc.uniqueArray(name, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.option(names, { nil: undefined }), fc.option(names, { nil: undefined }), (jobs, labels) => {
        const named = { ...(jobs && { jobs }), ...(labels && { nodeLabels: labels.map((label) => ({ name: label })) }) };
        const parsed = parseTestTask({
          apiVersion: "turbo-hipster.io/v1alpha1",
          kind: "TestTask",
          metadata: { name: "unit" },
          spec: { image: "i", ...named },
        });
        assert.ok(parsed.ok);
        assert.deepEqual(
          read({ ...named, image: 1 }).functions,
          namedFunctions(parsed.task).map((each) => each.name),
        );
      }),
    );
  });

  test("its name, uid and age are known, as far as it has them", () => {
    const creationTimestamp = "2026-01-01T00:00:00Z";
    assert.deepEqual(read({}, { creationTimestamp }).metadata, { name: "unit", namespace: "ci", uid: "u", creationTimestamp });
    assert.deepEqual(readInvalidTask({ metadata: { name: "unit" } }, []).metadata, { name: "unit", namespace: "default" });
  });

  test("a problem of the whole is said without a place", () => {
    assert.deepEqual(readInvalidTask({ metadata: { name: "unit" } }, [{ path: "", segments: [], message: "is nested" }]).problems, [
      "is nested",
    ]);
  });

  test("it is known whether it is suspended, and what is wrong with it", () => {
    assert.deepEqual(
      [read({ suspend: true }).isSuspended, read({ suspend: "true" }).isSuspended, read({}).isSuspended],
      [true, false, false],
    );
    const one = read({ image: 7 });
    assert.deepEqual(one.problems, ["spec.image must be a string, not a number; put it in quotes"]);
    assert.equal(describeInvalidTask(one), "TestTask unit is invalid: spec.image must be a string, not a number; put it in quotes");
    const two = describeInvalidTask(read({ image: "i", suspend: 1, script: 2 }));
    assert.match(two, /^TestTask unit is invalid: spec\.\w+ must be .* \(and 1 more problem\)$/);
    assert.match(describeInvalidTask(read({ image: "i", suspend: 1, script: 2, env: 3 })), /\(and 2 more problems\)$/);
    assert.match(describeInvalidTask(read(undefined)), /spec is required/);
  });

  test("whatever it holds, something is said and nothing thrown", () => {
    fc.assert(
      fc.property(
        fc.object({ maxDepth: 4, key: fc.oneof(fc.constantFrom("jobs", "nodeLabels", "name", "suspend"), fc.string()) }),
        (spec) => {
          const task = read(spec);
          assert.ok(describeInvalidTask(task).startsWith("TestTask unit is invalid: "));
          for (const name of task.functions) assert.match(name, /^build:[^\s:]+(:[^\s:]+)?$/u);
        },
      ),
    );
  });
});
