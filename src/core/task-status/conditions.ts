import { findCheckFaults } from "../checks/check-faults.ts";
import type { TemplateReview } from "../job/template-review.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { refusalRemedy } from "../kubernetes/refusal-remedy.ts";
import { listed } from "../report/listed.ts";
import type { InvalidTask } from "../test-task/invalid-task.ts";
import type { TestTaskCondition, TestTaskConditionType, TestTaskStatus } from "../test-task/schema/status.ts";
import type { TaskFunctions } from "../test-task/served-functions.ts";
import type { TestTask } from "../test-task/test-task.ts";

/** Reasons of a TestTask's conditions. */
export const REASONS = {
  serving: "Serving",
  suspended: "Suspended",
  invalid: "Invalid",
  functionConflict: "FunctionConflict",
  registered: "Registered",
  noServer: "NoServer",
  /** The task's checks can't be made: a pattern is none, or what they name is not there. */
  checksRefused: "ChecksRefused",
  templateRefused: "TemplateRefused",
  accepted: "Accepted",
  acceptedWithWarnings: "AcceptedWithWarnings",
  reviewPending: "ReviewPending",
  reviewFailed: "ReviewFailed",
  /** Its builds could be carried out lately, or there were none. */
  healthy: "Healthy",
  buildsLost: "BuildsLost",
  /** No node takes them. */
  buildsWait: "BuildsWait",
} as const;

/** What a Gearman server says of us. */
export interface ServerRegistration {
  server: string;
  isRegistered: boolean;
}

export interface StatusFacts {
  generation: number | undefined;
  /** The parsed task, or what is wrong with it (each a sentence that names its field). */
  task: TestTask | Pick<InvalidTask, "problems">;
  functions: TaskFunctions;
  /** What the API server said of this generation's Job and pods; undefined before it did. */
  review: TemplateReview | undefined;
  servers: readonly ServerRegistration[];
  active: number;
  lastBuild: TestTaskStatus["lastBuild"];
  /** Set while the task is taken slowly: how many builds in a row could not be carried out, and why the last one. */
  degraded?: { failures: number; message: string; holdUntil: Date } | undefined;
  /** Set while builds of it wait for a node: how many, and what the scheduler says of the first; whether no more are taken for that. */
  waiting?: { builds: number; words: string; isHeldBack: boolean } | undefined;
  /** The status as it stands now, for what must not change without need. */
  previous: TestTaskStatus | undefined;
}

/** The API server takes 32768 characters; nobody reads more than this. */
const MAX_MESSAGE_LENGTH = 4096;

/** The status that a TestTask should have. Equal facts give an equal status: a transition time moves only with its condition. */
export function renderTestTaskStatus(facts: StatusFacts, now: Date): TestTaskStatus {
  const { generation, previous, functions } = facts;
  const lastBuild = facts.lastBuild ?? previous?.lastBuild;
  const registered = registeredCondition(facts);
  const templateValid = templateValidCondition(facts);
  const found = [readyCondition(facts, registered, templateValid), registered, templateValid, degradedCondition(facts)];
  const conditions = found.map((condition): TestTaskCondition => {
    const before = previous?.conditions?.find(({ type }) => type === condition.type);
    return {
      ...condition,
      message: truncated(condition.message),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: before?.status === condition.status ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, "Z"),
    };
  });
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions,
    functions: functions.functions,
    active: facts.active,
    ...(lastBuild ? { lastBuild } : {}),
  };
}

/** Status of a TestTask's condition Ready as the API server has it, whoever wrote it; undefined where there is none. */
export function readReadiness(object: KubeObject): string | undefined {
  const { conditions } = (object as { status?: { conditions?: unknown } | null }).status ?? {};
  const ready = Array.isArray(conditions) ? conditions.find((condition) => condition?.type === "Ready") : undefined;
  return typeof ready?.status === "string" ? ready.status : undefined;
}

type Found = Pick<TestTaskCondition, "status" | "reason" | "message"> & { type: TestTaskConditionType };

/** Sums the others up: the first thing that keeps the task from serving as its author meant it. */
function readyCondition({ task, functions: { functions, conflicts } }: StatusFacts, registered: Found, templateValid: Found): Found {
  const type = "Ready";
  if ("problems" in task) return { type, status: "False", reason: REASONS.invalid, message: listed(task.problems, "; ") };
  if (conflicts.length > 0) {
    const held = listed(conflicts.map((conflict) => `${conflict.function} (held by the older TestTask ${conflict.heldBy})`));
    return {
      type,
      status: "False",
      reason: REASONS.functionConflict,
      message: `does not serve ${held}; name each job in one TestTask only`,
    };
  }
  const faults = findCheckFaults(task.spec.checks);
  if (faults.length > 0) {
    const message = `refuses all builds: ${listed(
      faults.map((fault) => `${fault.path} ${fault.message}`),
      "; ",
    )}`;
    return { type, status: "False", reason: REASONS.checksRefused, message };
  }
  if (templateValid.status === "False") return { type, status: "False", reason: REASONS.templateRefused, message: templateValid.message };
  if (task.spec.suspend) {
    return {
      type,
      status: "False",
      reason: REASONS.suspended,
      message: "takes no builds while spec.suspend is true; its functions stay registered",
    };
  }
  if (registered.status === "False") return { type, status: "False", reason: registered.reason, message: registered.message };
  return { type, status: "True", reason: REASONS.serving, message: `serves ${listed(functions)}` };
}

function registeredCondition({ task, servers, functions: { functions } }: StatusFacts): Found {
  const type = "Registered";
  const there = servers.filter(({ isRegistered }) => isRegistered).map(({ server }) => server);
  const missing = servers.filter(({ isRegistered }) => !isRegistered).map(({ server }) => server);
  if ("problems" in task) {
    const message = "serves no function while it is invalid; those that it names stay registered";
    return { type, status: "False", reason: REASONS.invalid, message };
  }
  if (functions.length === 0) return { type, status: "False", reason: REASONS.functionConflict, message: "has no function to register" };
  if (there.length === 0)
    return { type, status: "False", reason: REASONS.noServer, message: `no Gearman server is connected: ${listed(missing)}` };
  const but = missing.length > 0 ? `, not on ${listed(missing)}` : "";
  return { type, status: "True", reason: REASONS.registered, message: `registered on ${listed(there)}${but}` };
}

function templateValidCondition({ task, review, previous, generation }: StatusFacts): Found {
  const type = "TemplateValid";
  if ("problems" in task) return { type, status: "Unknown", reason: REASONS.invalid, message: "waits for a valid spec" };
  switch (review?.kind) {
    case "accepted": {
      const { warnings } = review;
      if (warnings.length === 0) return { type, status: "True", reason: REASONS.accepted, message: "the API server takes its Job and pod" };
      const message = `the API server takes its Job and pod, but warns: ${listed(warnings, "; ")}`;
      return { type, status: "True", reason: REASONS.acceptedWithWarnings, message };
    }
    case "refused": {
      const warnings = review.warnings.length > 0 ? `; warnings: ${listed(review.warnings, "; ")}` : "";
      const remedy = refusalRemedy(review.message);
      const message = `the API server refuses ${review.message}${remedy ? ` - ${remedy}` : ""}${warnings}`;
      return { type, status: "False", reason: REASONS.templateRefused, message };
    }
    case "unrenderable":
      return { type, status: "False", reason: REASONS.templateRefused, message: review.message };
    case "unknown":
    case undefined: {
      // What was found for this very generation, before a restart perhaps, stands until something else is.
      const before = previous?.conditions?.find((condition) => condition.type === type);
      if (before && before.observedGeneration === generation && before.status !== "Unknown") {
        return { type, status: before.status, reason: before.reason, message: before.message };
      }
      return review
        ? { type, status: "Unknown", reason: REASONS.reviewFailed, message: `the API server did not say: ${review.message}` }
        : { type, status: "Unknown", reason: REASONS.reviewPending, message: "the API server is being asked" };
    }
  }
}

function degradedCondition({ degraded, waiting }: StatusFacts): Found {
  const type = "Degraded";
  if (!degraded && waiting) {
    const { builds, words, isHeldBack } = waiting;
    const holds = isHeldBack ? ", so that it takes no more until one has a node" : "";
    const message = `${builds === 1 ? "1 build waits" : `${builds} builds wait`} for a node${holds}: ${words}`;
    return { type, status: "True", reason: REASONS.buildsWait, message };
  }
  if (!degraded) return { type, status: "False", reason: REASONS.healthy, message: "takes as many builds at once as it may" };
  const { failures, message, holdUntil } = degraded;
  const until = holdUntil.toISOString().replace(/\.\d+Z$/, "Z");
  return {
    type,
    status: "True",
    reason: REASONS.buildsLost,
    message: `takes one build at a time, the next not before ${until}: ${failures} builds in a row could not be carried out, the last because ${message}`,
  };
}

function truncated(message: string): string {
  return message.length <= MAX_MESSAGE_LENGTH ? message : `${message.slice(0, MAX_MESSAGE_LENGTH - 3).toWellFormed()}...`;
}
