/** Which log of a container: that of its newest run, or that of the run before. */
export interface WhichLog {
  readonly previous: boolean;
  readonly signal: AbortSignal;
}

/** Where one container's log is read. All of these reject with errors of which `retryable` says whether it may be had later. */
export interface LogSource {
  /**
   * A stream with timestamps of all lines from `sinceTime` (a whole second) on, to be iterated once, which stays open while the container runs.
   * The buffers belong to who reads them.
   */
  open(options: WhichLog & { readonly sinceTime: string | undefined }): Promise<AsyncIterable<Buffer>>;
  /** The first bytes of what there is now, with timestamps. */
  head(bytes: number, which: WhichLog): Promise<Buffer>;
  /** The last lines, with timestamps. */
  tail(lines: number, which: WhichLog): Promise<Buffer>;
  /** The log is gone for good: its pod is. */
  isGone(error: unknown): boolean;
  /** The time by the cluster's clock, or whatever comes nearest to the node's. */
  now(): Date;
}
