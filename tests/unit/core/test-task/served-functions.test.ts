import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { InvalidTask } from "../../../../src/core/test-task/invalid-task.ts";
import { decideServedFunctions } from "../../../../src/core/test-task/served-functions.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const taskNamed = (name: string, spec: object, metadata: object = {}) => makeTask(spec, { name, ...metadata });

const older = { creationTimestamp: "2026-01-01T00:00:00Z" };
const newer = { creationTimestamp: "2026-01-01T00:00:01Z" };

test("a task serves each of its jobs, plain and with each node label", () => {
  const { byFunction, byTask } = decideServedFunctions([taskNamed("nova", { jobs: ["unit", "gate"], nodeLabels: [{ name: "bionic" }] })]);
  assert.deepEqual(byTask.get("ci/nova")?.functions, ["build:unit", "build:unit:bionic", "build:gate", "build:gate:bionic"]);
  assert.deepEqual(byFunction.get("build:gate:bionic"), { task: "ci/nova", job: "gate", nodeLabel: "bionic" });
  assert.deepEqual(byFunction.get("build:gate"), { task: "ci/nova", job: "gate" });
});

test("a task without jobs serves the job of its own name", () => {
  assert.deepEqual(decideServedFunctions([taskNamed("nova", {})]).byTask.get("ci/nova")?.functions, ["build:nova"]);
});

test("of two tasks with the same function the older holds it and the newer keeps its others", () => {
  const { byFunction, byTask } = decideServedFunctions([
    taskNamed("a", { jobs: ["shared", "mine"] }, newer),
    taskNamed("b", { jobs: ["shared"] }, older),
  ]);
  assert.equal(byFunction.get("build:shared")?.task, "ci/b");
  assert.deepEqual(byTask.get("ci/a"), { functions: ["build:mine"], conflicts: [{ function: "build:shared", heldBy: "ci/b" }] });
  assert.deepEqual(byTask.get("ci/b"), { functions: ["build:shared"], conflicts: [] });
});

test("tasks of the same age are told apart by namespace and name", () => {
  const first = taskNamed("z", { jobs: ["shared"] }, { ...older, namespace: "a" });
  const second = taskNamed("a", { jobs: ["shared"] }, { ...older, namespace: "b" });
  assert.equal(decideServedFunctions([second, first]).byFunction.get("build:shared")?.task, "a/z");
});

test("a task that has no creationTimestamp counts as the newest", () => {
  const { byFunction } = decideServedFunctions([taskNamed("a", { jobs: ["shared"] }), taskNamed("b", { jobs: ["shared"] }, newer)]);
  assert.equal(byFunction.get("build:shared")?.task, "ci/b");
});

test("an invalid task holds what no valid one names, the older of two what both name", () => {
  const invalid = (name: string, functions: string[], metadata: object): InvalidTask => ({
    metadata: { name, namespace: "ci", ...metadata },
    functions,
    isSuspended: false,
    problems: ["spec.image is required"],
  });
  const [old, young] = [invalid("old", ["build:a", "build:b"], older), invalid("young", ["build:b", "build:c"], newer)];
  const served = decideServedFunctions([taskNamed("valid", { jobs: ["a"] }, newer)], [young, old]);
  assert.equal(served.byFunction.get("build:a")?.task, "ci/valid");
  assert.deepEqual(served.byTask.get("ci/valid")?.conflicts, []);
  assert.deepEqual(
    new Map([...served.refused].map(([name, { metadata }]) => [name, metadata.name])),
    new Map([
      ["build:b", "old"],
      ["build:c", "young"],
    ]),
  );
});

test("who serves what does not depend on the order of the tasks, and every function has one holder", () => {
  const jobs = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 });
  const specs = fc.array(fc.record({ jobs, second: fc.nat(2) }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(specs, (list) => {
      const tasks = list.map((entry, index) =>
        taskNamed(`t${index}`, { jobs: entry.jobs }, { creationTimestamp: `2026-01-01T00:00:0${entry.second}Z` }),
      );
      const forward = decideServedFunctions(tasks);
      const backward = decideServedFunctions([...tasks].reverse());
      assert.deepEqual(forward.byFunction, backward.byFunction);
      const held = [...forward.byTask.values()].flatMap(({ functions }) => functions);
      assert.equal(new Set(held).size, held.length);
      assert.equal(held.length, forward.byFunction.size);
    }),
  );
});
