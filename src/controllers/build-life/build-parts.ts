import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildContext, BuildPlan } from "./build-context.ts";
import { BuildEnd } from "./build-end.ts";
import { BuildRecord } from "./build-record.ts";
import { BuildSlot } from "./build-slot.ts";
import { BuildWithdrawal } from "./build-withdrawal.ts";
import { Claim } from "./claim.ts";
import { CollectPhase } from "./collect-phase.ts";
import { Conversation } from "./conversation.ts";
import { JobFollower } from "./job-follower.ts";
import { Ownership } from "./ownership.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { Placement } from "./placement.ts";

/** What one build is made of. The conversation with Zuul, the life of its Job, and the record that the Job keeps of it; the rest is between these. */
export interface BuildParts {
  readonly wakeup: Wakeup;
  readonly conversation: Conversation;
  readonly life: JobFollower;
  readonly record: BuildRecord;
  readonly ownership: Ownership;
  readonly withdrawal: BuildWithdrawal;
  readonly claim: Claim;
  readonly slot: BuildSlot;
  readonly placement: Placement;
  readonly phases: PhaseTimer;
  readonly collecting: CollectPhase;
  readonly end: BuildEnd;
  /** Names the build, and its Job as that is called by now. */
  logger(): Logger;
  /** Its Job was made or found, whose name may be another one than was wanted. */
  noteJobName(): void;
}

/** Wires them: each is told of the others what it needs, and wakes the build where that has to look again. */
export function makeBuildParts(plan: BuildPlan, context: BuildContext): BuildParts {
  const { taskKey, job, record: found, limits, workData, nodeLabels, origin } = plan;
  const { cluster, servers, replicas, counts, tasks, policy, clock } = context;
  const { number } = workData;
  const namespace = job.metadata.namespace ?? "";
  const isFound = origin.kind === "found";
  const wakeup = new Wakeup(clock);
  const wake = () => wakeup.wake();
  const makeLogger = (jobName: string) => context.logger.child({ build: number, namespace, task: taskKey, job: jobName });
  let named = makeLogger(job.metadata.name);
  const logger = () => named;
  const placement = new Placement({ tallies: counts.tallies, taskKey, number, clock });
  const conversation = new Conversation({
    ...{ workData, nodeLabels, clock, logger, resultStyle: policy.resultStyle, server: found.request.server },
    chance: (server) => {
      const chance = servers.chance(server, found.functionName);
      // Where nothing can come that would be known for a request for this build, nothing is waited for.
      return chance === "none" && found.relaunchKey === undefined && !servers.handsOutAgain(server) ? "open" : chance;
    },
    onChange: () => {
      claim.note();
      wake();
    },
  });
  const life = new JobFollower({
    ...{ cluster, job, roles: found.roles, isFound, limits, wakeup, clock, logger },
    maskerOf: (uid) => context.stored.maskerOf(uid),
    isDelivered: ({ metadata: { uid = "" } }) => context.delivered.has(uid),
    onState: () => counts.rush.noteStep(),
    onQuotaFull: () => context.keptJobs.giveWay(namespace, number),
    onWaiting: (why) => tasks.noteWaiting(taskKey, why),
  });
  const record = new BuildRecord({ cluster, replica: replicas.name, job, record: found });
  const ownership = new Ownership({ ...{ replicas, conversation, record, wakeup, logger }, cachedJob: () => life.cached });
  const withdrawal = new BuildWithdrawal({ conversation, record, clock, logger });
  const claim = new Claim({
    ...{ conversation, record: found, servers, all: context },
    jobUid: () => life.made?.metadata.uid,
    isCarriedOut: () => withdrawal.reason === undefined && ownership.isOurs,
  });
  const slot = new BuildSlot({
    ...{ tasks, taskKey, logger },
    onBegin: () => {
      placement.begin();
      wake();
    },
  });
  const phases = new PhaseTimer({ observer: counts.observer, clock, isAdopted: isFound });
  const collecting = new CollectPhase({ life, collectMs: limits.collectMs, clock, logger });
  const end = new BuildEnd({
    ...{ cluster, namespace, wakeup, clock, life, record, rush: counts.rush },
    keepJobSeconds: policy.keepJobSeconds,
  });
  return {
    ...{ wakeup, conversation, life, record, ownership, withdrawal, claim, slot, placement, phases, collecting, end, logger },
    noteJobName() {
      named = makeLogger(life.jobName);
    },
  };
}
