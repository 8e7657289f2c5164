import { makeProblem, type Problem } from "../test-task/problem.ts";
import type { Check } from "../test-task/schema/check.ts";
import { baselineOf } from "./baseline.ts";
import { compilePattern, type LinePattern } from "./line-pattern.ts";
import { keyGroups } from "./step-key.ts";

/** Below a check. */
interface Fault {
  readonly at: readonly string[];
  readonly message: string;
}

/** They stand in an annotation of each Job, all of which have 256 KiB together. */
const MAX_BYTES = 64 * 1024;

/** What is wrong with checks that their schema lets pass: patterns that are none, and groups and checks that are named and not there. */
export function findCheckFaults(checks: readonly Check[] = []): Problem[] {
  const faults = checks.flatMap((check, index) =>
    faultsOf(check, checks).map(({ at, message }) => makeProblem(["spec", "checks", index, ...at], message)),
  );
  const isLarge = new TextEncoder().encode(JSON.stringify(checks)).length > MAX_BYTES;
  return isLarge ? [...faults, makeProblem(["spec", "checks"], "must be at most 64 KiB together; shorten lists of overrides")] : faults;
}

function faultsOf(check: Check, all: readonly Check[]): Fault[] {
  const { message, pattern, steps, counters } = check;
  const faults: Fault[] = [];
  const fault = (path: string, words: string) => faults.push({ at: path.split("."), message: words });
  const compile = (path: string, source: string): LinePattern | undefined => {
    try {
      return compilePattern(source);
    } catch (thrown) {
      fault(path, `is no regular expression (RE2) - ${(thrown as Error).message}`);
      return undefined;
    }
  };
  if (message?.includes("{usual}") && !baselineOf(check)) fault("message", "has {usual}, and the check has no baseline");
  if (pattern) compile("pattern.regex", pattern.regex);
  if (steps) {
    const start = compile("steps.start", steps.start);
    if (steps.end !== undefined) compile("steps.end", steps.end);
    const groups = steps.key === undefined ? [] : keyGroups(steps.key);
    if (steps.key !== undefined && groups.length === 0) fault("steps.key", "names no group, as {1} or {step} would");
    for (const group of start ? groups : []) {
      if (!hasGroup(start as LinePattern, group)) fault("steps.key", `names {${group}}, and start has no such group`);
    }
  }
  if (counters) {
    const regex = compile("counters.regex", counters.regex);
    if (regex && regex.groupCount === 0) fault("counters.regex", "has no group for the number, as (?<value>[0-9]+)");
    const hasStep = regex?.names.includes("step") ?? true;
    if (counters.steps !== undefined && !all.some((other) => other.steps && other.name === counters.steps))
      fault("counters.steps", `is ${counters.steps}, and no check of steps has that name`);
    if (counters.measure === "step" && counters.steps === undefined && !hasStep)
      fault("counters.measure", "is step: regex needs a group named step, or steps the name of a check of steps");
  }
  return faults;
}

function hasGroup({ groupCount, names }: LinePattern, group: string): boolean {
  return /^\d+$/.test(group) ? Number(group) <= groupCount : names.includes(group);
}
