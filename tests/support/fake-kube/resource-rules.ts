import { isDeepStrictEqual } from "node:util";
import { renderTestTaskCrd } from "../../../src/core/test-task/crd.ts";
import type { FieldProblem } from "./status-error.ts";

const [TEST_TASK_DEFINITION] = (renderTestTaskCrd() as { spec: { versions: { schema: { openAPIV3Schema: object } }[] } }).spec.versions;

/** A stored object: JSON, with the fields the store itself looks at. */
export interface StoredObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    generation?: number;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
    ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of any kind.
  [field: string]: any;
}

/** How one resource behaves. Everything here is pinned by tests/contract or it must not be here. */
export interface ResourceRules {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  /** Status is written through its subresource only, and dropped from everything else. */
  readonly hasStatus?: boolean;
  /** `metadata.generation` counts changes of the spec. */
  readonly hasGeneration?: boolean;
  /** Objects of a list carry no kind of their own. */
  readonly isBuiltIn?: boolean;
  readonly initialStatus?: object;
  readonly checkCreate?: (object: StoredObject) => FieldProblem[];
  readonly checkUpdate?: (before: StoredObject, after: StoredObject) => FieldProblem[];
  /** Stored nowhere: a create is a question, and this the answer to it. */
  readonly answer?: (question: StoredObject) => StoredObject;
  /** Its schema, as the OpenAPI document has it. */
  readonly schema?: object;
  /** A delete only marks it until whoever runs it lets go. */
  readonly endsGracefully?: (object: StoredObject) => boolean;
}

export const BUILT_IN_RULES: readonly ResourceRules[] = [
  { group: "", version: "v1", plural: "configmaps", kind: "ConfigMap", isBuiltIn: true },
  { group: "", version: "v1", plural: "secrets", kind: "Secret", isBuiltIn: true },
  { group: "", version: "v1", plural: "events", kind: "Event", isBuiltIn: true },
  { group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease", isBuiltIn: true },
  {
    group: "batch",
    version: "v1",
    plural: "jobs",
    kind: "Job",
    isBuiltIn: true,
    hasStatus: true,
    hasGeneration: true,
    initialStatus: {},
    checkCreate: checkJob,
    checkUpdate: checkJobUpdate,
  },
  {
    group: "",
    version: "v1",
    plural: "pods",
    kind: "Pod",
    isBuiltIn: true,
    hasStatus: true,
    initialStatus: { phase: "Pending" },
    checkCreate: (pod) => checkPodSpec(pod.spec, "spec"),
    checkUpdate: checkPodUpdate,
    endsGracefully: (pod) => Boolean(pod.spec?.nodeName),
  },
  {
    group: "turbo-hipster.io",
    version: "v1alpha1",
    plural: "testtasks",
    kind: "TestTask",
    hasStatus: true,
    hasGeneration: true,
    schema: TEST_TASK_DEFINITION?.schema.openAPIV3Schema ?? {},
  },
];

function checkJob(job: StoredObject): FieldProblem[] {
  const template = job.spec?.template?.spec;
  const problems = checkPodSpec(template, "spec.template.spec");
  if (!["Never", "OnFailure"].includes(template?.restartPolicy)) {
    problems.push({
      field: "spec.template.spec.restartPolicy",
      reason: "FieldValueRequired",
      message: 'Required value: valid values: "OnFailure", "Never"',
    });
  }
  return problems;
}

// biome-ignore lint/suspicious/noExplicitAny: it is what is to be checked.
function checkPodSpec(spec: any, field: string): FieldProblem[] {
  const containers: { name?: string; image?: string }[] = spec?.containers ?? [];
  if (containers.length === 0) return [{ field: `${field}.containers`, reason: "FieldValueRequired", message: "Required value" }];
  return containers.flatMap((container, index) => {
    const missing = (["name", "image"] as const).filter((key) => !container[key]);
    return missing.map((key) => ({
      field: `${field}.containers[${index}].${key}`,
      reason: "FieldValueRequired" as const,
      message: "Required value",
    }));
  });
}

function checkJobUpdate(before: StoredObject, after: StoredObject): FieldProblem[] {
  if (isDeepStrictEqual(before.spec?.template, after.spec?.template)) return [];
  return [{ field: "spec.template", reason: "FieldValueInvalid", message: "Invalid value: field is immutable" }];
}

function checkPodUpdate(before: StoredObject, after: StoredObject): FieldProblem[] {
  const { activeDeadlineSeconds: was, ...oldSpec } = before.spec;
  const { activeDeadlineSeconds: is, ...newSpec } = after.spec;
  if (!isDeepStrictEqual(oldSpec, newSpec)) {
    return [
      {
        field: "spec",
        reason: "FieldValueForbidden",
        message:
          "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`,`spec.terminationGracePeriodSeconds`",
      },
    ];
  }
  if (was !== undefined && (is === undefined || is > was)) {
    return [
      {
        field: "spec.activeDeadlineSeconds",
        reason: "FieldValueInvalid",
        message: "Invalid value: must be less than or equal to previous value",
      },
    ];
  }
  return [];
}
