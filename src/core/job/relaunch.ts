import type { TestTask } from "../test-task/test-task.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { type Parameters, textParameter } from "../zuul/parameters.ts";
import { JsonNumber } from "../zuul/python-json.ts";

/**
 * Zuul's ref of a build set (`Z` and a uuid4, `zuul/model.py`): new for every build set, so that a recheck or a new patchset never has
 * the same one, and the same for every launch of a build.
 */
const BUILD_SET_REF = /^refs\/zuul\/.+\/Z[0-9a-f]{32}$/;

/** What differs between two launches of one build (`zuul/launcher/gearman.py`, `launch`). */
const LAUNCH_PARAMETER = /^(ZUUL_UUID|LOG_PATH|SWIFT_.*)$/;

/**
 * A key that two requests share when, and only when, one is Zuul's relaunch of the other: same function, same TestTask as it stands, same
 * parameters but for those of the launch. undefined for requests that cannot be told apart from a deliberate second build (ref and
 * timer builds): those are never taken for another. Its part before the dash is shared by all launches of the build, see `launchOf`.
 */
export function relaunchKey(
  task: TestTask,
  functionName: string,
  parameters: Parameters,
  sha256Hex: (text: string) => string,
): string | undefined {
  const ref = textParameter(parameters, "ZUUL_REF") ?? "";
  if (!BUILD_SET_REF.test(ref)) return undefined;
  const kept = [...parameters.values].filter(([name]) => !LAUNCH_PARAMETER.test(name)).map(([name, { value }]) => [name, value] as const);
  const { namespace, name } = task.metadata;
  const spec = canonical({ namespace, name, spec: task.spec });
  const build = sha256Hex(JSON.stringify([functionName, namespace, name, ref]));
  return `${build.slice(0, 16)}-${sha256Hex(JSON.stringify([functionName, spec, canonical(kept.sort(([a], [b]) => (a < b ? -1 : 1)))]))}`;
}

/**
 * What all launches of one build share, whatever else changes from one to the next: Zuul asks for a build of a build set once at a time, so
 * that a later request ends an earlier one. undefined for keys of versions that did not tell.
 */
export function launchOf(relaunchKey: string): string | undefined {
  return /^([0-9a-f]{16})-/.exec(relaunchKey)?.[1];
}

/** Whether two keys are of the same request, as `relaunchKey` means it. Versions that did not tell the build wrote what follows the dash alone. */
export function isSameRelaunch(one: string, other: string): boolean {
  return requestOf(one) === requestOf(other);
}

/** The part of a key that tells of all that was asked for. */
export function requestOf(relaunchKey: string): string {
  return relaunchKey.slice(relaunchKey.indexOf("-") + 1);
}

/** Names of the parameters in which two launches of one build differ though they should not, in order. */
export function changedParameters(earlier: Parameters, later: Parameters): string[] {
  const names = new Set([...earlier.values.keys(), ...later.values.keys()]);
  const text = (value: unknown) => JSON.stringify(canonical(value));
  return [...names]
    .filter((name) => !LAUNCH_PARAMETER.test(name) && text(earlier.values.get(name)?.value) !== text(later.values.get(name)?.value))
    .sort((a, b) => (a < b ? -1 : 1));
}

/** Whether Zuul, had it heard this, would not launch the build again. */
export function isAnswer(verdict: Verdict): boolean {
  return verdict.result !== null && verdict.class !== "cancelled";
}

/** The same value with the members of all its objects in one order, and numbers as they were written. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof JsonNumber) return { number: value.text };
  const entries = [...(value instanceof Map ? value : Object.entries(value))].sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, member]) => [key, canonical(member)]);
}
