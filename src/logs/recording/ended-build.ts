import type { JobRecord } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { EndedBuild } from "../stores/stored-builds.ts";

/** What the log store knows a build by. */
export function endedBuildOf({ metadata }: Job, record: JobRecord | undefined): EndedBuild {
  return {
    namespace: metadata.namespace ?? "",
    jobName: metadata.name,
    endedAt: new Date(metadata.creationTimestamp ?? 0),
    logPath: record?.request.logPath ?? null,
  };
}
