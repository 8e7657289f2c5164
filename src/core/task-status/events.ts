import type { TestTaskCondition } from "../test-task/schema/status.ts";

/** Something a person should know of a TestTask; one line of `kubectl describe`. */
export interface TestTaskEvent {
  type: "Normal" | "Warning";
  /** One word, UpperCamelCase. */
  reason: string;
  message: string;
}

/** Conditions that are news when they become this; a change of the words alone is news for those that warn. */
const NEWS: readonly { type: string; status: string; event: "Normal" | "Warning" }[] = [
  { type: "Ready", status: "True", event: "Normal" },
  { type: "Ready", status: "False", event: "Warning" },
  { type: "TemplateValid", status: "False", event: "Warning" },
  { type: "Degraded", status: "True", event: "Warning" },
];

/** Told by other conditions' events, or asked for by the task itself. */
const NO_NEWS = new Set(["TemplateRefused", "NoServer"]);
const ASKED_FOR = new Set(["Suspended"]);

/** What the change from one list of conditions to the next is worth saying; nothing when they are alike. */
export function decideTestTaskEvents(
  before: readonly TestTaskCondition[] | undefined,
  after: readonly TestTaskCondition[] | undefined,
): TestTaskEvent[] {
  return (after ?? []).flatMap((condition) => {
    const { type, status, reason, message } = condition;
    const previous = before?.find((each) => each.type === type);
    if (type === "Degraded" && status === "False" && previous?.status === "True") return [{ type: "Normal", reason: "Recovered", message }];
    if (type === "TemplateValid" && reason === "AcceptedWithWarnings" && previous?.message !== message) {
      return [{ type: "Warning", reason: "TemplateWarnings", message }];
    }
    const news = NEWS.find((each) => each.type === type && each.status === status);
    if (!news || (type === "Ready" && NO_NEWS.has(reason))) return [];
    const isTold = previous?.status === status && previous.reason === reason && (status === "True" || previous.message === message);
    if (isTold) return [];
    return [
      { type: ASKED_FOR.has(reason) ? "Normal" : news.event, reason: type === "TemplateValid" ? "TemplateRefused" : reason, message },
    ];
  });
}
