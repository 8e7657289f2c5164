import assert from "node:assert/strict";
import test from "node:test";
import { V1ObjectMeta } from "@kubernetes/client-node";
import { parseTestTask, TEST_TASK_API_VERSION, type TestTask } from "../../../../src/core/test-task/test-task.ts";

function makeObject(spec: object | null, metadata: object = {}): object {
  return { apiVersion: TEST_TASK_API_VERSION, kind: "TestTask", metadata: { name: "nova-unit", ...metadata }, spec };
}

function parseSpec(spec: object, metadata: object = {}): TestTask {
  const parsed = parseTestTask(makeObject(spec, metadata));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.task;
}

/** `path: message` of each problem. */
function problemsOf(object: unknown, options: { strictMetadata?: boolean } = {}): string[] {
  const parsed = parseTestTask(object, options);
  assert.equal(parsed.ok, false);
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`);
}

test("defaults are applied: one job of the task's name, 10m to pull, 1h to run, nothing suspended, nothing checked out", () => {
  const { spec, metadata } = parseSpec({ image: "python:3.12" });
  assert.deepEqual(spec, {
    image: "python:3.12",
    jobs: ["nova-unit"],
    suspend: false,
    timeouts: { pull: "10m", run: "1h", collect: "10m" },
    checkout: { enabled: false, path: "/workspace" },
    whenNoDataset: "refuse",
  });
  assert.equal(metadata.namespace, "default");
});

test("writing checkout at all switches it on", () => {
  assert.deepEqual(parseSpec({ image: "a", checkout: {} }).spec.checkout, { enabled: true, path: "/workspace" });
  assert.deepEqual(parseSpec({ image: "a", checkout: { enabled: false } }).spec.checkout, { enabled: false, path: "/workspace" });
});

test("a property that is null counts as absent, as for the API server", () => {
  assert.deepEqual(
    parseSpec({ image: "a", suspend: null, nodeLabels: null, timeouts: { run: null } }).spec,
    parseSpec({ image: "a" }).spec,
  );
});

test("a property that is undefined counts as absent, whatever its name", () => {
  assert.deepEqual(parseSpec({ image: "a", nobody: undefined }).spec, parseSpec({ image: "a" }).spec);
});

test("fields of the pod template that are not known here are kept", () => {
  const template = { metadata: { finalizers: ["a"] }, spec: { hostNetwork: true, containers: [{ name: "test", image: "a", tty: true }] } };
  assert.deepEqual(parseSpec({ template }).spec.template, template);
});

test("a status of another version does not make the task invalid", () => {
  const parsed = parseTestTask({ ...makeObject({ image: "a" }), status: { active: "many" } });
  assert.equal(parsed.ok && parsed.task.status, undefined);
});

test("a status that can be read is kept", () => {
  const parsed = parseTestTask({ ...makeObject({ image: "a" }), status: { active: 2 } });
  assert.deepEqual(parsed.ok && parsed.task.status, { active: 2 });
});

test("an unknown field is named with the known one that it resembles", () => {
  assert.deepEqual(problemsOf(makeObject({ image: "a", scirpt: "true" })), ["spec.scirpt: unknown field; did you mean script?"]);
  assert.deepEqual(problemsOf(makeObject({ image: "a", timeouts: { runs: "1h" } })), [
    "spec.timeouts.runs: unknown field; did you mean run?",
  ]);
  assert.deepEqual(problemsOf(makeObject({ image: "a", nodeLabels: [{ name: "a", nodeselector: {} }] })), [
    "spec.nodeLabels[0].nodeselector: unknown field; did you mean nodeSelector?",
  ]);
});

test("a field of other programs is named with the place where its meaning goes", () => {
  assert.deepEqual(problemsOf(makeObject({ image: "a", command: ["true"] })), [
    "spec.command: unknown field; use script, or command of a container of template",
  ]);
});

test("a field that resembles none is answered with the known ones", () => {
  assert.match(
    problemsOf(makeObject({ image: "a", checkout: { zzz: 1 } }))[0] ?? "",
    /^spec\.checkout\.zzz: unknown field; known here: enabled/,
  );
});

test("unknown fields of metadata are refused in files and accepted from the API server", () => {
  const object = makeObject({ image: "a" }, { lables: {} });
  assert.deepEqual(problemsOf(object, { strictMetadata: true }), ["metadata.lables: unknown field; did you mean labels?"]);
  assert.equal(parseTestTask(object).ok, true);
  assert.deepEqual(problemsOf(makeObject({ image: "a" }, { qqqqqqqq: 1 }), { strictMetadata: true }), [
    "metadata.qqqqqqqq: unknown field; remove it",
  ]);
  for (const input of [null, {}, { ...object, metadata: "text" }])
    assert.deepEqual(problemsOf(input, { strictMetadata: true }), problemsOf(input));
});

test("all that Kubernetes' ObjectMeta has may stand in a file", () => {
  const metadata = {
    ...{ name: "a", namespace: "ci", generateName: "a-", selfLink: "/a", uid: "u", resourceVersion: "1", generation: 1 },
    ...{ creationTimestamp: "2026-01-01T00:00:00Z", deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 1 },
    ...{ labels: {}, annotations: {}, finalizers: ["a"], ownerReferences: [], managedFields: [] },
  };
  assert.deepEqual(new Set(Object.keys(metadata)), new Set(V1ObjectMeta.getAttributeTypeMap().map(({ baseName }) => baseName)));
  const parsed = parseTestTask(makeObject({ image: "a" }, metadata), { strictMetadata: true });
  assert.ok(parsed.ok, JSON.stringify(parsed));
});

test("a namespace that is empty is none", () => {
  assert.deepEqual(problemsOf(makeObject({ image: "a" }, { namespace: "" })), [
    "metadata.namespace: must not be empty; give a value or remove the field",
  ]);
});

test("a value that YAML took for a number or a boolean is answered with quotes as the remedy", () => {
  assert.deepEqual(problemsOf(makeObject({ image: "a", env: [{ name: "A", value: 1 }] })), [
    "spec.env[0].value: must be a string, not a number; put it in quotes",
  ]);
});

test("a task without image and template is refused", () => {
  assert.match(problemsOf(makeObject({ script: "true" }))[0] ?? "", /^spec: must have image .* or template$/);
});

test("the judged container of a template needs an image, its own or the task's", () => {
  const template = { spec: { containers: [{ name: "db", image: "mysql:8" }, { name: "test" }] } };
  assert.match(problemsOf(makeObject({ template }))[0] ?? "", /^spec\.template: the container that is the test .* has no image/);
  assert.equal(parseSpec({ template, image: "python:3.12" }).spec.image, "python:3.12");
});

test("jobs times node labels is limited", () => {
  const jobs = Array.from({ length: 501 }, (_, index) => `job-${index}`);
  assert.match(
    problemsOf(makeObject({ image: "a", jobs, nodeLabels: [{ name: "bionic" }] }))[0] ?? "",
    /^spec\.jobs: .*more than 1000 functions/,
  );
});

test("a script is limited in bytes, not in characters", () => {
  assert.match(problemsOf(makeObject({ image: "a", script: "é".repeat(40_000) }))[0] ?? "", /^spec\.script: must be at most 64 KiB/);
  assert.ok(parseSpec({ image: "a", script: "e".repeat(65_536) }));
});

test("what is no object at all is refused without an exception", () => {
  for (const input of [null, undefined, 1, "x", [], {}]) assert.ok(problemsOf(input).length > 0);
});

test("nesting without end is refused", () => {
  let deep: object = {};
  for (let depth = 0; depth < 20_000; depth++) deep = { a: deep };
  const template = { deep, spec: { containers: [{ name: "test", image: "a" }] } };
  assert.deepEqual(problemsOf(makeObject({ template })), [": is nested more than 100 levels deep"]);
});

test("a key named __proto__ does not reach the prototype", () => {
  const parsed = parseTestTask(
    JSON.parse(JSON.stringify(makeObject({ image: "a" })).replace('"spec":{', '"spec":{"__proto__":{"suspend":true},')),
  );
  assert.equal(parsed.ok && parsed.task.spec.suspend, false);
});
