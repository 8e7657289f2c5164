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
    member: record && memberOf(record),
  };
}

/** The build over several datasets that this Job is part of: the same for all of them. */
function memberOf({ namespace, member, request: { number, logPath } }: JobRecord): EndedBuild["member"] {
  if (!member) return undefined;
  const { since, datasets, index } = member;
  return { dataset: datasets[index]?.name ?? "", of: { namespace, jobName: number, endedAt: new Date(since), logPath } };
}
