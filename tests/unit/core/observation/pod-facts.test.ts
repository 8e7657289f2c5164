import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ContainerRoles } from "../../../../src/core/kubernetes/container-roles.ts";
import type { ContainerStatus, Pod } from "../../../../src/core/kubernetes/objects.ts";
import { awaitsArtifacts, observeBuild } from "../../../../src/core/observation/build-state.ts";
import { makeJob, makePod, observe, running, terminated, waiting } from "../../../support/objects/build-objects.ts";

describe("a pod has lost its sandbox", () => {
  const isLost = (ready: "True" | "False", statuses: Partial<NonNullable<Pod["status"]>>) => {
    const others = ["Initialized", "PodScheduled"].map((type) => ({ type, status: "True" as const }));
    const conditions = [...others, { type: "PodReadyToStartContainers", status: ready }, { type: "Ready", status: "False" as const }];
    const state = observe(makeJob(), [makePod({ status: { phase: "Pending", conditions, ...statuses } })]);
    return "pod" in state && state.pod?.hasLostSandbox;
  };
  const without = waiting("test", "PodInitializing");
  const made = { ...terminated("fetch", 0), containerID: "containerd://f" };

  test("when it has none though one of its containers was made", () => {
    assert.equal(isLost("False", { initContainerStatuses: [made], containerStatuses: [without] }), true);
    assert.equal(isLost("False", { containerStatuses: [{ ...without, containerID: "containerd://t" }] }), true);
  });

  test("not while it has one, nor before any container was made", () => {
    assert.equal(isLost("True", { initContainerStatuses: [made], containerStatuses: [without] }), false);
    assert.equal(isLost("False", { containerStatuses: [without] }), false);
    assert.equal(isLost("False", { containerStatuses: [{ ...without, containerID: "" }] }), false);
  });
});

describe("artifacts may yet come", () => {
  const ROLES: ContainerRoles = {
    ...{ test: "test", others: [], services: ["db"], inits: [], checkout: false, collector: true, marked: true },
  };
  const awaits = (inits: ContainerStatus[] | undefined) => {
    const status = { containerStatuses: [terminated("test", 1)], ...(inits ? { initContainerStatuses: inits } : {}) };
    return awaitsArtifacts(observeBuild(makeJob(), [makePod({ status })], ROLES, () => undefined));
  };

  test("while the collector runs, whatever runs beside it", () => {
    assert.equal(awaits([terminated("db", 0), running("collector")]), true);
    assert.equal(awaits([running("collector"), running("db")]), true);
  });

  test("not once it has ended, though a service runs on, and not of a pod that says nothing of it", () => {
    assert.equal(awaits([running("db"), terminated("collector", 0)]), false);
    assert.equal(awaits([running("db"), { name: "collector" }]), false);
    assert.equal(awaits([running("db")]), false);
    assert.equal(awaits(undefined), false);
  });

  test("not of a pod without a status", () => {
    const { status: _, ...unseen } = makePod();
    assert.equal(awaitsArtifacts(observeBuild(makeJob(), [unseen], ROLES, () => undefined)), false);
  });
});
