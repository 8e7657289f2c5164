import { memberSchema } from "../job/member.ts";
import { launchOf } from "../job/relaunch.ts";
import { parseAnnotation } from "../job/written-verdict.ts";
import { MEMBER_ANNOTATION, RELAUNCH_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";

/** Which of Zuul's launches of its build a Job is, of those in `launches`, itself perhaps among them; undefined where that is not known. */
export function attemptOf(job: Job, launches: readonly Job[]): number | undefined {
  const launch = launchOf(job.metadata.annotations?.[RELAUNCH_ANNOTATION] ?? "");
  if (launch === undefined) return undefined;
  const earlier = launches.filter(({ metadata }) => {
    const own = launchOf(metadata.annotations?.[RELAUNCH_ANNOTATION] ?? "");
    return own === launch && isLead(metadata) && metadata.uid !== job.metadata.uid && isBefore(metadata, job.metadata);
  });
  return earlier.length + 1;
}

/** Of several Jobs of one launch, over several datasets, the one that speaks for it. */
function isLead({ annotations = {} }: Job["metadata"]): boolean {
  return parseAnnotation(memberSchema, annotations[MEMBER_ANNOTATION])?.lead === undefined;
}

/** Zuul launches a build again when it has ended: within a second that can't be. */
function isBefore({ creationTimestamp = "" }: Job["metadata"], other: Job["metadata"]): boolean {
  return creationTimestamp < (other.creationTimestamp ?? "");
}
