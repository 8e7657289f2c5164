import type { LineMatch } from "./line-pattern.ts";

const PLACE = /\{([A-Za-z_]\w*|\d+)\}/g;

/** Names and numbers of the groups that a key is made of. */
export function keyGroups(key: string): string[] {
  return [...key.matchAll(PLACE)].map(([, group = ""]) => group);
}

/** What a group caught; undefined where it took no part. */
export function groupOf({ groups, named }: LineMatch, group: string): string | undefined {
  return /^\d+$/.test(group) ? groups[Number(group)] : named[group];
}

/** The key with what its groups caught; undefined where one of them caught nothing. */
export function keyOf(key: string, match: LineMatch): string | undefined {
  if (keyGroups(key).some((group) => !groupOf(match, group))) return undefined;
  return key.replace(PLACE, (_, group: string) => groupOf(match, group) ?? "");
}
