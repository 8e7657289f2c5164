import * as z from "zod";
import { STORED_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";

const schema = z.union([
  z.object({ directory: z.string().min(1), whole: z.string().min(1).exactOptional() }),
  z.object({ problem: z.string() }),
]);

/**
 * What a Job says of its stored log: where it is, or why there is none. `whole` is where the build over several datasets is that it speaks for.
 */
export type StoredRecord = z.infer<typeof schema>;

/** undefined while it is to be stored; anyone with access may have edited it. */
export function readStoredRecord({ metadata }: Job): StoredRecord | undefined {
  const text = metadata.annotations?.[STORED_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? { problem: "the Job does not say where" };
  } catch {
    return { problem: "the Job does not say where" };
  }
}

/** Of a build that is stored, where it is; undefined also where nothing of it could be. */
export function storedDirectory(job: Job): string | undefined {
  const stored = readStoredRecord(job);
  return stored && "directory" in stored ? stored.directory : undefined;
}

/** Of a build that is stored, where its page is: with several datasets, that of all of them. */
export function storedPlace(job: Job): string | undefined {
  const stored = readStoredRecord(job);
  return stored && "directory" in stored ? (stored.whole ?? stored.directory) : undefined;
}

export function renderStoredRecord(record: StoredRecord): string {
  return JSON.stringify(record);
}
