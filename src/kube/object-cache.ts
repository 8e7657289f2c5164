import type { KubeObject } from "../core/kubernetes-objects.ts";
import { coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { WatchEvent } from "./kube-client.ts";
import { compareResourceVersions } from "./resource-version.ts";

/** The objects of one scope by `namespace/name`, and the telling of their changes. */
export interface ObjectCache<T extends KubeObject> {
  get(key: string): T | undefined;
  values(): Iterable<T>;
  /** Takes a full list as the truth: tells what is new, changed or gone. */
  replace(objects: readonly KubeObject[]): void;
  /** Takes one event that follows resourceVersion `seen` and returns what is seen now. An event that is not newer is dropped: it is a replay. */
  apply(event: WatchEvent<KubeObject>, seen: string): string;
}

export interface ObjectCacheOptions<T extends KubeObject> {
  readonly trim: (object: KubeObject) => T;
  readonly onChange: (key: string, object: T | undefined) => void;
  readonly logger: Logger;
}

export function makeObjectCache<T extends KubeObject>({ trim, onChange, logger }: ObjectCacheOptions<T>): ObjectCache<T> {
  const objects = new Map<string, T>();

  function tell(key: string, object: T | undefined): void {
    try {
      onChange(key, object);
    } catch (thrown) {
      logger.error({ object: key, error: coerceError(thrown).stack }, "caught what a change handler threw");
    }
  }

  function put(key: string, full: KubeObject): void {
    const before = objects.get(key)?.metadata;
    const { uid, resourceVersion } = full.metadata;
    if (before?.uid === uid && before?.resourceVersion === resourceVersion) return;
    let object: T;
    try {
      object = trim(full);
    } catch (thrown) {
      logger.error({ object: key, error: coerceError(thrown).message }, "ignores an object that can't be trimmed");
      return;
    }
    if (before !== undefined && before.uid !== uid) remove(key);
    objects.set(key, object);
    tell(key, object);
  }

  function remove(key: string): void {
    if (objects.delete(key)) tell(key, undefined);
  }

  return {
    get: (key) => objects.get(key),
    values: () => objects.values(),
    replace(listed) {
      const gone = new Set(objects.keys());
      for (const object of listed) gone.delete(keyOf(object));
      for (const key of gone) remove(key);
      for (const object of listed) put(keyOf(object), object);
    },
    apply({ type, object }, seen) {
      const version = object.metadata.resourceVersion ?? seen;
      const order = compareResourceVersions(version, seen);
      if (order !== undefined && order < 0) return seen;
      if (type === "BOOKMARK") return version;
      if (order === 0) return seen;
      if (type === "DELETED") remove(keyOf(object));
      else put(keyOf(object), object);
      return version;
    },
  };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
