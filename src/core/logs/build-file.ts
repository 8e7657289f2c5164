import * as z from "zod";
import { artifactsRecordSchema } from "../artifacts/artifacts-record.ts";
import { checkoutRecordSchema } from "../checkout/record.ts";
import { checkResultSchema } from "../checks/check-result.ts";
import { buildDetailsSchema, buildReportSchema } from "../report/report-schemas.ts";

/** In a stored build's directory: all that is known of the build, beside its logs and artifacts. Pages and the API are made of it. */
export const BUILD_FILE = "build.json";

const count = z.int().nonnegative();
/** Beside `build.json`. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/);

/**
 * A container's log in a file. Offsets are of what was printed, as a follower counts it, masked, with what a limit has cut out. In the file
 * that stands in `runs`; whatever else the file holds, as a sentence where something was cut, are words of ours.
 */
const storedLogSchema = z.object({
  container: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
  file: fileName,
  /** All that was printed, what was cut out included. */
  bytes: count,
  /** In order: so many bytes from this offset of the log on stand in the file from there on. */
  runs: z.array(z.object({ offset: count, at: count, bytes: count })),
  /** Where the kubelet threw something away before it was read; times are RFC 3339. */
  holes: z.array(z.object({ offset: count, after: z.string(), before: z.string().optional() })),
  cut: z.object({ from: count, to: count }).optional(),
  /** Where the container was started again, and how often it had been. */
  attempts: z.array(z.object({ offset: count, attempt: z.int().positive() })),
  /** Where lines begin, `[offset, whole lines before it]`, so that a page finds any line of a long log with one read. */
  points: z.array(z.tuple([count, count])),
});

const containerSchema = z.object({
  name: z.string(),
  image: z.string(),
  /** As the kubelet pulled it, with its digest. */
  imageId: z.string().optional(),
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
  exitCode: z.int().optional(),
  reason: z.string().optional(),
});

export const buildFileSchema = z.object({
  version: z.literal(1),
  /** With the verdict and its evidence. */
  build: buildReportSchema,
  /** Parameters without secrets, and how the test is run again; missing where the Job was gone too soon. */
  details: buildDetailsSchema.optional(),
  /** Of Zuul's launches of this build that were known when it ended, which one it was. */
  attempt: z.int().positive().optional(),
  containers: z.array(containerSchema),
  commits: z.array(checkoutRecordSchema),
  /** The test's first. */
  logs: z.array(storedLogSchema),
  artifacts: artifactsRecordSchema.optional(),
  /** What each check of the task has found; missing where there are none, or the test failed by itself. */
  checks: z.array(checkResultSchema).optional(),
  /** Sentences on what could not be kept. */
  problems: z.array(z.string()).default([]),
});

export type BuildFile = z.infer<typeof buildFileSchema>;
export type StoredLogEntry = z.infer<typeof storedLogSchema>;

/** undefined for what is no such file, and for one of a later version. */
export function parseBuildFile(text: string): BuildFile | undefined {
  try {
    return buildFileSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const onlyChecksSchema = buildFileSchema.pick({ version: true, checks: true });

/** Of such a file what its checks found, without a look at the rest; undefined where there were none, and for what is no such file. */
export function parseStoredChecks(text: string): BuildFile["checks"] {
  try {
    return onlyChecksSchema.safeParse(JSON.parse(text)).data?.checks;
  } catch {
    return undefined;
  }
}

/** For people too: indented, but for the points. No string of JSON holds a newline. */
export function renderBuildFile(file: z.input<typeof buildFileSchema>): string {
  return `${JSON.stringify(file, undefined, 2).replace(/\[\n +(\d+),\n +(\d+)\n +\]/g, "[$1,$2]")}\n`;
}

/** Each costs some 20 bytes of `build.json`; of a log of 1 GB a page then reads 1 MB to find a line. */
const MAX_STORED_POINTS = 1024;

/** Of the places where lines begin as many as `build.json` holds, evenly; the first and the last are kept. */
export function storedPoints(points: readonly { offset: number; lines: number }[]): [number, number][] {
  const step = Math.max(1, Math.ceil((points.length - 1) / (MAX_STORED_POINTS - 1)));
  return points.filter((_, index) => index % step === 0 || index === points.length - 1).map(({ offset, lines }) => [offset, lines]);
}
