import type { CheckResult } from "./check-result.ts";
import type { LineMatch } from "./line-pattern.ts";

export interface SeenLine {
  /** Which of the check's patterns it matches, by its place among them. */
  readonly pattern: number;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly match: LineMatch;
  /** When it was printed; undefined where that is not known. */
  readonly ms: number | undefined;
}

export interface LogEnd {
  readonly lines: number;
  /** When the last line was printed. */
  readonly lastMs: number | undefined;
}

/** What was found, and of one that failed what reviewers are told. */
export interface CheckedLog {
  readonly result: CheckResult;
  readonly says?: string | undefined;
}

/** One check on its way through a log. */
export interface LogCheck {
  readonly patterns: readonly string[];
  /** Lines come in order, and of one line the patterns. */
  see(line: SeenLine): void;
  end(end: LogEnd): CheckedLog;
}
