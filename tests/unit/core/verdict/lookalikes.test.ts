import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ContainerRoles, rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { eventsWanted, observeTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import { judge } from "../../../../src/core/verdict/verdict.ts";
import {
  disrupted,
  makeEvent,
  makeJob,
  makePod,
  observe,
  running,
  service,
  terminated,
  waiting,
} from "../../../support/objects/build-objects.ts";

const MEMORY = { resources: { limits: { memory: "2Gi" } } };
const LIMITS = { run: "1h", runMs: 3_600_000 };

function ruleOf(
  pod: Parameters<typeof makePod>[0] | undefined,
  events: ReturnType<typeof makeEvent>[] = [],
  roles: Partial<ContainerRoles> = {},
) {
  const made = pod && makePod(pod);
  const state = observeBuild(makeJob(), made ? [made] : [], { ...rolesOfTemplate(made?.spec), ...roles }, () => undefined);
  const trouble = observeTrouble(state, events);
  return judge({ state, end: undefined, limits: LIMITS, stateMs: 600_000, trouble: trouble && { trouble, standsMs: 600_000 } })?.rule;
}

describe("what only looks like something else:", () => {
  test("a test that says why it failed, beside a service without memory", () => {
    const pod = (message: string) => ({
      spec: { containers: [{ name: "test" }], initContainers: [{ name: "db", restartPolicy: "Always", ...MEMORY }] },
      status: {
        phase: "Failed",
        containerStatuses: [terminated("test", 1, { message })],
        initContainerStatuses: [service("db", { lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } })],
      },
    });
    assert.deepEqual([ruleOf(pod("")), ruleOf(pod("3 tests failed"))], ["out-of-memory", "service-failed"]);
  });

  test("a checkout that ran out of its node's memory, and what it then said of its configuration or ref", () => {
    for (const exitCode of [65, 78]) {
      const status = {
        phase: "Failed",
        initContainerStatuses: [terminated("checkout", exitCode, { reason: "OOMKilled", message: "git died" })],
      };
      assert.equal(
        ruleOf({ spec: { initContainers: [{ name: "checkout" }] }, status: { ...status, containerStatuses: [] } }),
        "checkout-failed",
      );
    }
  });

  test("an image that the cluster has added and that is not there", () => {
    const status = {
      phase: "Pending",
      containerStatuses: [waiting("test", "ContainerCreating"), waiting("proxy", "ErrImagePull", "manifest unknown")],
    };
    assert.equal(ruleOf({ status }), undefined);
    assert.equal(ruleOf({ status }, [], { others: ["proxy"] }), "image-not-found");
  });

  test("an Event of another kind, whatever its words are", () => {
    const silent = { status: { phase: "Pending", containerStatuses: [waiting("test", "ContainerCreating")] } };
    const mount = 'configmap "settings" not found';
    assert.deepEqual(
      [ruleOf(silent, [makeEvent("FailedMount", mount)]), ruleOf(silent, [makeEvent("Unhealthy", mount)])],
      ["volume-not-found", undefined],
    );
    const refused = 'Error creating: pods "a" is forbidden: no';
    assert.deepEqual(
      [ruleOf(undefined, [makeEvent("FailedCreate", refused)]), ruleOf(undefined, [makeEvent("Other", refused)])],
      ["pod-refused", undefined],
    );
  });

  test("a success of a pod that somebody takes away", () => {
    const passed = { phase: "Succeeded", containerStatuses: [terminated("test", 0)] };
    const conditions = [disrupted("EvictionByEvictionAPI")];
    assert.deepEqual([ruleOf({ status: passed }), ruleOf({ status: { ...passed, conditions } })], ["exit-0", "drained"]);
  });

  test("a refusal by the node: a pod without any container's status that gives no reason, or has not failed", () => {
    const status = (phase: string, reason?: string) => ({ status: { phase, containerStatuses: [], ...(reason ? { reason } : {}) } });
    assert.deepEqual(
      [ruleOf(status("Failed", "OutOfcpu")), ruleOf(status("Failed")), ruleOf(status("Succeeded", "OutOfcpu"))],
      ["node-refused", "pod-lost", "pod-ended"],
    );
  });

  test("another Job's pod of the same name", () => {
    const ofAnother = makePod({ metadata: { labels: { "batch.kubernetes.io/controller-uid": "another" } } });
    assert.equal(observe(makeJob(), [ofAnother]).kind, "queued");
  });

  test("a test that runs: a container that the cluster has added before it", () => {
    const pod = makePod({ status: { phase: "Pending", containerStatuses: [running("proxy"), waiting("test", "ErrImagePull")] } });
    assert.equal(observe(makeJob({ spec: { suspend: true } }), [pod]).kind, "suspended");
  });
});

test("the Events of a pod tell why the kubelet ended a test that then exited with 0", () => {
  const seen = (phase: string, kill?: string) =>
    eventsWanted(observe(makeJob(), [makePod({ status: { phase, containerStatuses: [terminated("test", 0)] } })], kill));
  assert.deepEqual(seen("Succeeded", "Stopping container test"), { of: "pod", afterMs: 0 });
  assert.deepEqual([seen("Succeeded"), seen("Running", "Stopping container test")], [undefined, undefined]);
});
