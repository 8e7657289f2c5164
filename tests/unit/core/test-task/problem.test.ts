import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { knownFields, makeProblem } from "../../../../src/core/test-task/problem.ts";
import { parseTestTask, testTaskSchema } from "../../../../src/core/test-task/test-task.ts";
import { taskObject } from "../../../support/objects/test-tasks.ts";

describe("the path of a problem", () => {
  const rows: [(string | number)[], string][] = [
    [[], ""],
    [["spec", "nodeLabels", 0, "name"], "spec.nodeLabels[0].name"],
    [["spec", "resources", "limits", "example.com/gpu"], 'spec.resources.limits["example.com/gpu"]'],
    [["spec", "labels", "1a"], 'spec.labels["1a"]'],
    [["spec", "labels", "a.b"], 'spec.labels["a.b"]'],
    [["a b"], '["a b"]'],
  ];
  for (const [segments, path] of rows)
    test(`is ${path || "nothing for the whole"}`, () => assert.equal(makeProblem(segments, "").path, path));
});

/** `path: message` of each problem. */
function problemsOf(spec: object, root: object = {}): string[] {
  const parsed = parseTestTask({ ...taskObject(spec), ...root });
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`);
}

const service = (port: number) => ({ name: "db", image: "i", ready: { tcpSocket: { port } } });

describe("a value is answered with what it must be, and the remedy:", () => {
  const rows: [spec: object, problem: string][] = [
    [{ image: 7 }, "spec.image: must be a string, not a number; put it in quotes"],
    [{ image: 1.5 }, "spec.image: must be a string, not a fraction; put it in quotes"],
    [{ image: true }, "spec.image: must be a string, not true or false; put it in quotes"],
    [{ image: {} }, "spec.image: must be a string, not an object"],
    [{ image: ["a"] }, "spec.image: must be a string, not a list"],
    [{ script: "" }, "spec.script: must not be empty; give a value or remove the field"],
    [{ suspend: "true" }, "spec.suspend: must be true or false, not a string; remove the quotes"],
    [{ suspend: "yes" }, "spec.suspend: must be true or false, not a string"],
    [{ suspend: "not true" }, "spec.suspend: must be true or false, not a string"],
    [{ suspend: 1 }, "spec.suspend: must be true or false, not a number"],
    [{ suspend: "12" }, "spec.suspend: must be true or false, not a string"],
    [{ maxConcurrent: "12" }, "spec.maxConcurrent: must be a whole number, not a string; remove the quotes"],
    [{ maxConcurrent: "12a" }, "spec.maxConcurrent: must be a whole number, not a string"],
    [{ maxConcurrent: "a12" }, "spec.maxConcurrent: must be a whole number, not a string"],
    [{ maxConcurrent: "1.5" }, "spec.maxConcurrent: must be a whole number, not a string"],
    [{ maxConcurrent: "true" }, "spec.maxConcurrent: must be a whole number, not a string"],
    [{ maxConcurrent: 1.5 }, "spec.maxConcurrent: must be a whole number, not a fraction"],
    [{ maxConcurrent: 100_001 }, "spec.maxConcurrent: must be at most 100000"],
    [{ timeouts: "5" }, "spec.timeouts: must be an object, not a string"],
    [{ timeouts: [] }, "spec.timeouts: must be an object, not a list"],
    [{ env: "12" }, "spec.env: must be a list, not a string"],
    [{ labels: "12" }, "spec.labels: must be an object, not a string"],
    [{ jobs: {} }, "spec.jobs: must be a list, not an object"],
    [{ jobs: [] }, "spec.jobs: must not be empty; give a value or remove the field"],
    [{ jobs: [null] }, "spec.jobs[0]: must be a string, not null"],
    [{ nodeLabels: Array.from({ length: 51 }, (_, index) => ({ name: `l${index}` })) }, "spec.nodeLabels: must have at most 50 entries"],
    [{ serviceAccountName: "a".repeat(254) }, "spec.serviceAccountName: must be at most 253 characters long"],
    [{ nodeLabels: [{}] }, "spec.nodeLabels[0].name: is required"],
    [
      { resources: { limits: { memory: true } } },
      "spec.resources.limits.memory: must be a string or a whole number, not true or false; put it in quotes",
    ],
    [{ securityContext: { runAsUser: -1 } }, "spec.securityContext.runAsUser: must be at least 0"],
    [{ services: [service(0)] }, "spec.services[0].ready.tcpSocket.port: must be at least 1"],
  ];
  for (const [spec, problem] of rows) test(JSON.stringify(spec).slice(0, 60), () => assert.deepEqual(problemsOf(spec), [problem]));

  test("a kind or version that is another", () => {
    assert.deepEqual(problemsOf({}, { kind: "Task" }), ["kind: must be TestTask"]);
    assert.deepEqual(problemsOf({}, { kind: undefined }), ["kind: is required"]);
    assert.deepEqual(problemsOf({}, { apiVersion: "v1" }), ["apiVersion: must be turbo-hipster.io/v1alpha1"]);
  });
});

test("rules about an object wait until its fields are right, those about others do not", () => {
  assert.deepEqual(problemsOf({ image: undefined, imgae: "i" }), ["spec.imgae: unknown field; did you mean image?"]);
  const problems = problemsOf({ scirpt: "a", script: "#!bash\n" });
  assert.equal(problems.length, 2);
  assert.ok(problems.includes("spec.scirpt: unknown field; did you mean script?"));
  assert.ok(problems.some((problem) => problem.startsWith("spec.script: ")));
});

test("what is no object has no fields", () => {
  for (const segments of [
    ["spec", "image"],
    ["spec", "image", "a"],
    ["spec", "nobody", "a"],
  ]) {
    assert.deepEqual(knownFields(testTaskSchema, segments), []);
  }
  assert.deepEqual(knownFields(testTaskSchema, ["spec", "timeouts"]), ["schedule", "pull", "run", "collect"]);
});
