/**
 * Delay before try `attempt` (0 is the first retry): doubles from `baseMs` up to `maxMs`, with half of it random, so that many clients
 * that lost the same server do not come back at once. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random: number = Math.random()): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (ceiling / 2) * random;
}
