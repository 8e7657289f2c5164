import type { Check } from "../test-task/schema/check.ts";
import type { KeptAmounts } from "./baseline.ts";
import { CountersRun } from "./counters-check.ts";
import { compilePattern } from "./line-pattern.ts";
import { LineScanner } from "./line-scanner.ts";
import type { LineTimes } from "./line-times.ts";
import type { CheckedLog, LogCheck } from "./log-check.ts";
import { PatternRun } from "./pattern-check.ts";
import { StepsRun } from "./steps-check.ts";
import { checkValues, type ReadValues } from "./values-check.ts";

export interface LogChecksOptions {
  /** When lines were printed, those that have come. */
  readonly times: Pick<LineTimes, "at" | "lastMs">;
  /** What baselines are made of, by the names of checks; missing where nobody can look at kept builds. */
  readonly kept?: ReadonlyMap<string, KeptAmounts> | undefined;
}

/** All checks of one log, which comes in pieces and is gone through once; memory is the same for any log. */
export class LogChecks {
  readonly #checks: readonly Check[];
  readonly #times: LogChecksOptions["times"];
  readonly #kept: ReadonlyMap<string, KeptAmounts>;
  readonly #runs = new Map<string, LogCheck>();
  readonly #scanner: LineScanner;

  /** Throws for checks in which `findCheckFaults` finds a fault. */
  constructor(checks: readonly Check[], { times, kept = new Map() }: LogChecksOptions) {
    this.#checks = checks;
    this.#times = times;
    this.#kept = kept;
    // Steps come first: a line that begins one may have a number for it as well.
    for (const check of checks) if (check.steps) this.#runs.set(check.name, makeStepsRun(check, check.steps, kept.get(check.name)));
    for (const check of checks) this.#addRun(check);
    const patterns: string[] = [];
    const owners: { run: LogCheck; pattern: number }[] = [];
    for (const run of this.#runs.values()) {
      for (const [pattern, source] of run.patterns.entries()) {
        patterns.push(source);
        owners.push({ run, pattern });
      }
    }
    this.#scanner = new LineScanner(patterns, ({ pattern, ...found }) => {
      const owner = owners[pattern];
      owner?.run.see({ ...found, pattern: owner.pattern, ms: times.at(found.line) });
    });
  }

  #addRun({ name, message, pattern, counters }: Check): void {
    if (pattern) this.#runs.set(name, new PatternRun(name, message, pattern));
    if (!counters) return;
    const run = new CountersRun(name, message, counters, { names: compilePattern(counters.regex).names, kept: this.#kept.get(name) });
    const steps = counters.steps === undefined ? undefined : this.#runs.get(counters.steps);
    if (steps instanceof StepsRun) steps.onStep((step) => run.noteStep(step.name));
    this.#runs.set(name, run);
  }

  write(chunk: Uint8Array): void {
    this.#scanner.write(chunk);
  }

  /** In the order of the checks. */
  end(values: ReadValues): CheckedLog[] {
    this.#scanner.end();
    const end = { lines: this.#scanner.lines, lastMs: this.#times.lastMs };
    return this.#checks.flatMap((check) => {
      const run = this.#runs.get(check.name);
      if (check.values) return [checkValues(check, check.values, values, this.#kept.get(check.name))];
      return run ? [run.end(end)] : [];
    });
  }
}

function makeStepsRun({ name, message }: Check, steps: NonNullable<Check["steps"]>, kept: KeptAmounts | undefined): StepsRun {
  const { names, groupCount } = compilePattern(steps.start);
  const end = steps.end === undefined ? [] : compilePattern(steps.end).names;
  return new StepsRun(name, message, steps, { start: { names, groupCount }, end }, kept);
}
