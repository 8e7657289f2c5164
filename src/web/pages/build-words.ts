import type { BuildReport } from "../../core/report/build-report.ts";
import { CLASSES } from "../../core/verdict/classes.ts";
import type { VerdictClass } from "../../core/verdict/rules/verdict-rule.ts";
import { findRule } from "../../core/verdict/rules.ts";
import { type Markup, markup } from "./markup.ts";

/** The one word that stands for a build, and how it looks. */
export interface Badge {
  word: string;
  look: VerdictClass | "waiting" | "running";
}

const WORDS: Record<VerdictClass, string> = {
  success: "Passed",
  failure: "Failed",
  cancelled: "Stopped",
  infrastructure: "No result",
  configuration: "Misconfigured",
};

export function badgeOf({ verdict, standing, withdrawn }: Pick<BuildReport, "verdict" | "standing" | "withdrawn">): Badge {
  if (verdict) return badgeOfClass(verdict.class);
  if (standing === "ended") return { word: "Ended", look: "waiting" };
  if (withdrawn) return { word: "Is being stopped", look: "cancelled" };
  return standing === "running" ? { word: "Running", look: "running" } : { word: "Waiting", look: "waiting" };
}

export function badgeOfClass(look: VerdictClass): Badge {
  return { word: WORDS[look], look };
}

export function renderBadge({ word, look }: Badge): Markup {
  return markup`<span class="badge is-${look}">${word}</span>`;
}

/** The verdict's sentence, or where it stands. */
export function sentenceOf({ verdict, step, waitingFor, withdrawn }: BuildReport): string {
  if (verdict) return verdict.message === "" ? (verdict.result ?? "no result") : upperFirst(verdict.message);
  if (withdrawn) return withdrawn === "stop" ? "Zuul has asked to stop it." : "No Gearman server asks for it any more.";
  if (step === "running") return "Its test runs.";
  if (step === "ended") return "Its test has ended; what that means is being found out.";
  return waitingFor === undefined ? "It is being prepared." : `Waits: ${waitingFor}`;
}

/** What the table of verdicts says of the rule that decided; a rule of another version is unknown here. */
export function explainRule(rule: string): string | undefined {
  return findRule(rule)?.seen;
}

export function meaningOf(verdictClass: VerdictClass): string {
  return `${upperFirst(CLASSES[verdictClass].meaning)}.`;
}

/** What Zuul makes of it. Zuul does not say which attempt a build is: earlier launches are counted as far as they are known. */
export function nextOf(verdictClass: VerdictClass, attempt: number | undefined): string {
  const zuul = `Zuul ${CLASSES[verdictClass].zuul.replaceAll("`", "")}.`;
  if (verdictClass !== "infrastructure") return zuul;
  if (attempt === undefined) return `${zuul} It tries 3 times, unless the job says otherwise.`;
  return `${zuul} This was attempt ${attempt}, of 3 unless the job says otherwise.`;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
