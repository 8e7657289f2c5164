import * as z from "zod";
import { ARTIFACTS_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";

const schema = z.object({ paths: z.array(z.string()).default([]), junit: z.array(z.string()).default([]) });

/** The task's `artifacts` as they were when the Job was made; anyone with access may have edited it. */
export function readArtifactPaths({ metadata }: Job): z.infer<typeof schema> {
  try {
    return schema.safeParse(JSON.parse(metadata.annotations?.[ARTIFACTS_ANNOTATION] ?? "{}")).data ?? { paths: [], junit: [] };
  } catch {
    return { paths: [], junit: [] };
  }
}
