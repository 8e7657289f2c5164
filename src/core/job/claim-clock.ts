/**
 * Whether a request for a build that nobody asks for could reach us now. "open": its server hands out what it has for it. "none": it is not
 * asked for any, since there is no place to carry one out or nothing takes builds of that function now. "away": the server cannot be reached.
 */
export type Chance = "open" | "none" | "away";

/** A build that nobody asks for any more is given up after so much time with a chance; a requeue or a relaunch comes within seconds. */
const UNCLAIMED_MS = 120_000;
/** There is an end to waiting for a server, too. */
const MAX_AWAY_MS = 15 * 60_000;

/** For how long nobody has asked for a build; a stopwatch, with times of one monotonic clock in milliseconds. */
export interface ClaimClock {
  /** How it has been since `sinceMs`. */
  readonly chance: Chance;
  readonly sinceMs: number;
  /** Until then. */
  readonly openMs: number;
  readonly awayMs: number;
}

export function startClaimClock(chance: Chance, nowMs: number): ClaimClock {
  return { chance, sinceMs: nowMs, openMs: 0, awayMs: 0 };
}

/** From now on it is like this. Time counts by what stood while it passed, whatever follows: nothing begins anew. */
export function noteChance(clock: ClaimClock, chance: Chance, nowMs: number): ClaimClock {
  return { chance, sinceMs: nowMs, openMs: openMs(clock, nowMs), awayMs: awayMs(clock, nowMs) };
}

/** Until the build is given up, if nothing changes; not positive when it is; Infinity while that time stands still. */
export function claimLeftMs(clock: ClaimClock, nowMs: number): number {
  const openLeftMs = UNCLAIMED_MS - openMs(clock, nowMs);
  const awayLeftMs = MAX_AWAY_MS - awayMs(clock, nowMs);
  if (openLeftMs <= 0 || awayLeftMs <= 0) return Math.min(openLeftMs, awayLeftMs);
  if (clock.chance === "none") return Number.POSITIVE_INFINITY;
  return clock.chance === "open" ? openLeftMs : awayLeftMs;
}

function openMs({ chance, sinceMs, openMs }: ClaimClock, nowMs: number): number {
  return openMs + (chance === "open" ? nowMs - sinceMs : 0);
}

function awayMs({ chance, sinceMs, awayMs }: ClaimClock, nowMs: number): number {
  return awayMs + (chance === "away" ? nowMs - sinceMs : 0);
}
