import { awaitsChecks } from "../checks/checks-verdict.ts";
import type { DatasetRecord } from "../job/dataset-record.ts";
import { answerOf, type JobRecord } from "../job/record.ts";
import { CANCELLED_ANNOTATION, DELIVERED_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";
import { type BuildState, endCondition } from "../observation/build-state.ts";
import { STEPS, stepsDone } from "../observation/steps.ts";
import { describeWaiting } from "../observation/waiting-for.ts";
import type { Withdrawal } from "../verdict/sighting.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { type BuildItem, readItem } from "./build-item.ts";

export type Standing = "waiting" | "running" | "ended";

/** What is told of a build to people, and to programs that ask for it: read from its Job and pod alone. Times are RFC 3339. */
export interface BuildReport {
  number: string;
  namespace: string;
  task: string;
  functionName: string;
  jobName: string;
  item: BuildItem;
  standing: Standing;
  /** One of `STEPS`. */
  step: string;
  /** When each step began, as far as it has; in order. */
  times: readonly StepTime[];
  /** What it waits for, in the cluster's words. */
  waitingFor?: string | undefined;
  pod?: string | undefined;
  node?: string | undefined;
  /** Its end was requested. */
  withdrawn?: Withdrawal | undefined;
  verdict?: Verdict | undefined;
  /** When its answer was read by the Gearman server; else, when its Job was over. */
  endedAt?: string | undefined;
  /** On which it ran; a build without datasets has none, and one of several says it of each member. */
  dataset?: DatasetRecord | undefined;
  /** What all launches of this build by Zuul share, where it is known which those are. */
  launch?: string | undefined;
  /** Of the Job of one of several datasets: the build that it is part of. */
  member?: { of: string; dataset: string } | undefined;
  /** Of a build over several datasets: each of them. */
  members?: readonly MemberReport[] | undefined;
}

/** One of several datasets that a build runs on. */
export interface MemberReport {
  dataset: string;
  /** Under which its Job, its log and all else is told of: like a build's. */
  number: string;
  standing: Standing;
  /** One of `STEPS`. */
  step: string;
  verdict?: Verdict | undefined;
}

export interface StepTime {
  step: StepName;
  at: string;
}

export type StepName = "accepted" | "created" | "scheduled" | "preparing" | "running" | "ended";

/** A build of which no Job is there yet: it waits for its turn, or for the API server to take it. */
export function reportUnmade(record: JobRecord, item: BuildItem): BuildReport {
  return {
    ...identityOf(record),
    item,
    standing: "waiting",
    step: "accepted",
    times: timesOf([["accepted", record.request.since]]),
    waitingFor: "its turn: the places of its task or of the installation are taken",
  };
}

/** A build by its Job and what was observed of it. */
export function reportBuild(job: Job, record: JobRecord, state: BuildState): BuildReport {
  const { isCancelled } = record;
  const verdict = isProvisional(record) ? undefined : answerOf(record);
  const pod = "pod" in state ? state.pod : undefined;
  const step = verdict ? "ended" : (STEPS[stepsDone(state)] ?? "ended");
  const endedAt = job.metadata.annotations?.[DELIVERED_ANNOTATION] ?? endCondition(job)?.lastTransitionTime;
  return {
    ...identityOf(record),
    item: readItem(job),
    standing: standingOf(step),
    step,
    times: timesOf([
      ["accepted", record.request.since],
      ["created", job.metadata.creationTimestamp],
      ["scheduled", pod?.scheduledAt],
      ["preparing", pod?.takenAt],
      ["running", startOf(state)],
      ["ended", endOf(state) ?? (verdict ? endedAt : undefined)],
    ]),
    waitingFor: verdict ? undefined : waitingWords(state),
    pod: pod?.name,
    node: pod?.node,
    withdrawn: isCancelled || job.metadata.annotations?.[CANCELLED_ANNOTATION] ? "stop" : undefined,
    verdict,
    endedAt: verdict ? endedAt : undefined,
  };
}

/** Written down in case that the pod goes, before its log was checked. */
function isProvisional({ verdict, answer, isDelivered, hasChecks }: JobRecord): boolean {
  return verdict !== undefined && answer === undefined && !isDelivered && hasChecks && awaitsChecks(verdict);
}

function identityOf({ request, namespace, task, functionName, jobName, relaunchKey, dataset, member }: JobRecord) {
  const launch = relaunchKey?.split("-", 1)[0];
  const known = { ...(launch === undefined ? {} : { launch }), ...(dataset === undefined || member ? {} : { dataset }) };
  return { number: request.number, namespace, task, functionName, jobName, ...known };
}

export function standingOf(step: string): Standing {
  if (step === "ended") return "ended";
  return step === "running" ? "running" : "waiting";
}

function waitingWords(state: BuildState): string | undefined {
  switch (state.kind) {
    case "suspended":
      return "its Job is suspended: whoever did that (Kueue, a person) lets it go on";
    case "queued":
      return "a pod: the Job controller has made none yet, or a quota is used up";
    case "unscheduled":
      return state.words ?? "a node";
    case "preparing":
      return describeWaiting(state, []) ?? "its node to start it";
    default:
      return undefined;
  }
}

function startOf(state: BuildState): string | undefined {
  if (state.kind === "running") return state.startedAt;
  return state.kind === "exited" ? (state.terminated.startedAt ?? undefined) : undefined;
}

function endOf(state: BuildState): string | undefined {
  return state.kind === "exited" || state.kind === "not-started" ? (state.terminated.finishedAt ?? undefined) : undefined;
}

/** Without those that are not known. Clocks of several machines are at work: none may seem to come before the one before it. */
function timesOf(times: readonly (readonly [StepName, string | undefined])[]): StepTime[] {
  let latest = 0;
  return times.flatMap(([step, at]) => {
    const ms = Date.parse(at ?? "");
    if (Number.isNaN(ms)) return [];
    latest = Math.max(latest, ms);
    return [{ step, at: new Date(latest).toISOString().replace(/\.000Z$/, "Z") }];
  });
}
