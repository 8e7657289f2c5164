import { InvalidArgumentError } from "commander";

/** The parser of an option that takes a whole number from `least` on. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`must be a whole number from ${least} on.`);
    return value;
  };
}
