import { memberNumber, pageNumber } from "../job/name.ts";
import type { JobRecord } from "../job/record.ts";
import type { Job } from "../kubernetes/objects.ts";
import type { BuildState } from "../observation/build-state.ts";
import { STEPS, stepsDone } from "../observation/steps.ts";
import { type BuildReport, type MemberReport, reportBuild, standingOf } from "./build-report.ts";

/** All of them, in order; `jobOf` finds the Job of the one with this index, as far as it is there. */
export function reportMembers(
  { member, answer, request }: JobRecord,
  jobOf: (index: number) => { record: JobRecord; state: BuildState } | undefined,
): MemberReport[] | undefined {
  return member?.datasets.map(({ name: dataset, kept }, index) => {
    const found = kept ? undefined : jobOf(index);
    const verdict = kept?.verdict ?? found?.record.verdict ?? answer?.members[index]?.verdict;
    const number = kept ? pageNumber(kept.jobName) : memberNumber(request.number, index);
    const step = verdict ? "ended" : found ? (STEPS[stepsDone(found.state)] ?? "ended") : "accepted";
    return { dataset, number, standing: standingOf(step), step, verdict };
  });
}

/** The Job of one of them by itself, as a build is told of. */
export function reportMember(job: Job, record: JobRecord, state: BuildState): BuildReport {
  const { member, request } = record;
  if (!member) return reportBuild(job, record, state);
  const { index, datasets } = member;
  const alone = reportBuild(job, { ...record, member: undefined }, state);
  const of = { of: request.number, dataset: datasets[index]?.name ?? "" };
  return { ...alone, number: memberNumber(request.number, index), member: of };
}
