import type { CheckFinding, CheckResult } from "../../core/checks/check-result.ts";
import { readTerminalLine } from "../logs/terminal-text.ts";
import { type Markup, markup } from "./markup.ts";

const WORDS: Record<CheckResult["outcome"], string> = {
  passed: "passed",
  failed: "failed",
  fault: "is wrong itself",
  unknown: "could not be made",
};

/** What each check of the task has found; `logPath` is the page of the test's log, undefined where there is none. */
export function renderChecks(checks: readonly CheckResult[], logPath: string | undefined): Markup {
  const bad = checks.filter(({ outcome }) => outcome !== "passed").length;
  const heading = bad === 0 ? `Checks: all ${checks.length} passed` : `Checks: ${bad} of ${checks.length} did not pass`;
  const items = checks.map(({ name, outcome, message, findings, more }) => {
    const head = markup`<b>${name}</b> ${WORDS[outcome]}: ${shown(message)}`;
    if (findings.length === 0) return markup`<li>${head}</li>`;
    const rows = findings.map((finding) => renderFinding(finding, logPath));
    return markup`<li><details${outcome !== "passed" && markup` open`}><summary>${head}</summary><ul>${rows}</ul>${
      more > 0 && markup`<p class="quiet">And ${more} more.</p>`
    }</details></li>`;
  });
  return markup`<section aria-labelledby="checks"><h2 id="checks">${heading}</h2><ul class="checks">${items}</ul></section>`;
}

function renderFinding({ line, text, isBad }: CheckFinding, logPath: string | undefined): Markup {
  const words = isBad === true ? markup`<strong>${shown(text)}</strong>` : markup`${shown(text)}`;
  if (line === undefined) return markup`<li>${words}</li>`;
  const place = logPath === undefined ? markup`line ${line}` : markup`<a href="${logPath}?line=${line}#L${line}">line ${line}</a>`;
  return markup`<li>${place}: ${words}</li>`;
}

/** What a log's line, or a step's name out of it, holds beside text shows nothing there either, or turns what stands behind it. */
function shown(text: string): string {
  return readTerminalLine(text)
    .map(([part]) => part)
    .join("");
}
