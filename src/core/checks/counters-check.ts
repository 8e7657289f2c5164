import type { CountersCheck } from "../test-task/schema/check.ts";
import { type KeptAmounts, PLAIN_AMOUNT, Usual } from "./baseline.ts";
import { Findings, keptAmounts, type StepAmount, sayFailed } from "./check-result.ts";
import type { CheckedLog, LogCheck, SeenLine } from "./log-check.ts";
import { stepLimit } from "./step-limit.ts";

/** Steps whose growth is counted; beyond that there is no use in names. */
const MAX_STEPS = 10_000;
const MAX_NAME = 200;

interface Growth {
  readonly before: number;
  latest: number;
  line: number;
}

/** A number that the log shows again and again, which may be, or grow, only so much. */
export class CountersRun implements LogCheck {
  readonly patterns: readonly string[];
  readonly #name: string;
  readonly #message: string | undefined;
  readonly #check: CountersCheck;
  readonly #valueGroup: string;
  readonly #hasStep: boolean;
  readonly #findings = new Findings();
  readonly #growth = new Map<string, Growth>();
  /** By step, "" where there is none. */
  readonly #amounts = new Map<string, StepAmount>();
  readonly #usual: Usual | undefined;
  #step: string | undefined;
  #count = 0;
  #previous: number | undefined;
  #most: number | undefined;
  #fault: string | undefined;
  #failure: { step: string; found: string; limit: string; usual?: string; words: string } | undefined;

  /** `names` are the groups of its pattern; `kept` is what a baseline is made of. */
  constructor(
    name: string,
    message: string | undefined,
    check: CountersCheck,
    { names, kept }: { names: readonly string[]; kept: KeptAmounts | undefined },
  ) {
    this.patterns = [check.regex];
    this.#name = name;
    this.#message = message;
    this.#check = check;
    this.#usual = check.baseline && new Usual(check.baseline, kept, PLAIN_AMOUNT);
    this.#valueGroup = names.includes("value") ? "value" : "1";
    this.#hasStep = names.includes("step");
  }

  /** Of the check whose steps the lines lie in. */
  noteStep(name: string): void {
    this.#step = name;
  }

  see({ line, text, match }: SeenLine): void {
    if (this.#fault !== undefined) return;
    const written = this.#valueGroup === "value" ? match.named.value : match.groups[1];
    const value = readNumber(written);
    if (value === undefined) {
      this.#fault = written === undefined ? `the number's group caught nothing in line ${line}` : `${written} in line ${line} is no number`;
      this.#findings.note(line, text, true);
      return;
    }
    this.#count += 1;
    const step = (this.#hasStep ? match.named.step : this.#step)?.slice(0, MAX_NAME);
    if (this.#check.measure === "value") this.#judge(step, value, line, "is");
    if (this.#check.measure === "delta" && this.#previous !== undefined) this.#judge(step, value - this.#previous, line, "grew by");
    if (this.#check.measure === "step" && step !== undefined) this.#grow(step, value, line);
    this.#previous = value;
  }

  #grow(step: string, value: number, line: number): void {
    const known = this.#growth.get(step);
    if (known) Object.assign(known, { latest: value, line });
    else if (this.#growth.size < MAX_STEPS) this.#growth.set(step, { before: this.#previous ?? value, latest: value, line });
    else this.#fault = `there are more than ${MAX_STEPS} steps, up to line ${line}`;
  }

  #judge(step: string | undefined, amount: number, line: number, how: string): void {
    const { limit, reason, usual } = stepLimit(this.#check, step, this.#usual);
    const name = step ?? "";
    const isOverLimit = limit !== undefined && amount > limit;
    const over = usual?.over(name, amount);
    this.#most = Math.max(this.#most ?? amount, amount);
    this.#keep(step, amount, { limit, usual: usual?.of(name).known?.mean });
    const where = step === undefined ? "" : ` in ${step}`;
    const why = reason === undefined ? "" : ` (${reason})`;
    const limited = limit === undefined ? "" : `, limit ${limit}${why}`;
    const compared = usual ? `, ${usual.of(name).words}` : "";
    this.#findings.note(line, `${how} ${amount}${where}${limited}${compared}`, isOverLimit || over !== undefined);
    const allowed = isOverLimit ? { limit: `${limit}`, words: `limit ${limit}` } : over && { limit: over.limit, words: overWords(over) };
    if (!allowed) return;
    const words = `${how} ${amount}${where} (${allowed.words})`;
    const told = usual ? { usual: usual.usualWords(name) } : {};
    this.#failure ??= { step: name, found: `${amount}`, limit: allowed.limit, ...told, words };
  }

  #keep(step: string | undefined, amount: number, { limit, usual }: { limit: number | undefined; usual: number | undefined }): void {
    const name = step ?? "";
    const known = this.#amounts.get(name);
    if (known) known.most = Math.max(known.most, amount);
    else if (this.#amounts.size < MAX_STEPS) {
      const limits = { ...(limit === undefined ? {} : { limit }), ...(usual === undefined ? {} : { usual }) };
      this.#amounts.set(name, { ...(step === undefined ? {} : { step }), most: amount, ...limits });
    }
  }

  end(): CheckedLog {
    for (const [step, { before, latest, line }] of this.#growth) this.#judge(step, latest - before, line, "grew by");
    const { atLeast, measure } = this.#check;
    if (this.#count < atLeast) {
      const words = `${this.#count} numbers in the log, not at least ${atLeast}`;
      this.#failure ??= { step: "", found: `${this.#count}`, limit: `at least ${atLeast}`, words };
    }
    const outcome = this.#fault !== undefined ? ("fault" as const) : this.#failure ? ("failed" as const) : ("passed" as const);
    const most = this.#most === undefined ? "" : `, ${measure === "value" ? "at most" : "growing by at most"} ${this.#most}`;
    const message = this.#fault ?? this.#failure?.words ?? `found ${this.#count} numbers${most}`;
    const amounts = keptAmounts([...this.#amounts.values()]);
    const result = { ...{ name: this.#name, kind: "counters" as const, outcome, message }, ...this.#findings.kept, amounts };
    if (outcome !== "failed" || !this.#failure) return { result };
    const { words, ...values } = this.#failure;
    return { result, says: sayFailed(this.#message, values, `${this.#name} - ${words}`) };
  }
}

function overWords({ usual, limit }: { usual: string; limit: string }): string {
  return `usually ${usual}, limit ${limit}`;
}

function readNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*[-+]?\d{1,20}(\.\d{1,20})?\s*$/.test(text)) return undefined;
  return Number(text);
}
