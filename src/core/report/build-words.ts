import { CLASSES } from "../verdict/classes.ts";
import type { VerdictClass } from "../verdict/rules/verdict-rule.ts";
import { findRule } from "../verdict/rules.ts";
import type { Evidence } from "../verdict/sighting.ts";
import type { BuildReport } from "./build-report.ts";

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

/** What a build means, in sentences: the same on its page, in the API and in a terminal. */
export interface BuildWords {
  /** The verdict's sentence, or where it stands. */
  sentence: string;
  /** What such a verdict means, and what Zuul makes of it. */
  meaning?: string | undefined;
  next?: string | undefined;
  /** What the table of verdicts says of the rule that decided; missing where that is of another version. */
  rule?: string | undefined;
}

/** `attempt`: how many launches of it by Zuul are known, this one included. */
export function explainBuild(report: BuildReport, attempt: number | undefined): BuildWords {
  const { verdict } = report;
  if (!verdict) return { sentence: sentenceOf(report) };
  const { meaning, zuul } = CLASSES[verdict.class];
  const next = `Zuul ${zuul.replaceAll("`", "")}.`;
  return {
    sentence: sentenceOf(report),
    meaning: `${upperFirst(meaning)}.`,
    next: verdict.class === "infrastructure" ? `${next} ${attemptWords(attempt)}` : next,
    rule: findRule(verdict.rule)?.seen.replaceAll("`", ""),
  };
}

/** What a rule kept of what was seen, for people: `exit code 1`. */
export function evidenceWords(evidence: Evidence): string[] {
  const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return Object.entries(evidence).map(([name, value]) => `${words(name)} ${value}`);
}

export function sentenceOf({
  verdict,
  step,
  waitingFor,
  withdrawn,
}: Pick<BuildReport, "verdict" | "step" | "waitingFor" | "withdrawn">): string {
  if (verdict) return verdict.message === "" ? (verdict.result ?? "No result") : upperFirst(verdict.message);
  if (withdrawn) return withdrawn === "stop" ? "Zuul has asked to stop it." : "No Gearman server asks for it any more.";
  if (step === "running") return "Its test runs.";
  if (step === "ended") return "Its test has ended; what that means is being found out.";
  return waitingFor === undefined ? "It is being prepared." : upperFirst(waitingFor);
}

/** Zuul does not say which attempt a build is: earlier launches are counted as far as they are known. */
function attemptWords(attempt: number | undefined): string {
  if (attempt === undefined) return "It tries 3 times, unless the job says otherwise.";
  return `This was attempt ${attempt}, of 3 unless the job says otherwise.`;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
