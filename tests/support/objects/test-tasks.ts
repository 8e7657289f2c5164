import assert from "node:assert/strict";
import { parseTestTask, TEST_TASK_API_VERSION, type TestTask } from "../../../src/core/test-task/test-task.ts";

/** A TestTask with an image, as somebody may have written it; `spec` and `metadata` may be anything. */
export function taskObject(spec: object = {}, metadata: object = {}) {
  return {
    ...{ apiVersion: TEST_TASK_API_VERSION, kind: "TestTask" },
    metadata: { name: "unit", namespace: "ci", ...metadata },
    spec: { image: "i", ...spec },
  };
}

/** The same, read: it must be valid. */
export function makeTask(spec: object = {}, metadata: object = {}): TestTask {
  const parsed = parseTestTask(taskObject(spec, metadata));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.task;
}
