import * as z from "zod";
import { MEMBER_ANNOTATION, TEST_TASK_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";
import { parseTestTask, TEST_TASK_API_VERSION, TEST_TASK_KIND, type TestTask } from "../test-task/test-task.ts";
import type { MemberVerdict } from "../verdict/combine.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { verdictSchema } from "./written-verdict.ts";

/** One of the datasets that a build of several runs over. */
export interface MemberDataset {
  name: string;
  /** What an earlier launch of the build by Zuul has found out over it: it is not run again. `jobName` is that Job's. */
  kept?: { jobName: string; verdict: Verdict } | undefined;
}

/** On each Job of a build over several datasets, as the `member` annotation: which of them this is. */
export interface MemberRecord {
  /** Of its dataset in `datasets`, which are the same, in one order, on all Jobs of the build. */
  index: number;
  datasets: readonly MemberDataset[];
  /** When the build was accepted (RFC 3339). */
  since: string;
  /**
   * The Job that was made first and speaks for the build: it says whose request is answered, that Zuul has stopped it, and what the answer was.
   * undefined on that Job itself.
   */
  lead?: { jobName: string; uid: string } | undefined;
}

/** What came out of a build over several datasets; on its lead. */
export interface GroupAnswer {
  /** As Zuul was told. */
  verdict: Verdict;
  /** In the order of the datasets. */
  members: readonly (MemberVerdict & { jobName?: string | undefined })[];
}

const datasetSchema = z.object({ name: z.string(), kept: z.object({ jobName: z.string(), verdict: verdictSchema }).optional() });

export const memberSchema: z.ZodType<MemberRecord> = z
  .object({
    index: z.int().nonnegative(),
    datasets: z.array(datasetSchema).min(2).max(100),
    since: z.string(),
    lead: z.object({ jobName: z.string(), uid: z.string() }).optional(),
  })
  .refine(({ index, datasets }) => index < datasets.length);

export const answerSchema: z.ZodType<GroupAnswer> = z.object({
  verdict: verdictSchema,
  members: z.array(z.object({ dataset: z.string(), jobName: z.string().optional(), verdict: verdictSchema })).max(100),
});

/** Annotations of Jobs have 256 KiB together, parameters and scripts aside. */
const MAX_TEST_TASK_LENGTH = 128 * 1024;

/** On the lead: a task that is too large is left out, and a member that was not made with the lead can't be made later. */
export function renderTestTask({ metadata: { namespace, name }, spec }: TestTask): Record<string, string> {
  const kept = { apiVersion: TEST_TASK_API_VERSION, kind: TEST_TASK_KIND, metadata: { namespace, name }, spec };
  const text = JSON.stringify(kept);
  return text.length > MAX_TEST_TASK_LENGTH ? {} : { [TEST_TASK_ANNOTATION]: text };
}

/** Of the whole Job of a lead; undefined where it does not tell. */
export function readTestTask({ metadata }: Job): TestTask | undefined {
  try {
    const parsed = parseTestTask(JSON.parse(metadata.annotations?.[TEST_TASK_ANNOTATION] ?? "null"));
    return parsed.ok ? parsed.task : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The Job of another member than the lead, whose Job is there: it belongs to that one, so that it goes with it, whoever deletes it, and is
 * not taken for that of another build.
 */
export function withLead(job: Job, member: MemberRecord, lead: Job): Job {
  const { name, uid = "" } = lead.metadata;
  const record: MemberRecord = { ...member, lead: { jobName: name, uid } };
  const { [TEST_TASK_ANNOTATION]: _, ...annotations } = job.metadata.annotations ?? {};
  return {
    ...job,
    metadata: {
      ...job.metadata,
      annotations: { ...annotations, [MEMBER_ANNOTATION]: JSON.stringify(record) },
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid }],
    },
  };
}
