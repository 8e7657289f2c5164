import { DiskWait } from "./disk-wait.ts";
import { type LogFollowerOptions, RunFollower } from "./run-follower.ts";

/** A new run of a container is looked for so often. */
const RUN_LOOK_MS = 500;

/**
 * Reads a container's log into a spool, from the first byte to the last, of each of its runs, whatever streams break meanwhile. For one whose
 * container has started: before that there is nothing to read. Resolves when the spool is ended, or `signal` aborts; rejects when it can't be
 * written, on a full disk some minutes after the container's end, or when another process has taken it over.
 */
export async function followLog(options: LogFollowerOptions, signal: AbortSignal): Promise<void> {
  const { spool, hasEnded, clock } = options;
  while (!spool.isEnded && !signal.aborted) {
    const follower = new RunFollower(options, signal);
    await follower.run();
    const hasNext = () => (options.run()?.attempt ?? 0) > follower.attempt;
    while (!signal.aborted && !follower.isGone && !hasEnded() && !hasNext()) await clock.sleep(RUN_LOOK_MS, signal).catch(() => {});
    if (signal.aborted) return;
    if (hasNext()) spool.noteAttempt(follower.attempt + 1, follower.lines);
    else await new DiskWait(options, signal).written(spool.end());
  }
}
