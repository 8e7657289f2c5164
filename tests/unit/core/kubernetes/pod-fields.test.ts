import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { V1Container, V1ContainerStatus, V1JobSpec, V1PodSpec, V1PodStatus } from "@kubernetes/client-node";
import {
  CONTAINER_FIELDS,
  CONTAINER_STATUS_FIELDS,
  JOB_SPEC_FIELDS,
  POD_SPEC_FIELDS,
  POD_STATUS_FIELDS,
} from "../../../../src/core/kubernetes/pod-fields.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { trimPod } from "../../../../src/kube/objects/trimmed-objects.ts";

interface ApiType {
  getAttributeTypeMap(): { baseName: string }[];
}

function fieldsOf(type: ApiType): Set<string> {
  return new Set(type.getAttributeTypeMap().map(({ baseName }) => baseName));
}

describe("the tables of pod fields", () => {
  const tables: [string, ApiType, object][] = [
    ["PodSpec", V1PodSpec, POD_SPEC_FIELDS],
    ["Container", V1Container, CONTAINER_FIELDS],
    ["PodStatus", V1PodStatus, POD_STATUS_FIELDS],
    ["ContainerStatus", V1ContainerStatus, CONTAINER_STATUS_FIELDS],
    ["JobSpec", V1JobSpec, JOB_SPEC_FIELDS],
  ];
  for (const [name, type, table] of tables) {
    test(`have a row for every field of the installed API's ${name}, and no other`, () => {
      assert.ok(fieldsOf(type).size > 5);
      assert.deepEqual(new Set(Object.keys(table)), fieldsOf(type));
    });
  }

  /** A value of a refused field that the API server would take. */
  const REFUSED: Record<string, unknown> = {
    activeDeadlineSeconds: 60,
    ephemeralContainers: [{ name: "debug" }],
    os: { name: "windows" },
    restartPolicy: "OnFailure",
    restartPolicyRules: [{ action: "Restart" }],
  };
  const problemsOf = (podSpec: object, container: object) => {
    const spec = { template: { spec: { containers: [{ name: "test", image: "i", ...container }], ...podSpec } } };
    const parsed = parseTestTask({ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "a" }, spec });
    return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`);
  };

  for (const [where, table] of [["pod", POD_SPEC_FIELDS] as const, ["container", CONTAINER_FIELDS] as const]) {
    for (const [field, [use]] of Object.entries(table)) {
      if (use === "refused") {
        test(`${field} of a ${where} is refused with a sentence`, () => {
          const value = { [field]: REFUSED[field] ?? assert.fail("the test has no value for it") };
          const [problem = "", ...more] = where === "pod" ? problemsOf(value, {}) : problemsOf({}, value);
          assert.match(problem, new RegExp(`\\b${field}\\b.*: .{20}`));
          assert.deepEqual(more, []);
        });
      }
    }
  }

  test("fields that are kept may hold anything", () => {
    const kept = (table: typeof POD_SPEC_FIELDS) =>
      Object.fromEntries(
        Object.entries(table).flatMap(([field, [use]]) => (use === "kept" || use === "cluster" ? [[field, { any: 1 }]] : [])),
      );
    assert.ok(Object.keys(kept(POD_SPEC_FIELDS)).length > 10);
    assert.deepEqual(problemsOf(kept(POD_SPEC_FIELDS), kept(CONTAINER_FIELDS)), []);
  });

  test("the pod's own resources are seen by what judges builds", () => {
    const resources = { limits: { memory: "2Gi" } };
    const pod = trimPod({ metadata: { name: "a" }, spec: { resources, containers: [{ name: "test" }] } } as never);
    assert.deepEqual(pod.spec?.resources, resources);
  });

  test("a status field is seen by what judges builds if, and only if, its row says that it is read", () => {
    const all = (type: ApiType) => Object.fromEntries([...fieldsOf(type)].map((field) => [field, `a ${field}`]));
    const read = (table: typeof POD_STATUS_FIELDS) => new Set(Object.keys(table).filter((field) => table[field]?.[0] === "read"));
    const containers = { containerStatuses: [all(V1ContainerStatus)], initContainerStatuses: [all(V1ContainerStatus)] };
    const conditions = [{ type: "DisruptionTarget", status: "True" }];
    const ephemeral = { ephemeralContainerStatuses: [all(V1ContainerStatus)] };
    const { status } = trimPod({
      metadata: { name: "a" },
      status: { ...all(V1PodStatus), ...containers, conditions, ...ephemeral },
    } as never);
    assert.deepEqual(new Set(Object.keys(status ?? {})), read(POD_STATUS_FIELDS));
    for (const list of [status?.containerStatuses, status?.initContainerStatuses]) {
      assert.deepEqual(new Set(Object.keys(list?.[0] ?? {})), read(CONTAINER_STATUS_FIELDS));
    }
  });
});
