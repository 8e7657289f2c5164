import type { BuildContext, BuildPlan } from "./build-context.ts";
import { BuildSlot } from "./build-slot.ts";
import { BuildWithdrawal } from "./build-withdrawal.ts";
import { Claim } from "./claim.ts";
import { Conversation } from "./conversation.ts";
import { type JobParts, makeJobParts } from "./job-parts.ts";
import { Members } from "./members.ts";
import { Ownership } from "./ownership.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { Placement } from "./placement.ts";

/**
 * What one build is made of. The conversation with Zuul, the life of its Job, or of its lead, and the record that this keeps of it; the rest is
 * between these.
 */
export interface BuildParts extends JobParts {
  readonly conversation: Conversation;
  readonly ownership: Ownership;
  readonly withdrawal: BuildWithdrawal;
  readonly claim: Claim;
  readonly slot: BuildSlot;
  readonly placement: Placement;
  readonly phases: PhaseTimer;
  /** Of a build over several datasets, those beside the lead. */
  readonly members: Members | undefined;
  /** Something has changed that all of its Jobs may have to be looked at for. */
  wake(): void;
}

/** Wires them: each is told of the others what it needs, and wakes the build where that has to look again. */
export function makeBuildParts(plan: BuildPlan, context: BuildContext): BuildParts {
  const { taskKey, job, record: found, limits, workData, nodeLabels, origin } = plan;
  const { servers, replicas, counts, tasks, policy, clock } = context;
  const { number } = workData;
  const isFound = origin.kind === "found";
  const jobParts = makeJobParts({ taskKey, number, job, record: found, isFound, limits }, context);
  const { life, record, wakeup, logger } = jobParts;
  const wake = () => {
    wakeup.wake();
    members?.wake();
  };
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
  const ownership = new Ownership({ ...{ replicas, conversation, record, wakeup, logger }, cachedJob: () => life.cached });
  const withdrawal = new BuildWithdrawal({ conversation, record, clock, logger, onWithdrawn: () => members?.wake() });
  const members =
    plan.members && new Members({ ...{ plan, members: plan.members, ownership, withdrawal }, onChange: () => wakeup.wake() }, context);
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
  return { ...jobParts, conversation, ownership, withdrawal, claim, slot, placement, phases, members, wake };
}
