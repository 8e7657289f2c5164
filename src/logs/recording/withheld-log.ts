import type { LogSource } from "../follow/log-source.ts";

/** In place of a log that may not be read: as if its pod were gone. */
export function withheldLog(why: string, now: () => Date): LogSource {
  const refuse = () => Promise.reject(new Error(`the log is not read: ${why}`));
  return { open: refuse, head: refuse, tail: refuse, isGone: () => true, now };
}
