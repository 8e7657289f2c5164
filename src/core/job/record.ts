import * as z from "zod";
import { type ContainerRoles, rolesOfTemplate } from "../kubernetes/container-roles.ts";
import { isDuration } from "../kubernetes/duration.ts";
import {
  ANSWER_ANNOTATION,
  CANCELLED_ANNOTATION,
  CHECKS_ANNOTATION,
  CONTAINERS_ANNOTATION,
  DELIVERED_ANNOTATION,
  FUNCTION_ANNOTATION,
  INSTALLATION_LABEL,
  MEMBER_ANNOTATION,
  PARAMETERS_ANNOTATION,
  RELAUNCH_ANNOTATION,
  REQUEST_ANNOTATION,
  TASK_LABEL,
  TIMEOUTS_ANNOTATION,
  VERDICT_ANNOTATION,
} from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";
import type { TestTaskDataset } from "../test-task/schema/dataset.ts";
import type { TestTask } from "../test-task/test-task.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { type DatasetRecord, readDatasetRecord, renderDatasetRecord } from "./dataset-record.ts";
import { answerSchema, type GroupAnswer, type MemberRecord, memberSchema } from "./member.ts";
import { jobAttempt, memberNumber } from "./name.ts";
import { renderRoles } from "./rendered-roles.ts";
import { parseAnnotation, verdictSchema } from "./written-verdict.ts";

/** Whose request a Job answers; on the Job as the `request` annotation. */
export interface RequestRecord {
  server: string;
  unique: string;
  number: string;
  logPath: string | null;
  /** See `RequestIdentity`; null on Jobs of versions that did not tell. */
  payloadHash: string | null;
  /** Under which its server handed it out; null where that is not known. See `isAskedAnew`. */
  handle: string | null;
  /** The replica that answers, and since when (RFC 3339); null when it gave that up. */
  replica: string | null;
  since: string;
}

/** What a Job of ours says about its build: all that an operator needs to go on with it. Anyone with access may have edited it. */
export interface JobRecord {
  namespace: string;
  jobName: string;
  task: string;
  functionName: string;
  request: RequestRecord;
  timeouts: { pull: string; run: string; collect: string; schedule?: string | undefined };
  roles: ContainerRoles;
  relaunchKey: string | undefined;
  /** On which it runs; undefined for none. */
  dataset: DatasetRecord | undefined;
  /** Its test's log is to be checked, once it has passed. */
  hasChecks: boolean;
  isCancelled: boolean;
  isDelivered: boolean;
  /** What came out of this Job. */
  verdict: Verdict | undefined;
  /** Of a build over several datasets, which of its Jobs this is. */
  member: MemberRecord | undefined;
  /** On the lead of such a build, once that is over. */
  answer: GroupAnswer | undefined;
}

const requestSchema = z.object({
  server: z.string(),
  unique: z.string(),
  number: z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/),
  logPath: z.string().nullable().default(null),
  payloadHash: z.string().nullable().default(null),
  handle: z.string().nullable().default(null),
  replica: z.string().nullable().default(null),
  since: z.string().default(""),
});
const duration = z.string().refine(isDuration);
const timeoutsSchema = z.object({ pull: duration, run: duration, collect: duration.default("10m"), schedule: duration.optional() });
const names = z.array(z.string());
const rolesSchema = z.object({
  ...{ test: z.string().min(1), others: names, services: names, inits: names, checkout: z.boolean() },
  collector: z.boolean().default(false),
  marked: z.boolean().default(false),
});
/** Reads a Job of this installation; undefined when it is none, or says too little to be one. */
export function readJobRecord(job: Job): JobRecord | undefined {
  const { annotations = {}, labels = {}, namespace, name } = job.metadata;
  const request = parseAnnotation(requestSchema, annotations[REQUEST_ANNOTATION]);
  const timeouts = parseAnnotation(timeoutsSchema, annotations[TIMEOUTS_ANNOTATION]);
  const functionName = annotations[FUNCTION_ANNOTATION];
  const task = labels[TASK_LABEL];
  if (!request || !timeouts || !functionName || !task || !namespace) return undefined;
  return {
    namespace,
    jobName: name,
    task,
    functionName,
    request,
    timeouts,
    roles: readRoles(job),
    relaunchKey: annotations[RELAUNCH_ANNOTATION],
    dataset: readDatasetRecord(job),
    hasChecks: annotations[CHECKS_ANNOTATION] !== undefined,
    isCancelled: annotations[CANCELLED_ANNOTATION] !== undefined,
    isDelivered: annotations[DELIVERED_ANNOTATION] !== undefined,
    verdict: parseAnnotation(verdictSchema, annotations[VERDICT_ANNOTATION]),
    member: parseAnnotation(memberSchema, annotations[MEMBER_ANNOTATION]),
    answer: parseAnnotation(answerSchema, annotations[ANSWER_ANNOTATION]),
  };
}

/** Whether it speaks for its build: any Job but those of other members of a build over several datasets. */
export function isLead({ member }: Pick<JobRecord, "member">): boolean {
  return member?.lead === undefined;
}

/** What Zuul was told of the build that this Job speaks for, or is to be told by what is written down. */
export function answerOf({ member, verdict, answer }: Pick<JobRecord, "member" | "verdict" | "answer">): Verdict | undefined {
  return member && !member.lead ? answer?.verdict : verdict;
}

/** Jobs of an older version, and such as were edited, do not say it. */
export function readRoles(job: Job): ContainerRoles {
  return readWrittenRoles(job) ?? rolesOfTemplate(job.spec?.template.spec);
}

/** As the Job was made with; undefined where it does not say that. */
export function readWrittenRoles({ metadata }: Job): ContainerRoles | undefined {
  return parseAnnotation(rolesSchema, metadata.annotations?.[CONTAINERS_ANNOTATION]);
}

/** What `readJobRecord` would read of a Job that has just been rendered, without reading it. */
export function makeJobRecord(
  task: TestTask,
  made: {
    functionName: string;
    request: RequestRecord;
    relaunchKey: string | undefined;
    /** As the Job was rendered with. */
    dataset?: TestTaskDataset | undefined;
    member?: MemberRecord | undefined;
  },
): JobRecord {
  const { functionName, request, relaunchKey, dataset, member } = made;
  const {
    metadata: { namespace, name },
    spec,
  } = task;
  const { pull, run, collect, schedule } = spec.timeouts;
  const timeouts = { pull, run, collect, ...(schedule === undefined ? {} : { schedule }) };
  const hasChecks = (spec.checks?.length ?? 0) > 0;
  const nothingYet = { isCancelled: false, isDelivered: false, verdict: undefined, answer: undefined };
  const roles = renderRoles(task, dataset);
  const jobName = member ? memberNumber(request.number, member.index) : request.number;
  const common = { namespace, jobName, task: name, functionName, request, timeouts, roles, relaunchKey, member, hasChecks };
  return { ...common, dataset: dataset && renderDatasetRecord(dataset), ...nothingYet };
}

interface FoundJob {
  job: Job;
  record: JobRecord;
}

/**
 * The Job that speaks for the build with this number, among Jobs that may be others'; of several, as of a unique that is used again, the
 * newest.
 */
export function findJob(jobs: Iterable<Job>, number: string): FoundJob | undefined {
  let found: FoundJob | undefined;
  for (const each of findJobs(jobs, number)) if (isLead(each.record) && (!found || isLater(each.job, found.job))) found = each;
  return found;
}

/** All of this number, in any order. */
export function findJobs(jobs: Iterable<Job>, number: string): FoundJob[] {
  const found: FoundJob[] = [];
  for (const job of jobs) {
    const record = job.metadata.name.startsWith(number) ? readJobRecord(job) : undefined;
    if (record?.request.number === number) found.push({ job, record });
  }
  return found;
}

/** Of two Jobs of one number: one that is not over comes after one that is. */
function isLater(one: Job, other: Job): boolean {
  if (isRecorded(one) !== isRecorded(other)) return isRecorded(other);
  return isMadeAfter(one, other);
}

/** Whether of two Jobs of one number this one was made later; within one second their names tell, see `jobName`. */
export function isMadeAfter({ metadata: one }: Job, { metadata: other }: Job): boolean {
  const [a, b] = [one.creationTimestamp ?? "", other.creationTimestamp ?? ""];
  return a === b ? jobAttempt(one.name) > jobAttempt(other.name) : a > b;
}

/** Whether both were made for one request, of which a second Job is only made once the first one's answer was delivered. */
export function isOfOneRequest(one: JobRecord, other: JobRecord): boolean {
  const [a, b] = [one.request, other.request];
  return haveOneUnique(one, other) && a.payloadHash !== null && a.payloadHash === b.payloadHash;
}

function haveOneUnique(one: JobRecord, other: JobRecord): boolean {
  const [a, b] = [one.request, other.request];
  return a.server === b.server && a.unique === b.unique && one.functionName === other.functionName;
}

/**
 * Whether a request like one that a build answers is a later one: gearmand gives what it had to requeue out under the handle that it had
 * (docs/gearman.md), and geard nothing twice. Of a build that is over it tells that its answer was read; one that runs has given none.
 */
export function isAskedAnew(before: RequestRecord, now: RequestRecord): boolean {
  const isAlike = before.server === now.server && before.unique === now.unique;
  return isAlike && before.handle !== null && now.handle !== null && before.handle !== now.handle;
}

/**
 * Whether its build is over and that is written down: the answer was read, or there is a verdict and the Job may go, since nobody is to ask for
 * it any more. A verdict alone is not the end: a Job that was to be deleted has one, too. Of ten thousand old Jobs almost all are delivered, so
 * that is looked at first, and alone.
 */
export function isRecorded({ metadata: { annotations = {} }, spec }: Job): boolean {
  if (annotations[DELIVERED_ANNOTATION] !== undefined) return true;
  return spec?.ttlSecondsAfterFinished !== undefined && parseAnnotation(verdictSchema, annotations[VERDICT_ANNOTATION]) !== undefined;
}

/**
 * True when `existing` carries out the very request that `wanted` was rendered for. Once the answer was delivered a request like it is a new
 * one: servers hand out again only what they still have. That it was delivered may be written nowhere, where an operator ended too soon.
 */
export function isSameBuild(existing: Job, wanted: Job): boolean {
  if (existing.metadata.deletionTimestamp) return false;
  const [a, b] = [readJobRecord(existing), readJobRecord(wanted)];
  return (
    a !== undefined &&
    b !== undefined &&
    !a.isDelivered &&
    !(a.verdict && isAskedAnew(a.request, b.request)) &&
    existing.metadata.labels?.[INSTALLATION_LABEL] === wanted.metadata.labels?.[INSTALLATION_LABEL] &&
    haveOneUnique(a, b) &&
    a.member?.lead?.uid === b.member?.lead?.uid &&
    parametersOf(existing) === parametersOf(wanted)
  );
}

function parametersOf(job: Job): string | undefined {
  return job.spec?.template.metadata?.annotations?.[PARAMETERS_ANNOTATION];
}

/** Reads the `request` annotation; undefined when it is none. */
export function readRequestRecord(text: string | undefined): RequestRecord | undefined {
  return parseAnnotation(requestSchema, text);
}
