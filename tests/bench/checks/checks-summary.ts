import { quantile } from "../overhead/overhead-summary.ts";

/** One going through the log. */
export interface Pass {
  seconds: number;
  /** Of the process at most resident, in MB. */
  rssMb: number;
}

export interface Compared {
  /** Seconds, the median of all passes. */
  ours: number;
  grep: number;
  ratio: number;
}

export interface ChecksReport extends Compared {
  bytes: number;
  /** With one more pattern, which takes an engine that backtracks longer than anybody waits. */
  catastrophic: Compared;
  /** With one more that has no text in each of its matches, so that every byte is looked at; told, and not judged. */
  textless: Compared;
  /** At most resident: with a twentieth of the log, and with all of it, in MB. */
  memoryMb: { small: number; large: number };
}

/** The most that a pass may take, in those of `grep -E`. */
const MOST_RATIO = 3;
/** What is on its way is garbage for a moment. */
const GROWTH_MB = 64;

export function compare(ours: readonly Pass[], grep: readonly Pass[]): Compared {
  const median = (passes: readonly Pass[]) =>
    quantile(
      passes.map(({ seconds }) => seconds),
      0.5,
    );
  const [a, b] = [median(ours), median(grep)];
  return { ours: round(a), grep: round(b), ratio: round(a / b) };
}

export function isMet({ ratio, catastrophic, memoryMb: { small, large } }: ChecksReport): boolean {
  return ratio <= MOST_RATIO && catastrophic.ratio <= MOST_RATIO && large - small <= GROWTH_MB;
}

export function renderChecks(report: ChecksReport): string {
  const { bytes, catastrophic, textless, memoryMb } = report;
  const line = (what: string, { ours, grep, ratio }: Compared) => `${what}  ours ${ours} s, grep -En ${grep} s: ${ratio} times`;
  return [
    `A log of ${(bytes / 1e6).toFixed(0)} MB, in seconds (medians)`,
    line("patterns of four checks    ", report),
    line("and (x+x+)+y beside them   ", catastrophic),
    line("and one that has no text   ", textless),
    `memory at most ${memoryMb.large} MB (${memoryMb.small} MB with a twentieth of it)`,
    isMet(report) ? "met" : `MISSED: at most ${MOST_RATIO} times, and ${GROWTH_MB} MB more`,
  ].join("\n");
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
