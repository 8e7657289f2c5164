import type { PatternCheck } from "../test-task/schema/check.ts";
import { Findings, sayFailed } from "./check-result.ts";
import type { CheckedLog, LogCheck, SeenLine } from "./log-check.ts";

/** A line that must be in the log, so and so often, or must not. */
export class PatternRun implements LogCheck {
  readonly patterns: readonly string[];
  readonly #name: string;
  readonly #message: string | undefined;
  readonly #check: PatternCheck;
  readonly #findings = new Findings();
  #count = 0;

  constructor(name: string, message: string | undefined, check: PatternCheck) {
    this.patterns = [check.regex];
    this.#name = name;
    this.#message = message;
    this.#check = check;
  }

  see({ line, text }: SeenLine): void {
    this.#count += 1;
    const { expect, atMost } = this.#check;
    this.#findings.note(line, text, expect === "absent" || (atMost !== undefined && this.#count > atMost));
  }

  end(): CheckedLog {
    const { expect, atLeast = 1, atMost } = this.#check;
    const isFailed = expect === "absent" ? this.#count > 0 : this.#count < atLeast || (atMost !== undefined && this.#count > atMost);
    const limit = expect === "absent" ? "none" : rangeWords(atLeast, atMost);
    const found = this.#count === 1 ? "1 line" : `${this.#count} lines`;
    const result = {
      ...{ name: this.#name, kind: "pattern" as const, outcome: isFailed ? ("failed" as const) : ("passed" as const) },
      message: `found ${found}, allowed is ${limit}`,
      ...this.#findings.kept,
    };
    if (!isFailed) return { result };
    const first = result.findings.find(({ isBad }) => isBad)?.line;
    const where = first === undefined ? `${found}, not ${limit}` : `line ${first} of the log`;
    return { result, says: sayFailed(this.#message, { found, limit }, `${this.#name} - ${where}`) };
  }
}

function rangeWords(atLeast: number, atMost: number | undefined): string {
  if (atMost === undefined) return `at least ${atLeast}`;
  return atMost === atLeast ? `${atLeast}` : `${atLeast} to ${atMost}`;
}
