import { InvalidArgumentError } from "commander";
import { parseDurationMs } from "../core/kubernetes/duration.ts";
import { coerceError } from "../runtime/errors.ts";

/** For an option that may be given several times. */
export function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

/** A duration longer than 0s, in milliseconds. Throws commander's InvalidArgumentError with the remedy. */
export function parseTimeout(text: string): number {
  try {
    const timeoutMs = parseDurationMs(text);
    if (timeoutMs > 0) return timeoutMs;
  } catch (thrown) {
    throw new InvalidArgumentError(coerceError(thrown).message);
  }
  throw new InvalidArgumentError("it must be longer than 0s.");
}

/** A whole number from 0 to 1000. Throws commander's InvalidArgumentError with the remedy. */
export function wholePercent(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= 1000) return Number(text);
  throw new InvalidArgumentError("it must be a whole number from 0 to 1000.");
}
