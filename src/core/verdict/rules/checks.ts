import type { VerdictRule } from "./verdict-rule.ts";

// Told by whoever goes through the log of a test that ended with exit code 0.

const CHECKED = "pod, exit code, check, what it found; beside the verdict what each check found";

export const checksPassed = {
  id: "checks-passed",
  class: "success",
  seen: "The test ended with exit code 0, and its whole log, and what it left, is as the task's `checks` want it.",
  result: "SUCCESS",
  keeps: CHECKED,
} as const satisfies VerdictRule;

export const checkFailed = {
  id: "check-failed",
  class: "failure",
  seen: "The test ended with exit code 0, and a check of the task failed: the check's `message`, or this.",
  result: "WARNING - Migration 205->206 took too long",
  keeps: CHECKED,
} as const satisfies VerdictRule;

export const checkFault = {
  id: "check-fault",
  class: "configuration",
  seen: "The test ended with exit code 0, and a check is wrong itself: a group that caught nothing, a number that is none.",
  result: "CONFIG_ERROR - check rows - many in line 12 is no number",
  keeps: CHECKED,
} as const satisfies VerdictRule;

export const checkUnread = {
  id: "check-unread",
  class: "infrastructure",
  seen: "The test ended with exit code 0, and its log could not be read whole, or has a hole, or its artifacts could not be read: checks would pass what they have not seen.",
  result: null,
  keeps: CHECKED,
} as const satisfies VerdictRule;

export const logCut = {
  id: "log-cut",
  class: "configuration",
  seen: "The test ended with exit code 0, and its log is longer than is kept (`logs.limit`), so that checks can't see its middle.",
  result: "CONFIG_ERROR - the log is longer than the 256Mi that are kept, so that checks can not read its middle",
  keeps: CHECKED,
} as const satisfies VerdictRule;
