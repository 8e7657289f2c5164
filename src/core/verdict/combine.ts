import { cleanResultText, failureText } from "../zuul/clean-result-text.ts";
import type { Verdict } from "./verdict.ts";

/** What came out of one Job of a build that runs over several datasets. */
export interface MemberVerdict {
  /** Its name in the TestTask. */
  dataset: string;
  verdict: Verdict;
}

/** From the worst on. What is lost comes first: Zuul runs the build again, and what any other member says may still be asked for. */
const CLASSES: readonly Verdict["class"][] = ["infrastructure", "cancelled", "configuration", "failure", "success"];
/** A test that only warns has done its work. */
const WARNING = /^warning\b/i;
/** Zuul's results have 120 characters at most, see `cleanResultText`. */
const MAX_LENGTH = 120;
/** Of a dataset's name in a result, so that the sentence has room beside it. */
const MAX_NAME = 32;

/**
 * The verdict of a build over several datasets: the worst member's, its sentence with the dataset and how many there are like it, as
 * `WARNING - Migration 205->206 took too long (user-002, 1 of 2 datasets failed)`. Of members that are equally bad the first one speaks. One
 * that was lost to infrastructure makes the whole null. `members` are not empty.
 */
export function combine(members: readonly MemberVerdict[]): Verdict {
  const [worst] = members.toSorted((one, other) => badness(one.verdict) - badness(other.verdict));
  if (!worst) throw new Error("a build without members has no verdict");
  const { dataset, verdict } = worst;
  const { class: verdictClass, result, message } = verdict;
  if (verdictClass === "success") return { ...verdict, message: `${message} (all ${members.length} datasets)`.trim() };
  const count = members.filter((member) => isLike(member.verdict, verdict)).length;
  const words = `${count} of ${members.length} datasets ${verdictClass === "infrastructure" ? "lost" : "failed"}`;
  const isToken = verdictClass === "cancelled" || result === null;
  return {
    ...verdict,
    result: isToken ? result : withEnding(result, ` (${cut(dataset, MAX_NAME)}, ${words})`),
    message: verdictClass === "cancelled" ? message : `${message} (${dataset}, ${words})`.trim(),
  };
}

function badness({ class: verdictClass, result }: Verdict): number {
  return CLASSES.indexOf(verdictClass) + (verdictClass === "failure" && WARNING.test(result ?? "") ? 0.5 : 0);
}

/** What failed for whatever reason is counted together, as is what was lost. */
function isLike(one: Verdict, worst: Verdict): boolean {
  if (worst.class === "infrastructure") return one.class === "infrastructure";
  return one.class !== "success" && one.class !== "infrastructure";
}

/** What is cut to make room is the sentence. */
function withEnding(result: string, ending: string): string {
  return failureText(`${cut(cleanResultText(result), MAX_LENGTH - ending.length)}${ending}`);
}

function cut(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length
    ? text
    : `${characters
        .slice(0, length - 3)
        .join("")
        .trimEnd()}...`;
}
