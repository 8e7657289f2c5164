import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideTestTaskEvents } from "../../../../src/core/task-status/events.ts";
import type { TestTaskCondition } from "../../../../src/core/test-task/schema/status.ts";

function condition(type: string, status: "True" | "False" | "Unknown", reason: string, message = "m"): TestTaskCondition {
  return { type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" };
}

/** `Type Reason` of each event. */
function newsOf(before: TestTaskCondition[] | undefined, after: TestTaskCondition[]): string[] {
  return decideTestTaskEvents(before, after).map(({ type, reason }) => `${type} ${reason}`);
}

describe("events about a TestTask", () => {
  const ready = condition("Ready", "True", "Serving");
  const conflict = condition("Ready", "False", "FunctionConflict", "build:a");

  test("tell that it serves, once", () => {
    assert.deepEqual(newsOf(undefined, [ready]), ["Normal Serving"]);
    assert.deepEqual(newsOf([ready], [{ ...ready, message: "serves more" }]), []);
  });

  test("tell of a conflict, again when it is about something else, and of its end", () => {
    assert.deepEqual(newsOf([ready], [conflict]), ["Warning FunctionConflict"]);
    assert.deepEqual(newsOf([conflict], [conflict]), []);
    assert.deepEqual(newsOf([conflict], [{ ...conflict, message: "build:b" }]), ["Warning FunctionConflict"]);
    assert.deepEqual(newsOf([conflict], [ready]), ["Normal Serving"]);
  });

  test("tell what the API server refuses once, not for Ready as well", () => {
    const refused = [condition("Ready", "False", "TemplateRefused"), condition("TemplateValid", "False", "TemplateRefused")];
    assert.deepEqual(newsOf([ready], refused), ["Warning TemplateRefused"]);
    assert.deepEqual(newsOf(refused, refused), []);
  });

  test("tell of another reason in the same words, whatever other conditions were", () => {
    const invalid = condition("Ready", "False", "Invalid");
    assert.deepEqual(newsOf([condition("Registered", "False", "Invalid"), invalid], [{ ...invalid, reason: "Suspended" }]), [
      "Normal Suspended",
    ]);
    assert.deepEqual(newsOf([condition("Registered", "False", "NoServer"), invalid], [invalid]), []);
  });

  test("are none where nothing is known", () => assert.deepEqual(decideTestTaskEvents([ready], undefined), []));

  test("tell the API server's warnings", () => {
    const warned = condition("TemplateValid", "True", "AcceptedWithWarnings", "unknown field");
    assert.deepEqual(newsOf([condition("TemplateValid", "True", "Accepted")], [warned]), ["Warning TemplateWarnings"]);
    assert.deepEqual(newsOf(undefined, [warned]), ["Warning TemplateWarnings"]);
    assert.deepEqual(newsOf([warned], [warned]), []);
  });

  test("tell of Degraded and of the recovery", () => {
    const degraded = condition("Degraded", "True", "RepeatedInfrastructureFailures");
    const well = condition("Degraded", "False", "Working");
    assert.deepEqual(newsOf([], [degraded]), ["Warning RepeatedInfrastructureFailures"]);
    assert.deepEqual(newsOf([degraded], [well]), ["Normal Recovered"]);
    assert.deepEqual(newsOf([], [well]), []);
    assert.deepEqual(newsOf([degraded], [{ ...degraded, message: "four in a row" }]), []);
  });

  test("are normal for what was asked for, and none for a Gearman server that is away: every task would have one", () => {
    assert.deepEqual(newsOf([ready], [condition("Ready", "False", "Suspended")]), ["Normal Suspended"]);
    assert.deepEqual(newsOf([ready], [condition("Ready", "False", "NoServer"), condition("Registered", "False", "NoServer")]), []);
  });
});
