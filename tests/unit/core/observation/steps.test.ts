import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STEPS, stepsDone } from "../../../../src/core/observation/steps.ts";
import { makeJob, makePod, observe, terminated, waiting } from "../../../support/objects/build-objects.ts";

describe("stepsDone", () => {
  const unscheduled = makePod({ spec: { containers: [{ name: "test" }] }, status: { phase: "Pending", containerStatuses: [] } });
  delete unscheduled.spec?.nodeName;
  delete unscheduled.status?.startTime;
  const pulling = makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", "ContainerCreating")] } });
  const rows: [string, number, ReturnType<typeof observe>][] = [
    ["no Job yet", 0, observe(undefined, [])],
    ["a Job without a pod", 1, observe(makeJob(), [])],
    ["a suspended Job", 1, observe(makeJob({ spec: { suspend: true } }), [])],
    ["a pod without a node", 1, observe(makeJob(), [unscheduled])],
    ["a pod whose image is pulled", 3, observe(makeJob(), [pulling])],
    ["a running test", 4, observe(makeJob(), [makePod()])],
    ["an ended test", 5, observe(makeJob(), [makePod({ status: { containerStatuses: [terminated("test", 0)] } })])],
    ["a lost pod", 5, observe(makeJob(), [makePod({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })])],
  ];
  for (const [name, steps, state] of rows) {
    test(`is ${steps} of ${STEPS.length} for ${name}`, () => assert.equal(stepsDone(state), steps));
  }
});
