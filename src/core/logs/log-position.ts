/** How far a log has been taken, in words that another stream of the same log, or of what is left of it, can be held against. */
export interface LogPosition {
  /** Timestamp of the last line of which anything was taken, as the kubelet writes it; "" before the first. */
  readonly time: string;
  /** How many lines in a row bore it, that one included. */
  readonly count: number;
  /** How many bytes of that line were taken, its newline included. */
  readonly taken: number;
  /** Whether its newline was. */
  readonly isWhole: boolean;
}

export const BEFORE_ALL: LogPosition = { time: "", count: 0, taken: 0, isWhole: true };

/** A place where lines may be missing, because the kubelet had thrown them away or went past them. */
export interface LogHole {
  /** Timestamp of the last line before it, "" where none was taken. */
  readonly after: string;
  /** Of the first line after it; undefined at the end of the log. */
  readonly before: string | undefined;
}
