import { afterChecks, type Verdict } from "../verdict/verdict.ts";
import { fitResults } from "./check-result.ts";
import type { CheckedLog } from "./log-check.ts";

/** It stands in the Job's annotations, which have 256 KiB together, and in every cache of Jobs. */
const MAX_RESULT_BYTES = 24 * 1024;

/** Why a log can't be checked: it was not read whole ("unread", which may go better another time), was not kept whole, or the checks are at fault. */
export type LogTrouble = { kind: "unread" | "cut" | "fault"; why: string };

const RULES = { unread: "check-unread", cut: "log-cut", fault: "check-fault" } as const;

/**
 * What checks make of the verdict on a test that ended with exit code 0. A check that is wrong itself, or could not be read, is no failure of the
 * change, and no success either; a failure that is plainly there counts though another check could not be read.
 */
export function judgeChecks(passed: Verdict, checked: readonly CheckedLog[]): Verdict {
  const results = checked.map(({ result }) => result);
  const kept = fitResults(results, MAX_RESULT_BYTES);
  const [fault, unknown] = ["fault", "unknown"].map((outcome) => results.find((result) => result.outcome === outcome));
  const failed = checked.filter(({ result }) => result.outcome === "failed");
  const [first] = failed;
  if (fault) return afterChecks(passed, "check-fault", { sentence: `check ${fault.name} - ${fault.message}` }, kept);
  if (first) {
    const { name, message } = first.result;
    const more = failed.length === 1 ? "" : ` (${failed.length} of ${results.length} checks failed)`;
    const found = {
      sentence: `check ${name} failed: ${message}${more}`,
      result: `${first.says}${more}`,
      evidence: { check: name, found: message },
    };
    return afterChecks(passed, "check-failed", found, kept);
  }
  if (unknown) return afterChecks(passed, "check-unread", { sentence: `check ${unknown.name} - ${unknown.message}` }, kept);
  const words = results.length === 1 ? "its check found nothing wrong" : `its ${results.length} checks found nothing wrong`;
  return afterChecks(passed, "checks-passed", { sentence: `the test ended with exit code 0, and ${words}` }, kept);
}

/** The same where there is no log that could be checked. */
export function judgeWithoutLog(passed: Verdict, { kind, why }: LogTrouble): Verdict {
  return afterChecks(passed, RULES[kind], { sentence: why }, []);
}

/** Whether checks are still to say what becomes of it: of a task with checks, what exit code 0 alone has said. */
export function awaitsChecks({ class: verdictClass, rule }: Verdict): boolean {
  return verdictClass === "success" && rule !== "checks-passed";
}
