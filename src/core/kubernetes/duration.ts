const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/**
 * Go's duration syntax without signs, micro- and nanoseconds: `90s`, `1h30m`, `1.5h`. The number of digits is limited so that no sum
 * of terms in a string of `DURATION_MAX_LENGTH` overflows where it is evaluated as CEL (int64 nanoseconds).
 */
export const DURATION_PATTERN = "^([0-9]{1,6}([.][0-9]{1,9})?(h|m|s|ms))+$";
export const DURATION_MAX_LENGTH = 20;

const durationRegExp = new RegExp(DURATION_PATTERN);

export function isDuration(text: string): boolean {
  return text.length <= DURATION_MAX_LENGTH && durationRegExp.test(text);
}

/** Whole milliseconds (rounded) of a duration such as `90s` or `1h30m`; terms add up, as in Go. Throws RangeError when `text` is none. */
export function parseDurationMs(text: string): number {
  if (!isDuration(text)) throw new RangeError(`not a duration: ${JSON.stringify(text)}; write it as 90s, 10m or 1h30m`);
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(h|ms|m|s)/g)) totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return Math.round(totalMs);
}

/** The shortest text that `parseDurationMs` reads back as `durationMs` (a whole number, not negative): `1h30m`, `1m30s`, `250ms`, `0s`. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(durationMs);
  let text = "";
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    const amount = Math.floor(rest / unitMs);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * unitMs;
  }
  return text === "" ? "0s" : text;
}
