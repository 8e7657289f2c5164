import * as z from "zod";

/** Functions that were ever registered, by when a TestTask last served them (RFC 3339, whole seconds). */
export type RegisteredNames = ReadonlyMap<string, string>;

/**
 * A function stays in a Gearman server's `status` until the server restarts, and Zuul goes on sending builds for it. So a name is kept,
 * and answered, this long after its last TestTask has gone.
 */
const KEPT_MS = 30 * 86_400_000;
/** All names together must fit into a ConfigMap (1 MiB). */
const MAX_NAMES = 2000;
/** The time of names that are served is written down no oftener than this. */
const RENEWED_MS = 86_400_000;

const recordSchema = z.record(z.string().min(1).max(512), z.iso.datetime());

/** What was kept of the names; text that cannot be read counts as none. */
export function parseRegisteredNames(text: string | undefined): RegisteredNames {
  try {
    const parsed = recordSchema.safeParse(JSON.parse(text ?? "{}"));
    return new Map(Object.entries(parsed.success ? parsed.data : {}));
  } catch {
    return new Map();
  }
}

export function renderRegisteredNames(names: RegisteredNames): string {
  return JSON.stringify(Object.fromEntries([...names].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** All names of both, each with its later time. */
export function mergeRegisteredNames(one: RegisteredNames, other: RegisteredNames): RegisteredNames {
  const merged = new Map(one);
  for (const [name, at] of other) {
    const before = merged.get(name);
    if (before === undefined || Date.parse(at) > Date.parse(before)) merged.set(name, at);
  }
  return merged;
}

/** The names with those that are served `now`, without those that nobody has served for a month; the newest where there are too many. */
export function renewRegisteredNames(names: RegisteredNames, served: Iterable<string>, now: Date): RegisteredNames {
  const renewed = new Map([...names].filter(([, at]) => now.getTime() - Date.parse(at) < KEPT_MS));
  for (const name of served) {
    const at = renewed.get(name);
    if (at === undefined || now.getTime() - Date.parse(at) >= RENEWED_MS) renewed.set(name, now.toISOString().replace(/\.\d+Z$/, "Z"));
  }
  if (renewed.size <= MAX_NAMES) return renewed;
  return new Map([...renewed].sort(([, a], [, b]) => Date.parse(b) - Date.parse(a)).slice(0, MAX_NAMES));
}
