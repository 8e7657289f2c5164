import { findRule } from "../verdict/rules.ts";
import type { Verdict } from "../verdict/verdict.ts";

/** Builds of one task that could not be carried out, one after another, for reasons that the next one would meet as well. */
export interface Degradation {
  failures: number;
  /** The last of them. */
  rule: string;
  message: string;
  at: Date;
}

/** So many in a row, and the task is taken slowly: as many as Zuul tries a build by default. */
const DEGRADED_AFTER = 3;
const FIRST_HOLD_MS = 30_000;
const MAX_HOLD_MS = 10 * 60_000;
/** After so long without another failure nothing is known any more. */
const FORGOTTEN_AFTER_MS = 60 * 60_000;

/**
 * What is known after one more build has ended; undefined when nothing is wrong. A test that ran, whatever its result, shows that the way
 * is clear. What ended before its test says nothing: verdicts of chance (a drain, a deleted pod, a ref that is gone, an init container that
 * fails), and configuration.
 */
export function noteBuildEnd(before: Degradation | undefined, verdict: Verdict, now: Date): Degradation | undefined {
  if (findRule(verdict.rule)?.isChance) return before;
  if (verdict.class === "success" || verdict.class === "failure") return undefined;
  if (verdict.class !== "infrastructure") return before;
  const failures = (before && isForgotten(before, now) ? 0 : (before?.failures ?? 0)) + 1;
  return { failures, rule: verdict.rule, message: verdict.message, at: now };
}

/** What follows: undefined, or that one build is taken at a time, and none before `holdUntil`. Forgotten at `until` if nothing happens. */
export function decideDegradation(known: Degradation | undefined, now: Date): { holdUntil: Date; until: Date } | undefined {
  if (!known || known.failures < DEGRADED_AFTER || isForgotten(known, now)) return undefined;
  const holdMs = Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 2 ** Math.min(known.failures - DEGRADED_AFTER, 20));
  return { holdUntil: new Date(known.at.getTime() + holdMs), until: new Date(known.at.getTime() + FORGOTTEN_AFTER_MS) };
}

function isForgotten({ at }: Degradation, now: Date): boolean {
  return now.getTime() - at.getTime() >= FORGOTTEN_AFTER_MS;
}
