import * as z from "zod";

const count = z.int().min(0);

/** One failure of a junit file, cut to what a page shows. */
const junitFailureSchema = z.object({
  file: z.string(),
  name: z.string(),
  kind: z.enum(["failure", "error"]),
  message: z.string(),
});

const junitSchema = z.object({
  tests: count,
  failures: count,
  errors: count,
  skipped: count,
  seconds: z.number().min(0),
  /** The first ones. */
  failed: z.array(junitFailureSchema),
  /** Files that are no junit XML, and why. */
  unread: z.array(z.object({ file: z.string(), why: z.string() })),
});

/** What became of a build's artifacts: stored beside them, and part of the build's record. */
export const artifactsRecordSchema = z.object({
  /** `path` below the build's artifacts; `name` as the test had it, where that is another; `isChanged` while it was read. */
  files: z.array(z.object({ path: z.string(), name: z.string().optional(), bytes: count, isChanged: z.literal(true).optional() })),
  bytes: count,
  /** The first ones. */
  leftOut: z.array(z.object({ name: z.string(), why: z.string() })),
  leftOutCount: count,
  /** Where the task names junit files and there were some. */
  junit: junitSchema.optional(),
});

export type ArtifactsRecord = z.infer<typeof artifactsRecordSchema>;
export type JunitRecord = z.infer<typeof junitSchema>;
export type JunitFailure = z.infer<typeof junitFailureSchema>;
