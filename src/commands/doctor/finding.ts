import { listed } from "../../core/report/listed.ts";
import { printable } from "../printable.ts";
import type { Paint, Tone } from "../terminal-colour.ts";

/** ok: well; warning: works, and not as it should; failed: does not work; unseen: not looked at, `says` tells why. */
export type FindingState = "ok" | "warning" | "failed" | "unseen";

/** One thing that was looked at. `says` and `remedy` are clauses; they may hold what servers have said. */
export interface Finding {
  readonly what: string;
  readonly state: FindingState;
  readonly says: string;
  /** What to do about it, of all that is not well. */
  readonly remedy?: string;
}

export function ok(what: string, says: string): Finding {
  return { what, state: "ok", says };
}

export function warning(what: string, says: string, remedy: string): Finding {
  return { what, state: "warning", says, remedy };
}

export function failed(what: string, says: string, remedy: string): Finding {
  return { what, state: "failed", says, remedy };
}

export function unseen(what: string, says: string, remedy?: string): Finding {
  return { what, state: "unseen", says, ...(remedy === undefined ? {} : { remedy }) };
}

const WORDS: Record<FindingState, string> = { ok: "ok", warning: "warning", failed: "FAILED", unseen: "not seen" };
const TONES: Record<FindingState, Tone> = { ok: "good", warning: "doubtful", failed: "bad", unseen: "aside" };
const STATE_WIDTH = 10;
/** A server's words may be of any length. */
const MAX_LENGTH = 1000;
const MAX_WHAT_WIDTH = 32;

/** For people: a line for each, its remedy below it, and the sum. */
export function renderFindings(findings: readonly Finding[], paint: Paint): string[] {
  const width = Math.min(MAX_WHAT_WIDTH, Math.max(0, ...findings.map(({ what }) => what.length)));
  const lines = findings.flatMap(({ what, state, says, remedy }) => {
    const line = paint(TONES[state], `${WORDS[state].padEnd(STATE_WIDTH)}${short(what).padEnd(width)}  ${short(says)}`);
    return remedy === undefined ? [line] : [line, `${" ".repeat(STATE_WIDTH)}${"".padEnd(width)}  -> ${short(remedy)}`];
  });
  const counts = countFindings(findings);
  return [
    ...lines,
    "",
    `${counts.ok} ok, ${counts.warning} ${counts.warning === 1 ? "warning" : "warnings"}, ${counts.failed} failed, ${counts.unseen} not seen`,
  ];
}

/** One JSON object: the findings, how many of each state, and the exit code. */
export function renderFindingsJson(findings: readonly Finding[]): string {
  return JSON.stringify({ findings, counts: countFindings(findings), exitCode: findingsExitCode(findings) });
}

/** Whatever is not well but works, or was not looked at, is no failure. */
export function findingsExitCode(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ state }) => state === "failed") ? 1 : 0;
}

function countFindings(findings: readonly Finding[]): Record<FindingState, number> {
  const counts = { ok: 0, warning: 0, failed: 0, unseen: 0 };
  for (const { state } of findings) counts[state] += 1;
  return counts;
}

function short(text: string): string {
  return printable(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}...` : text);
}

/** Which namespaces are served; undefined: all. */
export function renderPlaces(namespaces: readonly string[] | undefined): string {
  return namespaces === undefined ? "any namespace" : listed(namespaces);
}
