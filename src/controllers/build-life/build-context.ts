import type { MemberRecord } from "../../core/job/member.ts";
import type { JobRecord } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { Masker } from "../../core/logs/masking.ts";
import type { BuildLimits } from "../../core/observation/build-limits.ts";
import type { ResultStyle } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import type { WorkData } from "../../core/zuul/work-data.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Slot } from "../../runtime/slot.ts";
import type { BuildCluster, BuildObserver, LogChecks, ReplicaRoles, Servers, Tasks } from "../ports.ts";
import type { Rush } from "./rush.ts";

/** What all builds of a replica share. */
export interface BuildContext {
  cluster: BuildCluster;
  servers: Servers;
  tasks: Pick<Tasks, "count" | "mayBegin" | "noteVerdict" | "noteWaiting">;
  replicas: ReplicaRoles;
  /** Told which build finds a quota on the Jobs of its namespace used up. */
  keptJobs: { giveWay(namespace: string, number: string): void };
  /**
   * Where people find what is kept of the build with this Job; undefined where that is its page here. And what masks what its pod says; undefined
   * where that is not known here, or not yet. And who checks its log; undefined where none is kept.
   */
  stored: {
    urlOf(job: Job | undefined): string | undefined;
    maskerOf(jobUid: string | undefined): Masker | undefined;
    readonly checker?: LogChecks | undefined;
  };
  /** Who counts. */
  counts: { tallies: BuildTallies; observer: BuildObserver; rush: Rush };
  /** Builds whose Jobs are there and that nobody asks for. */
  unclaimed: Set<UnclaimedBuild>;
  /** Uids of the Jobs of builds whose answer was delivered and that are not written down yet. */
  delivered: Set<string>;
  policy: BuildPolicy;
  clock: Clock;
  logger: Logger;
}

export interface BuildTallies {
  noteBegin(taskKey: string): void;
  notePlaced(taskKey: string): void;
  /** The scheduler says this of a build that no node takes, or nothing any more. */
  noteWait(taskKey: string, number: string, wait: { words: string; sinceMs: number } | undefined): void;
}

export interface UnclaimedBuild {
  /** Whether a request for it may come from this server, under a function for which `serves` holds, though nobody asks for it now. */
  mayBeAskedFor(server: string, serves: (functionName: string) => boolean): boolean;
}

export interface BuildPolicy {
  resultStyle: ResultStyle;
  /** How long a finished Job is kept. */
  keepJobSeconds: number;
}

/** One build as it begins here. */
export interface BuildPlan {
  /** Its TestTask, `namespace/name`. */
  taskKey: string;
  /** As rendered, or as found; its name is the build's number. */
  job: Job;
  /** What the Job says of the build. */
  record: JobRecord;
  limits: BuildLimits;
  /** The first WORK_DATA; every later one is built on it. */
  workData: WorkData;
  nodeLabels: string[];
  origin: BuildOrigin;
  /** Of a build over several datasets, whose lead's Job `job` is. */
  members?: MembersPlan | undefined;
}

/** What the other Jobs of a build over several datasets are made of. */
export interface MembersPlan {
  /** As on the lead. */
  record: MemberRecord;
  /** By index, as they are to be made, without what they say of the lead. */
  rendered: ReadonlyMap<number, Job>;
  /** The one that is there, as the watch shows it. */
  find(index: number, lead: Job): Job | undefined;
  /** One that is not, though the lead is, as a whole: as that one says; undefined where it does not tell. */
  render(index: number, lead: Job): Job | undefined;
}

export type BuildOrigin =
  /** Zuul asks for it; its Job is still to be made. */
  | { kind: "request"; assignment: Assignment }
  /**
   * Its Job is there, from before this process or this replica's role; it counts among the builds at once. `isAnswered`: its answer was
   * delivered, though the Job does not say so.
   */
  | { kind: "found"; slot: Slot; isAnswered: boolean };
