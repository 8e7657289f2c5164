/** Where one container's log is read. All of these reject with errors of which `retryable` says whether it may be had later. */
export interface LogSource {
  /**
   * A stream with timestamps of all lines from `sinceTime` (a whole second) on, to be iterated once, which stays open while the container runs.
   * The buffers belong to who reads them.
   */
  open(options: { sinceTime: string | undefined; signal: AbortSignal }): Promise<AsyncIterable<Buffer>>;
  /** The first bytes of what there is now, with timestamps. */
  head(bytes: number, signal: AbortSignal): Promise<Buffer>;
  /** The last lines, with timestamps. */
  tail(lines: number, signal: AbortSignal): Promise<Buffer>;
  /** The log is gone for good: its pod is. */
  isGone(error: unknown): boolean;
}
