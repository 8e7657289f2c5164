import * as z from "zod";
import { durationText } from "../kubernetes/duration-text.ts";
import { isQuantity, QUANTITY_MAX_LENGTH, QUANTITY_PATTERN } from "../kubernetes/quantity.ts";

/** A bucket's name; https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and older ones of others. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;
const PREFIX = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*(\/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*$/;

const absolutePath = z.string().regex(/^\/[^\0]*$/, "must be an absolute path");
const quantityText = z
  .string()
  .refine(isQuantity, "must be a quantity like 50Gi")
  .meta({ pattern: QUANTITY_PATTERN, maxLength: QUANTITY_MAX_LENGTH });
const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

/** The configuration's `logs`: where the logs of builds go. */
export const logsSchema = z
  .strictObject({
    store: z
      .enum(["files", "s3", "none"])
      .default("none")
      .describe("files: a directory; s3: a bucket of any server that speaks S3; none: nowhere"),
    directory: absolutePath.optional().describe("of the store files; it must be there, all replicas must see it"),
    bucket: z.string().regex(BUCKET, "must be a bucket's name").optional().describe("of the store s3; it must be there"),
    prefix: z
      .string()
      .max(100)
      .regex(PREFIX, "must be letters, digits, dots and dashes, with single slashes between them")
      .optional()
      .describe("in front of every object's key; installations that share a bucket need different ones"),
    endpoint: httpUrl.optional().describe("an S3 server that is not Amazon's, without the bucket"),
    region: z.string().min(1).max(64).optional().describe("of the bucket (default: us-east-1)"),
    pathStyle: z
      .boolean()
      .optional()
      .describe("the bucket in the path and not in the host's name (default: true where there is an endpoint)"),
    caFile: absolutePath.optional().describe("PEM of the authority of the S3 server's certificate, trusted beside the usual ones"),
    credentialsDirectory: absolutePath
      .optional()
      .describe("a Secret as files AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (default: the environment, or the pod's role)"),
    limit: quantityText
      .default("256Mi")
      .describe("of one container's log; of a longer one the beginning and the end are kept, a half each"),
    url: httpUrl.optional().describe("where people reach the store without this program, if they do"),
    retention: z
      .strictObject({
        age: durationText.default("720h").describe("how long a build is kept"),
        size: quantityText.optional().describe("of all builds together; the oldest go first"),
      })
      .prefault({}),
  })
  .superRefine((logs, context) => {
    const complain = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const needed = { files: "directory", s3: "bucket", none: undefined } as const;
    const field = needed[logs.store];
    if (field !== undefined && logs[field] === undefined) complain(field, `is missing; logs.store ${logs.store} needs it`);
    if (logs.store !== "files" && logs.directory !== undefined) complain("directory", "is of logs.store files alone");
    if (logs.store === "s3") return;
    for (const name of ["bucket", "prefix", "endpoint", "region", "pathStyle", "caFile", "credentialsDirectory"] as const)
      if (logs[name] !== undefined) complain(name, "is of logs.store s3 alone");
  });

export type LogsConfig = z.infer<typeof logsSchema>;
