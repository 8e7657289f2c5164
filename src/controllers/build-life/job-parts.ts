import type { JobRecord } from "../../core/job/record.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { BuildLimits } from "../../core/observation/build-limits.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildContext } from "./build-context.ts";
import { BuildEnd } from "./build-end.ts";
import { BuildRecord } from "./build-record.ts";
import { CollectPhase } from "./collect-phase.ts";
import { JobFollower } from "./job-follower.ts";

/** What there is for each Job of a build: its life, what it says, and the ends of both. */
export interface JobParts {
  readonly wakeup: Wakeup;
  readonly life: JobFollower;
  readonly record: BuildRecord;
  readonly collecting: CollectPhase;
  readonly end: BuildEnd;
  /** Names the build, and its Job as that is called by now. */
  logger(): Logger;
  /** Its Job was made or found, whose name may be another one than was wanted. */
  noteJobName(): void;
}

export interface JobPartsOptions {
  taskKey: string;
  number: string;
  /** As rendered, or as found. */
  job: Job;
  record: JobRecord;
  isFound: boolean;
  limits: BuildLimits;
}

export function makeJobParts({ taskKey, number, job, record: found, isFound, limits }: JobPartsOptions, context: BuildContext): JobParts {
  const { cluster, replicas, counts, tasks, policy, clock } = context;
  const { namespace = "", name } = job.metadata;
  const wakeup = new Wakeup(clock);
  const makeLogger = (jobName: string) => context.logger.child({ build: number, namespace, task: taskKey, job: jobName });
  let named = makeLogger(name);
  const logger = () => named;
  const life = new JobFollower({
    ...{ cluster, job, roles: found.roles, isFound, limits, wakeup, clock, logger },
    maskerOf: (uid) => context.stored.maskerOf(uid),
    isDelivered: ({ metadata: { uid = "" } }) => context.delivered.has(uid),
    onState: () => counts.rush.noteStep(),
    onQuotaFull: () => context.keptJobs.giveWay(namespace, name),
    onWaiting: (why) => tasks.noteWaiting(taskKey, why),
  });
  const record = new BuildRecord({ cluster, replica: replicas.name, job, record: found });
  const collecting = new CollectPhase({ life, collectMs: limits.collectMs, clock, logger });
  const end = new BuildEnd({
    ...{ cluster, namespace, wakeup, clock, life, record, rush: counts.rush, member: found.member },
    keepJobSeconds: policy.keepJobSeconds,
  });
  return {
    ...{ wakeup, life, record, collecting, end, logger },
    noteJobName() {
      named = makeLogger(life.jobName);
    },
  };
}
