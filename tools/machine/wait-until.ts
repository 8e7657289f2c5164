import { systemClock } from "../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../src/runtime/errors.ts";

/** What was waited for did not come in time. */
export class WaitError extends TurboHipsterError {
  constructor(what: string, limitMs: number) {
    super("TH_TIMEOUT", `waited ${limitMs / 1000} s in vain for ${what}`);
  }
}

/** Looks every 50 ms whether `check` holds. What `check` throws ends the waiting; so does the limit, with a WaitError. */
export async function waitUntil(what: string, limitMs: number, check: () => boolean | Promise<boolean>): Promise<void> {
  const started = systemClock.monotonicMs();
  while (!(await check())) {
    if (systemClock.monotonicMs() - started > limitMs) throw new WaitError(what, limitMs);
    await systemClock.sleep(50);
  }
}
