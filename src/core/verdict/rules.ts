import { checkFailed, checkFault, checksPassed, checkUnread, logCut } from "./rules/checks.ts";
import { disrupted, drained, evicted, jobDeleted, jobSuspended, nodeLost, outOfDisk, podDeleted, preempted } from "./rules/disruptions.ts";
import { exit0, initFailed, otherExit, serviceFailed } from "./rules/own-ends.ts";
import { cutOff, killed, nodeRefused, nodeUnfit, podDeadline, podEnded, podLost, runAgain, unwatched } from "./rules/pod-ends.ts";
import {
  checkoutConfiguration,
  checkoutFailed,
  checkoutOutOfMemory,
  checkoutRef,
  datasetCopy,
  injectedFailed,
} from "./rules/preparation-ends.ts";
import {
  endedEarly,
  noPod,
  pullTimeout,
  runTimeout,
  scheduleTimeout,
  serviceNotReady,
  stopped,
  unclaimed,
} from "./rules/requested-ends.ts";
import { nodeOutOfMemory, noInterpreter, notRunnable, outOfMemory, startFailed } from "./rules/start-and-memory.ts";
import type { VerdictRule } from "./rules/verdict-rule.ts";
import {
  containerConfig,
  datasetSize,
  imageDenied,
  imageNotFound,
  imagePlatform,
  invalidImageName,
  namespaceTerminating,
  podRefused,
  sandboxLost,
  volumeNotFound,
} from "./rules/waiting-ends.ts";
import {
  badChecks,
  badRequest,
  datasetNotNeeded,
  invalidTask,
  jobGone,
  jobNotCreated,
  jobRefused,
  nameTaken,
  noDataset,
  noTask,
  operatorError,
  pipeline,
  unrenderable,
  unsupported,
} from "./rules/without-job.ts";

/**
 * Every end that a build can have, and what it means. The first rule that finds something decides; what none knows is infrastructure:
 * absence of evidence is never a result. SUCCESS comes from the first one only, of a task with checks from one that follows it, and from a task
 * that says so of builds that none of its datasets matches.
 */
export const VERDICT_RULES = [
  exit0,

  // Its end was requested.
  stopped,
  runTimeout,
  serviceNotReady,
  pullTimeout,
  scheduleTimeout,
  noPod,
  unclaimed,
  endedEarly,

  // The pod was taken away, or used more than it may.
  outOfDisk,
  preempted,
  drained,
  nodeLost,
  evicted,
  disrupted,
  jobSuspended,
  jobDeleted,
  podDeleted,

  // Its kubelet ended it, was not there at its end, or began it anew; its runtime lost it.
  podDeadline,
  killed,
  unwatched,
  cutOff,
  runAgain,

  // It was never begun.
  nodeUnfit,
  nodeRefused,
  podEnded,
  injectedFailed,
  checkoutOutOfMemory,
  checkoutConfiguration,
  checkoutRef,
  checkoutFailed,
  datasetCopy,

  // Something could not be started, or took more memory than it may.
  notRunnable,
  startFailed,
  noInterpreter,
  outOfMemory,
  nodeOutOfMemory,

  // An exit code of its own.
  initFailed,
  serviceFailed,
  otherExit,

  // It waits for what will not come.
  invalidImageName,
  imageNotFound,
  imageDenied,
  imagePlatform,
  containerConfig,
  volumeNotFound,
  datasetSize,
  podRefused,
  namespaceTerminating,
  sandboxLost,

  // Nothing of the above.
  podLost,

  // Told by whoever goes through the log of a test with checks.
  checksPassed,
  checkFailed,
  checkFault,
  checkUnread,
  logCut,

  // Told by whoever refuses a request, or gives a build up before it has a Job.
  noTask,
  invalidTask,
  badRequest,
  pipeline,
  noDataset,
  datasetNotNeeded,
  unsupported,
  badChecks,
  unrenderable,
  jobRefused,
  jobNotCreated,
  nameTaken,
  jobGone,
  operatorError,
] as const satisfies readonly VerdictRule[];

export type RuleId = (typeof VERDICT_RULES)[number]["id"];

/** The row of the table; rules of verdicts that another version wrote may be unknown. */
export function findRule(id: string): VerdictRule | undefined {
  return VERDICT_RULES.find((rule) => rule.id === id);
}

export function ruleOf(id: RuleId): VerdictRule {
  return findRule(id) as VerdictRule;
}
