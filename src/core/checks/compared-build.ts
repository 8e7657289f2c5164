import type { DatasetRecord } from "../job/dataset-record.ts";
import { jobNumber } from "../job/name.ts";
import { readJobRecord } from "../job/record.ts";
import type { Job } from "../kubernetes/objects.ts";
import { readItem } from "../report/build-item.ts";
import type { BuildReport } from "../report/build-report.ts";
import { readBuildFunction } from "../zuul/function-name.ts";

/** What a build shares with those whose times and counts say something of its own. */
export interface ComparedBuild {
  readonly namespace: string;
  readonly task: string;
  /** Its own Job is none of them. */
  readonly jobName: string;
  /** Nodes of another one may be slower. */
  readonly nodeLabel: string | undefined;
  readonly project: string | undefined;
  readonly branch: string | undefined;
  readonly dataset: Pick<DatasetRecord, "name" | "version"> | undefined;
}

/** undefined where the Job does not say any more whose it is. */
export function readComparedBuild(job: Job): ComparedBuild | undefined {
  const record = readJobRecord(job);
  if (!record) return undefined;
  const { namespace, task, jobName, functionName, dataset } = record;
  const { project, branch } = readItem(job);
  return { namespace, task, jobName, nodeLabel: readBuildFunction(functionName).nodeLabel, project, branch, dataset };
}

/** Whether a kept build is one to compare with. */
export function isComparable(kept: BuildReport, build: ComparedBuild): boolean {
  const { item, dataset, verdict } = kept;
  return (
    verdict?.class === "success" &&
    isOfTask(kept, build) &&
    kept.jobName !== build.jobName &&
    readBuildFunction(kept.functionName).nodeLabel === build.nodeLabel &&
    item.project === build.project &&
    item.branch === build.branch &&
    dataset?.name === build.dataset?.name &&
    dataset?.version === build.dataset?.version
  );
}

function isOfTask(kept: BuildReport, { namespace, task }: ComparedBuild): boolean {
  return kept.namespace === namespace && kept.task === task;
}

/** Of a Job's name, the task whose build it is: the number ends with 16 digits behind it. */
export function taskOfJob(jobName: string): string {
  return jobNumber(jobName).replace(/-[0-9a-f]{16}$/, "");
}
