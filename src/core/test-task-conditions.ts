import type { TaskFunctions } from "./served-functions.ts";
import type { TestTask } from "./test-task.ts";
import type { TestTaskCondition, TestTaskConditionType, TestTaskStatus } from "./test-task-schema-status.ts";

/** Reasons of a TestTask's conditions. */
export const REASONS = {
  serving: "Serving",
  suspended: "Suspended",
  invalid: "Invalid",
  functionConflict: "FunctionConflict",
  registered: "Registered",
  noServer: "NoServer",
} as const;

/** What a Gearman server says of us. */
export interface ServerState {
  server: string;
  isRegistered: boolean;
}

export interface StatusFacts {
  generation: number | undefined;
  /** The parsed task, or what is wrong with it (each a sentence that names its field). */
  task: TestTask | { problems: readonly string[] };
  functions: TaskFunctions;
  servers: readonly ServerState[];
  active: number;
  lastBuild: TestTaskStatus["lastBuild"];
  /** The status as it stands now, for what must not change without need. */
  previous: TestTaskStatus | undefined;
}

const MAX_LISTED = 5;

/** The status that a TestTask should have. Equal facts give an equal status: a transition time moves only with its condition. */
export function renderTestTaskStatus(facts: StatusFacts, now: Date): TestTaskStatus {
  const { generation, previous, functions } = facts;
  const lastBuild = facts.lastBuild ?? previous?.lastBuild;
  const found = [readyCondition(facts), registeredCondition(facts)];
  const conditions = found.map((condition): TestTaskCondition => {
    const before = previous?.conditions?.find(({ type }) => type === condition.type);
    return {
      ...condition,
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

type Found = Pick<TestTaskCondition, "status" | "reason" | "message"> & { type: TestTaskConditionType };

function readyCondition({ task, functions: { functions, conflicts } }: StatusFacts): Found {
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
  if (task.spec.suspend) {
    return {
      type,
      status: "False",
      reason: REASONS.suspended,
      message: "takes no builds while spec.suspend is true; its functions stay registered",
    };
  }
  return { type, status: "True", reason: REASONS.serving, message: `serves ${listed(functions)}` };
}

function registeredCondition({ task, servers, functions: { functions } }: StatusFacts): Found {
  const type = "Registered";
  const there = servers.filter(({ isRegistered }) => isRegistered).map(({ server }) => server);
  const missing = servers.filter(({ isRegistered }) => !isRegistered).map(({ server }) => server);
  if (functions.length === 0) {
    const reason = "problems" in task ? REASONS.invalid : REASONS.functionConflict;
    return { type, status: "False", reason, message: "has no function to register" };
  }
  if (there.length === 0)
    return { type, status: "False", reason: REASONS.noServer, message: `no Gearman server is connected: ${listed(missing)}` };
  const but = missing.length > 0 ? `, not on ${listed(missing)}` : "";
  return { type, status: "True", reason: REASONS.registered, message: `registered on ${listed(there)}${but}` };
}

function listed(items: readonly string[], separator = ", "): string {
  const more = items.length - MAX_LISTED;
  return more > 0 ? `${items.slice(0, MAX_LISTED).join(separator)} and ${more} more` : items.join(separator);
}
