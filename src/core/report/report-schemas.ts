import * as z from "zod";
import { datasetRecordSchema } from "../job/dataset-record.ts";
import type { BuildDetails } from "./build-details.ts";
import { itemSchema } from "./build-item.ts";
import type { BuildReport } from "./build-report.ts";

/** Reports as they stand in a store: written by this program or by another version of it, and perhaps edited since. */

const verdictSchema = z.object({
  result: z.string().nullable(),
  class: z.enum(["success", "failure", "cancelled", "infrastructure", "configuration"]),
  rule: z.string(),
  message: z.string(),
  evidence: z.record(z.string(), z.union([z.string(), z.number()])).exactOptional(),
});

const stepTimeSchema = z.object({ step: z.enum(["accepted", "created", "scheduled", "preparing", "running", "ended"]), at: z.string() });

const number = z.string().regex(/^[a-z0-9][-a-z0-9.]{0,252}$/);
const standing = z.enum(["waiting", "running", "ended"]);
const memberSchema = z.object({ dataset: z.string(), number, standing, step: z.string(), verdict: verdictSchema.optional() });

export const buildReportSchema: z.ZodType<BuildReport> = z.object({
  number,
  namespace: z.string(),
  task: z.string(),
  functionName: z.string(),
  jobName: z.string(),
  item: itemSchema,
  standing,
  step: z.string(),
  times: z.array(stepTimeSchema),
  waitingFor: z.string().optional(),
  pod: z.string().optional(),
  node: z.string().optional(),
  withdrawn: z.enum(["stop", "unclaimed"]).optional(),
  verdict: verdictSchema.optional(),
  endedAt: z.string().optional(),
  dataset: datasetRecordSchema.optional(),
  launch: z.string().optional(),
  member: z.object({ of: number, dataset: z.string() }).optional(),
  members: z.array(memberSchema).optional(),
});

export const buildDetailsSchema: z.ZodType<BuildDetails> = z.object({
  parameters: z.array(z.object({ name: z.string(), value: z.string().optional() }).transform(({ name, value }) => ({ name, value }))),
  containers: z.array(z.object({ name: z.string(), image: z.string(), isTest: z.boolean() })),
  again: z
    .object({ kubectl: z.string(), docker: z.string().optional(), needs: z.array(z.string()) })
    .transform(({ docker, ...others }) => ({ ...others, docker })),
});
