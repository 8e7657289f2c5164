import type { BuildReport } from "../../core/report/build-report.ts";
import type { VerdictClass } from "../../core/verdict/rules/verdict-rule.ts";
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
