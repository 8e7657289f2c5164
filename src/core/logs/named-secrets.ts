import type { PodSpec } from "../kubernetes/objects.ts";

/** A Secret that a pod names, and which of its keys it gets; undefined: all. */
export interface NamedSecret {
  name: string;
  keys: ReadonlySet<string> | undefined;
  /** Its containers begin without it, too. */
  isOptional: boolean;
}

interface Reference {
  name?: string;
  secretName?: string;
  key?: string;
  optional?: boolean;
  items?: { key: string }[];
}

/** The Secrets whose values containers of these pods can print: variables, files, and files of projected volumes. */
export function namedSecrets(pods: readonly PodSpec[]): NamedSecret[] {
  const found = new Map<string, Set<string> | undefined>();
  const needed = new Set<string>();
  const add = (reference: Reference | undefined, keys: readonly string[] | undefined) => {
    const name = reference?.name ?? reference?.secretName;
    if (name === undefined) return;
    if (reference?.optional !== true) needed.add(name);
    const known = found.get(name);
    const wantsAll = keys === undefined || (found.has(name) && known === undefined);
    found.set(name, wantsAll ? undefined : new Set([...(known ?? []), ...keys]));
  };
  const itemsOf = (reference: Reference | undefined) => reference?.items?.map(({ key }) => key);
  for (const { env = [], envFrom = [] } of pods.flatMap(({ initContainers = [], containers }) => [...initContainers, ...containers])) {
    for (const { valueFrom } of env) {
      const reference = (valueFrom as { secretKeyRef?: Reference } | undefined)?.secretKeyRef;
      add(reference, reference?.key === undefined ? undefined : [reference.key]);
    }
    for (const source of envFrom) add((source as { secretRef?: Reference }).secretRef, undefined);
  }
  for (const volume of pods.flatMap(({ volumes = [] }) => volumes)) {
    const { secret, projected } = volume as { secret?: Reference; projected?: { sources?: { secret?: Reference }[] } };
    add(secret, itemsOf(secret));
    for (const source of projected?.sources ?? []) add(source.secret, itemsOf(source.secret));
  }
  return [...found].map(([name, keys]) => ({ name, keys, isOptional: !needed.has(name) }));
}
