import { maskText } from "../logs/masked-values.ts";
import type { Masker } from "../logs/masking.ts";
import type { BuildState } from "../observation/build-state.ts";
import { failureText } from "../zuul/clean-result-text.ts";
import { type BuildAction, type BuildFacts, decideBuild } from "./build-decision.ts";
import { findRule } from "./rules.ts";
import type { Verdict } from "./verdict.ts";

/**
 * What `decideBuild` decides, with what a container wrote of its end masked: Zuul shows it to everybody. A value of a Secret may be a word that
 * rules look for, so that it is decided by what was written, and by what is shown only where that comes to the same.
 */
export function decideMasked(facts: BuildFacts, now: Date, masker: Masker | undefined): BuildAction {
  const action = decideBuild(facts, now);
  if (!masker || action.kind !== "finish") return action;
  const shown = decideBuild({ ...facts, state: maskState(facts.state, masker) }, now);
  const isSame = shown.kind === "finish" && isAlike(shown.verdict, action.verdict);
  return { ...action, verdict: isSame ? shown.verdict : maskVerdict(action.verdict, masker) };
}

function maskState(state: BuildState, masker: Masker): BuildState {
  if (state.kind !== "exited" && state.kind !== "not-started") return state;
  const { message, ...end } = state.terminated;
  return message === undefined ? state : { ...state, terminated: { ...end, message: maskText(message, masker) } };
}

function isAlike(one: Verdict, other: Verdict): boolean {
  return one.rule === other.rule && one.class === other.class && (one.result === null) === (other.result === null);
}

/** The words in it that come from outside; those of the table of rules stay. */
export function maskVerdict({ message, result, evidence, ...verdict }: Verdict, masker: Masker): Verdict {
  const isOwn = verdict.class === "success" || verdict.class === "cancelled" || findRule(verdict.rule)?.token === result;
  const hasWords = result !== null && !isOwn;
  const short = (value: string | number) => (typeof value === "string" ? maskText(value, masker) : value);
  return {
    ...verdict,
    message: maskText(message, masker),
    result: hasWords ? failureText(maskText(result, masker)) : result,
    ...(evidence ? { evidence: Object.fromEntries(Object.entries(evidence).map(([name, value]) => [name, short(value)])) } : {}),
  };
}
