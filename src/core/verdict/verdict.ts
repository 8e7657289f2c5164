import type { CheckResult } from "../checks/check-result.ts";
import { failureText, plainLine } from "../zuul/clean-result-text.ts";
import type { VerdictClass, VerdictRule } from "./rules/verdict-rule.ts";
import { findRule, type RuleId, ruleOf, VERDICT_RULES } from "./rules.ts";
import { type Evidence, type Finding, mayTellMore, podEvidence, type Sighting, type Withdrawal, withEvidence } from "./sighting.ts";

/**
 * What a finished build means. `result` is for Zuul, in letters of every script; null tells it "not the change's fault, run it again" (up to
 * the job's `attempts`). `rule` names the row that decided, `message` says it in a sentence, whole, `evidence` holds what was seen.
 */
export interface Verdict {
  result: string | null;
  class: VerdictClass;
  rule: string;
  message: string;
  evidence?: Evidence;
  /** Of a task with checks, once its log was gone through. */
  checks?: readonly CheckResult[];
}

/**
 * Judges a build by what is seen of it, the only place where results come from. Returns undefined while nothing can be said yet, and for a
 * build whose Job is not there at all.
 */
export function judge(sighting: Sighting): Verdict | undefined {
  if (mayTellMore(sighting)) return undefined;
  for (const rule of VERDICT_RULES as readonly VerdictRule[]) {
    const finding = rule.find?.(sighting);
    if (finding) return makeVerdict(rule, { ...finding, ...withEvidence({ ...podEvidence(sighting), ...finding.evidence }) });
  }
  return undefined;
}

/** What becomes of a verdict when checks have gone through the log; what it has kept of the pod stays. */
export function afterChecks({ evidence }: Verdict, rule: RuleId, found: Finding, checks: readonly CheckResult[]): Verdict {
  return { ...makeVerdict(ruleOf(rule), { ...found, evidence: { ...evidence, ...found.evidence } }), checks };
}

/** A build that never had a Job, because its request or its task does not allow one; `result` is what reviewers get of `why`. */
export function configuration(rule: RuleId, why: string, result = why): Verdict {
  return makeVerdict(ruleOf(rule), { sentence: why, result });
}

/** A build that its task has nothing to run for, and says that this is well. */
export function notNeeded(why: string): Verdict {
  return makeVerdict(ruleOf("dataset-not-needed"), { sentence: why });
}

/** Not the change's fault: Zuul runs it again. */
export function infrastructure(rule: RuleId, message: string): Verdict {
  return makeVerdict(ruleOf(rule), { sentence: message });
}

/** Its end was asked for before there was anything to end. */
export function endedBeforeStart(end: Withdrawal): Verdict {
  return end === "stop"
    ? makeVerdict(ruleOf("stopped"), { sentence: "Zuul asked to stop it" })
    : infrastructure("unclaimed", "no Gearman server asked for it any more");
}

function makeVerdict(rule: VerdictRule, { sentence, result, evidence }: Finding): Verdict {
  const message = plainLine(sentence);
  return { result: resultOf(rule, result ?? sentence), class: rule.class, rule: rule.id, message, ...withEvidence(evidence) };
}

function resultOf(rule: VerdictRule, text: string): string | null {
  switch (rule.class) {
    case "infrastructure":
      return null;
    case "configuration":
      return failureText(`CONFIG_ERROR - ${text}`);
    case "success":
    case "cancelled":
      return rule.result;
    case "failure":
      return rule.token ?? failureText(text);
  }
}

/** `text` sends the sentences in ASCII, `utf-8` in letters of every script, `token` one word of ours for each. */
export type ResultStyle = "text" | "utf-8" | "token";

/** The `result` for Zuul in the style that the configuration asks for: whatever wrote the verdict, nothing else reaches Zuul's reporters. */
export function renderResult({ result, class: verdictClass, rule }: Verdict, style: ResultStyle): string | null {
  if (verdictClass === "infrastructure" || result === null) return null;
  if (verdictClass === "success") return "SUCCESS";
  if (style !== "token") return failureText(result, style === "utf-8" ? "utf-8" : "ascii");
  switch (verdictClass) {
    case "cancelled":
      return "ABORTED";
    case "configuration":
      return "CONFIG_ERROR";
    case "failure":
      return findRule(rule)?.token ?? "FAILURE";
  }
}
