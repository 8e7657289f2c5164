import * as z from "zod";
import { cutText } from "../logs/cut-text.ts";

/** Of one check; the rest is only counted. */
const MAX_FINDINGS = 20;
const MAX_STEPS = 200;
const MAX_TEXT = 200;

const findingSchema = z.object({
  /** Of the log, from 1. */
  line: z.int().positive().optional(),
  text: z.string(),
  /** It is what makes the check fail. */
  isBad: z.literal(true).optional(),
});

const stepTimeSchema = z.object({
  name: z.string(),
  line: z.int().positive(),
  seconds: z.number(),
  limitSeconds: z.number().optional(),
  /** The mean of kept builds, where the check has a baseline and there are enough of them. */
  usualSeconds: z.number().optional(),
});

const amountSchema = z.object({
  /** Missing where the numbers are no step's. */
  step: z.string().optional(),
  /** Of all that were judged. */
  most: z.number(),
  limit: z.number().optional(),
  /** As `usualSeconds`. */
  usual: z.number().optional(),
});

/** What one check has found: part of a build's record. */
export const checkResultSchema = z.object({
  name: z.string(),
  kind: z.enum(["pattern", "steps", "counters", "values"]),
  /** "fault": the check itself is wrong. "unknown": what it needs was not there to be read. */
  outcome: z.enum(["passed", "failed", "fault", "unknown"]),
  /** What was found and what is allowed, without a point at the end. */
  message: z.string(),
  findings: z.array(findingSchema),
  /** Findings that are not among these. */
  more: z.int().nonnegative(),
  /** How long each took, of a check of steps. */
  steps: z.array(stepTimeSchema).optional(),
  /** What numbers came to, of a check of counters or values. */
  amounts: z.array(amountSchema).optional(),
});

export type CheckResult = z.infer<typeof checkResultSchema>;
export type CheckFinding = z.infer<typeof findingSchema>;
export type StepTime = z.infer<typeof stepTimeSchema>;
export type StepAmount = z.infer<typeof amountSchema>;
export type CheckOutcome = CheckResult["outcome"];

/** What reviewers are told of a check that failed: its own message, in which names in braces stand for what was found, or else `otherwise`. */
export function sayFailed(
  message: string | undefined,
  values: { step?: string; found: string; limit: string; usual?: string | undefined },
  otherwise: string,
): string {
  const known: Record<string, string | undefined> = values;
  return message?.replace(/\{(step|found|limit|usual)\}/g, (_, name: string) => known[name] ?? "") ?? `FAILURE - ${otherwise}`;
}

/** Keeps the first findings, and of those the ones that make the check fail before others. */
export class Findings {
  readonly #bad: CheckFinding[] = [];
  readonly #other: CheckFinding[] = [];
  #count = 0;

  note(line: number | undefined, text: string, isBad: boolean): void {
    this.#count += 1;
    const list = isBad ? this.#bad : this.#other;
    if (list.length >= MAX_FINDINGS) return;
    list.push({ ...(line === undefined ? {} : { line }), text: cutText(text, MAX_TEXT), ...(isBad ? { isBad } : {}) });
  }

  /** In the order of lines. */
  get kept(): { findings: CheckFinding[]; more: number } {
    const findings = [...this.#bad, ...this.#other].slice(0, MAX_FINDINGS).sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
    return { findings, more: this.#count - findings.length };
  }
}

/** Those that took longest, in their order. */
export function keptSteps(steps: readonly StepTime[], most = MAX_STEPS): StepTime[] {
  if (steps.length <= most) return [...steps];
  const bySeconds = [...steps].sort((one, other) => other.seconds - one.seconds).slice(0, most);
  const kept = new Set(bySeconds);
  return steps.filter((step) => kept.has(step));
}

/** The largest ones, in their order. */
export function keptAmounts(amounts: readonly StepAmount[], most = MAX_STEPS): StepAmount[] {
  if (amounts.length <= most) return [...amounts];
  const kept = new Set([...amounts].sort((one, other) => other.most - one.most).slice(0, most));
  return amounts.filter((amount) => kept.has(amount));
}

/** The most that each step came to, in seconds where it is a check of steps; "" stands for no step. */
export function amountsOf({ steps = [], amounts = [] }: CheckResult): Map<string, number> {
  const found = new Map<string, number>();
  const note = (step: string, amount: number) => found.set(step, Math.max(amount, found.get(step) ?? amount));
  for (const { name, seconds } of steps) note(name, seconds);
  for (const { step = "", most } of amounts) note(step, most);
  return found;
}

/** `0.4s`, `61.5s`, `12m5s`, `2h3m`; upwards, so that what is over a limit looks like it. */
export function secondsWords(ms: number): string {
  if (ms < 120_000) return `${Math.ceil(ms / 100) / 10}s`;
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

/** How much of each check is kept, from all of it to only what it comes to. */
const SIZES = [MAX_FINDINGS, 10, 4, 1, 0].map((findings) => ({ findings, steps: findings * 10 }));

/** As much of it as goes into so many bytes of JSON: of each check as many findings and steps, first those that make it fail and take longest. */
export function fitResults(results: readonly CheckResult[], maxBytes: number): CheckResult[] {
  for (const size of SIZES) {
    const kept = results.map((result) => shorten(result, size));
    if (size.findings === 0 || new TextEncoder().encode(JSON.stringify(kept)).length <= maxBytes) return kept;
  }
  return [];
}

function shorten(result: CheckResult, most: { findings: number; steps: number }): CheckResult {
  const [bad, other] = [true, undefined].map((isBad) => result.findings.filter((finding) => finding.isBad === isBad));
  const wanted = new Set([...(bad ?? []), ...(other ?? [])].slice(0, most.findings));
  const findings = result.findings.filter((finding) => wanted.has(finding));
  return {
    ...result,
    findings,
    more: result.more + result.findings.length - findings.length,
    ...(result.steps ? { steps: keptSteps(result.steps, most.steps) } : {}),
    ...(result.amounts ? { amounts: keptAmounts(result.amounts, most.steps) } : {}),
  };
}
