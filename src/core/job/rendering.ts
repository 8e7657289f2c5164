import type { Job } from "../kubernetes/objects.ts";
import type { TestTask } from "../test-task/test-task.ts";
import { type ManifestInput, renderJob } from "./manifest.ts";

export type Rendering = { ok: true; job: Job } | { ok: false; problem: string };

/** Fields to try without: looking for the place is no reason to hold up everybody else. */
const MAX_TRIES = 200;

/**
 * The Job of a build, whatever its task holds. The schema should leave nothing that cannot be rendered; where it does all the same, `problem`
 * names the field of the TestTask that is in the way, for whoever wrote it.
 */
export function tryRenderJob(input: ManifestInput): Rendering {
  try {
    return { ok: true, job: renderJob(input) };
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, problem: `TestTask ${input.task.metadata.name} makes no Job, look at ${placeOf(input, why)} - ${why}` };
  }
}

/** Of a task as it was read: places by what was wrong, so that requests that come by the hundred are not looked into one by one. */
const PLACES = new WeakMap<TestTask, Map<string, string>>();
/** Different faults of one task; for what is beyond, its whole spec is the place. */
const MAX_PLACES = 20;

function placeOf(input: ManifestInput, why: string): string {
  const places = PLACES.get(input.task) ?? new Map<string, string>();
  PLACES.set(input.task, places);
  const fault = `${input.function.nodeLabel ?? ""}:${why.slice(0, 200)}`;
  const known = places.get(fault);
  if (known !== undefined || places.size >= MAX_PLACES) return known ?? "spec";
  const place = findPlace(input);
  places.set(fault, place);
  return place;
}

/** The innermost field of the spec without which the Job can be rendered. */
function findPlace(input: ManifestInput): string {
  const paths: string[][] = [["spec"]];
  let place = ["spec"];
  // Those at the same depth come one after another, so that the last one found is the innermost.
  for (let index = 0; index < Math.min(paths.length, MAX_TRIES); index++) {
    const path = paths[index] ?? [];
    if (index > 0 && canRenderWithout(input, path)) place = path;
    for (const key of keysAt(input.task, path)) paths.push([...path, key]);
  }
  return place.map((key, depth) => (/^[0-9]+$/.test(key) ? `[${key}]` : `${depth === 0 ? "" : "."}${key}`)).join("");
}

function canRenderWithout(input: ManifestInput, path: readonly string[]): boolean {
  try {
    renderJob({ ...input, task: without(input.task, path) });
    return true;
  } catch {
    return false;
  }
}

function keysAt(value: unknown, path: readonly string[]): string[] {
  try {
    const found = path.reduce<unknown>((parent, key) => (parent as Record<string, unknown>)[key], value);
    return typeof found === "object" && found !== null ? Object.keys(found) : [];
  } catch {
    return [];
  }
}

/** A copy that lacks the value at `path`; what is beside it is shared. */
function without<T extends object>(value: T, [key = "", ...rest]: readonly string[]): T {
  if (Array.isArray(value)) {
    const index = Number(key);
    const changed = rest.length === 0 ? [] : [without(value[index], rest)];
    return [...value.slice(0, index), ...changed, ...value.slice(index + 1)] as unknown as T;
  }
  const copy = { ...value } as Record<string, unknown>;
  if (rest.length === 0) delete copy[key];
  else copy[key] = without(copy[key] as object, rest);
  return copy as T;
}
