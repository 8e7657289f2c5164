import * as z from "zod";
import { nearestName } from "./field-hints.ts";
import { knownFields, makeProblem, type Problem, problemMessage, renderProblems } from "./problem.ts";
import { testTaskNameSchema, testTaskSpecSchema } from "./schema/spec.ts";
import { testTaskStatusSchema } from "./schema/status.ts";

export const TEST_TASK_GROUP = "turbo-hipster.io";
export const TEST_TASK_VERSION = "v1alpha1";
export const TEST_TASK_API_VERSION = `${TEST_TASK_GROUP}/${TEST_TASK_VERSION}`;
export const TEST_TASK_KIND = "TestTask";
export const TEST_TASK_PLURAL = "testtasks";

/** What the program uses of Kubernetes' ObjectMeta; the API server answers for the rest. */
const metadataSchema = z.looseObject({
  name: testTaskNameSchema,
  namespace: z.string().min(1).default("default"),
  uid: z.string().exactOptional(),
  resourceVersion: z.string().exactOptional(),
  generation: z.int().exactOptional(),
  creationTimestamp: z.string().exactOptional(),
  deletionTimestamp: z.string().exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
});

/** The other fields of ObjectMeta (k8s.io/apimachinery/pkg/apis/meta/v1/types.go). */
const OTHER_METADATA = ["generateName", "selfLink", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"];

export const testTaskSchema = z.strictObject({
  apiVersion: z.literal(TEST_TASK_API_VERSION),
  kind: z.literal(TEST_TASK_KIND),
  metadata: metadataSchema,
  spec: testTaskSpecSchema,
  // Written by the operator itself, perhaps of another version: a status that cannot be read counts as none.
  status: testTaskStatusSchema.exactOptional().catch(undefined as never),
});

/** A spec as people write it: everything with a default may be missing. */
export type TestTaskSpecAsWritten = z.input<typeof testTaskSpecSchema>;

/** A spec with its defaults: `suspend`, `timeouts.pull`, `timeouts.run`, `checkout.enabled` and `jobs` are always there. */
export type TestTaskSpec = z.output<typeof testTaskSpecSchema> & { jobs: string[] };
export type TestTaskNodeLabel = NonNullable<TestTaskSpec["nodeLabels"]>[number];

/** A valid TestTask, defaults applied. `metadata.namespace` is `default` where none was given. */
export type TestTask = Omit<z.output<typeof testTaskSchema>, "spec"> & { spec: TestTaskSpec };

export type TestTaskParseResult = { ok: true; task: TestTask } | { ok: false; problems: Problem[] };

/**
 * Reads a TestTask from the API or a file. As the API server does, properties that are null count as absent and unknown fields under
 * `spec.template` are kept; every other unknown field is refused. `strictMetadata` refuses unknown fields of `metadata` too, as kubectl
 * does: right for what a person wrote, wrong for what a newer API server may add.
 */
export function parseTestTask(object: unknown, options: { strictMetadata?: boolean } = {}): TestTaskParseResult {
  if (isNestedDeeper(object, MAX_DEPTH)) return { ok: false, problems: [makeProblem([], `is nested more than ${MAX_DEPTH} levels deep`)] };
  const input = withoutNulls(object);
  const parsed = testTaskSchema.safeParse(input, { error: problemMessage });
  const problems = parsed.success ? [] : renderProblems(testTaskSchema, parsed.error.issues);
  if (options.strictMetadata) problems.push(...metadataProblems(input));
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  const { spec, ...rest } = parsed.data;
  return { ok: true, task: { ...rest, spec: { ...spec, jobs: spec.jobs ?? [rest.metadata.name] } } };
}

/** `namespace/name`, the task's key in queues and maps. */
export function testTaskKey({ metadata }: { metadata: { namespace: string; name: string } }): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Deeper than any PodSpec; whoever handles a task later may recurse without a second thought. */
const MAX_DEPTH = 100;

function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((property) => isNestedDeeper(property, levels - 1));
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const entries = Object.entries(value).filter(([, property]) => property !== null && property !== undefined);
  return Object.fromEntries(entries.map(([key, property]) => [key, withoutNulls(property)]));
}

function metadataProblems(input: unknown): Problem[] {
  const metadata = (input as { metadata?: unknown } | null)?.metadata;
  if (typeof metadata !== "object" || metadata === null) return [];
  const known = [...knownFields(testTaskSchema, ["metadata"]), ...OTHER_METADATA];
  return Object.keys(metadata)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const nearest = nearestName(key, known);
      return makeProblem(["metadata", key], nearest === undefined ? "unknown field; remove it" : `unknown field; did you mean ${nearest}?`);
    });
}
