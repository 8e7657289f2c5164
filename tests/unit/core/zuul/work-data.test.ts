import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { renderFinalWorkData, renderWorkData, STEPS, stepsDone } from "../../../../src/core/zuul/work-data.ts";
import { makeJob, makePod, terminated, waiting } from "../../../support/objects/build-objects.ts";

const WORKER = {
  manager: "turbo-hipster-a",
  name: "turbo-hipster/a/host",
  hostname: "host",
  fqdn: "host.example.org",
  program: "turbo-hipster",
  version: "1.2.3",
  ips: ["192.0.2.1"],
};
const started = renderWorkData({ jobName: "gate-unit", number: "unit-1", url: "http://a/builds/unit-1" }, WORKER);

describe("work data", () => {
  test("holds at first all that Zuul shows of a running build, and no result", () => {
    assert.deepEqual(started, {
      name: "gate-unit",
      number: "unit-1",
      manager: "turbo-hipster-a",
      url: "http://a/builds/unit-1",
      worker_name: "turbo-hipster/a/host",
      worker_hostname: "host",
      worker_fqdn: "host.example.org",
      worker_program: "turbo-hipster",
      worker_version: "1.2.3",
      worker_ips: ["192.0.2.1"],
      worker_extra: {},
    });
  });

  test("holds at last all of that, the result and where it ran", () => {
    assert.deepEqual(renderFinalWorkData(started, { result: "FAILURE", node: "node-1", nodeLabels: ["bionic"] }), {
      ...started,
      result: "FAILURE",
      node_name: "node-1",
      node_labels: ["bionic"],
    });
  });

  test("has no result, not even an empty one, when Zuul is to run the build again", () => {
    const data = renderFinalWorkData(started, { result: null, node: undefined, nodeLabels: [] });
    assert.deepEqual(data, { ...started, node_labels: [] });
  });
});

describe("stepsDone", () => {
  const unscheduled = makePod({ spec: { containers: [{ name: "test" }] }, status: { phase: "Pending", containerStatuses: [] } });
  delete unscheduled.spec?.nodeName;
  delete unscheduled.status?.startTime;
  const pulling = makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", "ContainerCreating")] } });
  const rows: [string, number, ReturnType<typeof observeBuild>][] = [
    ["no Job yet", 0, observeBuild(undefined, [])],
    ["a Job without a pod", 1, observeBuild(makeJob(), [])],
    ["a suspended Job", 1, observeBuild(makeJob({ spec: { suspend: true } }), [])],
    ["a pod without a node", 1, observeBuild(makeJob(), [unscheduled])],
    ["a pod whose image is pulled", 3, observeBuild(makeJob(), [pulling])],
    ["a running test", 4, observeBuild(makeJob(), [makePod()])],
    ["an ended test", 5, observeBuild(makeJob(), [makePod({ status: { containerStatuses: [terminated("test", 0)] } })])],
    ["a lost pod", 5, observeBuild(makeJob(), [makePod({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })])],
  ];
  for (const [name, steps, state] of rows) {
    test(`is ${steps} of ${STEPS.length} for ${name}`, () => assert.equal(stepsDone(state), steps));
  }
});
