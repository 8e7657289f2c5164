import type { Clock } from "./clock.ts";

/** Resolves when `promise` does, but not later than after `waitMs`; rejects when it does by then. */
export async function within(waitMs: number, promise: Promise<void>, clock: Clock): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const cancel = clock.schedule(waitMs, resolve);
  await Promise.race([promise, late]);
  cancel();
}
