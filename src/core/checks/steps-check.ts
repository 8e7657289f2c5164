import { parseDurationMs } from "../kubernetes/duration.ts";
import type { StepsCheck } from "../test-task/schema/check.ts";
import { type AmountUnit, type KeptAmounts, Usual } from "./baseline.ts";
import { type CheckOutcome, Findings, keptSteps, type StepTime, sayFailed, secondsWords } from "./check-result.ts";
import type { CheckedLog, LogCheck, LogEnd, SeenLine } from "./log-check.ts";
import { keyGroups, keyOf } from "./step-key.ts";
import { stepLimit } from "./step-limit.ts";

/** Steps that have begun and not ended; who has more has a pattern for the end that does not match. */
const MAX_OPEN = 1000;
/** Steps of which the times are kept. */
const MAX_STEPS = 100_000;
const MAX_NAME = 200;
/** The kubelet's times of lines are good for some hundredths of a second, and any node stalls for one now and then. */
const SECONDS: AmountUnit = { leastDeviation: 1, show: (seconds) => secondsWords(seconds * 1000) };

interface OpenStep {
  readonly name: string;
  readonly line: number;
  readonly ms: number | undefined;
}

interface Failure {
  readonly step: string;
  readonly found: string;
  readonly limit: string;
  readonly usual?: string | undefined;
  readonly words: string;
}

/** Told of steps as they begin, for checks of what happens in them. */
export type StepListener = (step: { readonly name: string; readonly line: number }) => void;

/** Steps that may take only so long, must end, and of which one must be the last. */
export class StepsRun implements LogCheck {
  readonly patterns: readonly string[];
  readonly #name: string;
  readonly #message: string | undefined;
  readonly #check: StepsCheck;
  /** What a step's name is made of; undefined: their numbers. */
  readonly #key: string | undefined;
  readonly #endHasKey: boolean;
  readonly #usual: Usual | undefined;
  readonly #listeners: StepListener[] = [];
  readonly #findings = new Findings();
  readonly #open: OpenStep[] = [];
  readonly #steps: StepTime[] = [];
  #count = 0;
  #lastEnded: string | undefined;
  #fault: string | undefined;
  #isUntimed = false;
  #failure: Failure | undefined;

  /** `groups` are those of `start` and `end`; `kept` is what a baseline is made of. */
  constructor(
    name: string,
    message: string | undefined,
    check: StepsCheck,
    groups: { start: { names: readonly string[]; groupCount: number }; end: readonly string[] },
    kept: KeptAmounts | undefined,
  ) {
    const { start, end, key } = check;
    // Of a line that ends one step and begins another the end comes first.
    this.patterns = end === undefined ? [start] : [end, start];
    this.#name = name;
    this.#message = message;
    this.#check = check;
    this.#usual = check.baseline && new Usual(check.baseline, kept, SECONDS);
    this.#key = key ?? (groups.start.names.includes("step") ? "{step}" : groups.start.groupCount > 0 ? "{1}" : undefined);
    const used = this.#key === undefined ? [] : keyGroups(this.#key);
    this.#endHasKey = used.length > 0 && used.every((group) => groups.end.includes(group));
  }

  onStep(listener: StepListener): void {
    this.#listeners.push(listener);
  }

  see(seen: SeenLine): void {
    if (this.#fault !== undefined) return;
    if (this.#check.end !== undefined && seen.pattern === 0) this.#end(seen);
    else this.#begin(seen);
  }

  #begin({ line, ms, match, text }: SeenLine): void {
    this.#count += 1;
    const name = this.#key === undefined ? `${this.#count}` : keyOf(this.#key, match)?.slice(0, MAX_NAME);
    if (name === undefined) {
      this.#fault = `a group of ${this.#key} caught nothing in line ${line}`;
      this.#findings.note(line, text, true);
      return;
    }
    if (this.#check.end === undefined) this.#close(this.#open.pop(), ms, line);
    this.#open.push({ name, line, ms });
    if (this.#open.length > MAX_OPEN) this.#fault = `more than ${MAX_OPEN} steps have begun and not ended, up to line ${line}`;
    for (const listener of this.#listeners) listener({ name, line });
  }

  #end({ line, ms, match }: SeenLine): void {
    const name = this.#endHasKey && this.#key !== undefined ? keyOf(this.#key, match) : undefined;
    const index = name === undefined ? this.#open.length - 1 : this.#open.findLastIndex((step) => step.name === name);
    if (index >= 0) this.#close(this.#open.splice(index, 1)[0], ms, line);
  }

  #close(step: OpenStep | undefined, endMs: number | undefined, endLine: number): void {
    if (!step) return;
    this.#lastEnded = step.name;
    const { limit, reason, usual } = stepLimit(this.#check, step.name, this.#usual);
    if (step.ms === undefined || endMs === undefined) {
      if (limit !== undefined || usual) this.#isUntimed = true;
      this.#findings.note(step.line, `${step.name} ended in line ${endLine}`, false);
      return;
    }
    const seconds = Math.max(0, endMs - step.ms) / 1000;
    const limitSeconds = limit === undefined ? undefined : parseDurationMs(limit) / 1000;
    const over = usual?.over(step.name, seconds);
    const isOverLimit = limitSeconds !== undefined && seconds > limitSeconds;
    const took = SECONDS.show(seconds);
    if (this.#steps.length < MAX_STEPS) {
      const usualSeconds = usual?.of(step.name).known?.mean;
      const limited = { ...(limitSeconds === undefined ? {} : { limitSeconds }), ...(usualSeconds === undefined ? {} : { usualSeconds }) };
      this.#steps.push({ name: step.name, line: step.line, seconds, ...limited });
    }
    const allowed = limit === undefined ? "" : `, limit ${limit}${reason === undefined ? "" : ` (${reason})`}`;
    const compared = usual ? `, ${usual.of(step.name).words}` : "";
    this.#findings.note(step.line, `${step.name} took ${took}${allowed}${compared}`, isOverLimit || over !== undefined);
    const of = { step: step.name, found: took, usual: usual?.usualWords(step.name) };
    if (isOverLimit) this.#fail({ ...of, limit: limit ?? "", words: `step ${step.name} took ${took} (limit ${limit})` });
    else if (over) {
      this.#fail({ ...of, limit: over.limit, words: `step ${step.name} took ${took} (usually ${over.usual}, limit ${over.limit})` });
    }
  }

  /** The first is told to reviewers. */
  #fail(failure: Failure): void {
    this.#failure ??= failure;
  }

  end({ lines, lastMs }: LogEnd): CheckedLog {
    const { end, last, atLeast } = this.#check;
    if (end === undefined) this.#close(this.#open.pop(), lastMs, lines);
    for (const { name, line } of this.#fault === undefined ? this.#open : []) {
      this.#findings.note(line, `${name} began and never ended`, true);
      this.#fail({ step: name, found: "no end", limit: "", words: `step ${name} began in line ${line} and never ended` });
    }
    if (this.#count < atLeast) {
      const found = `${this.#count} steps`;
      this.#fail({ step: "", found, limit: `at least ${atLeast}`, words: `${found} in the log, not at least ${atLeast}` });
    }
    if (last !== undefined && this.#lastEnded !== last) {
      const found = this.#lastEnded ?? "none";
      this.#findings.note(undefined, `the last step is ${found}, expected is ${last}`, true);
      this.#fail({ step: found, found, limit: last, words: `the last step is ${found}, not ${last}` });
    }
    return this.#result();
  }

  #result(): CheckedLog {
    const outcome = this.#outcome();
    const slowest = this.#steps.reduce<StepTime | undefined>(
      (most, each) => (most && most.seconds >= each.seconds ? most : each),
      undefined,
    );
    const longest = slowest ? `, the longest, ${slowest.name}, took ${secondsWords(slowest.seconds * 1000)}` : "";
    const message =
      this.#fault ??
      (outcome === "unknown" ? "the log has no times of its lines" : (this.#failure?.words ?? `found ${this.#count} steps${longest}`));
    const steps = keptSteps(this.#steps);
    const result = { ...{ name: this.#name, kind: "steps" as const, outcome, message }, ...this.#findings.kept, steps };
    if (outcome !== "failed" || !this.#failure) return { result };
    const { words, ...values } = this.#failure;
    return { result, says: sayFailed(this.#message, values, `${this.#name} - ${words}`) };
  }

  #outcome(): CheckOutcome {
    if (this.#fault !== undefined) return "fault";
    if (this.#failure) return "failed";
    return this.#isUntimed ? "unknown" : "passed";
  }
}
