import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { WatchEvent } from "../client/kube-client.ts";
import { compareResourceVersions, isOrdered } from "./resource-version.ts";

/** What is held of an object of a list until the whole list is there. */
interface ListedObject<T extends KubeObject> {
  readonly key: string;
  /** undefined: there is nothing new in it, or it can't be trimmed. */
  readonly object: T | undefined;
}

/** The objects of one scope by `namespace/name`, and the telling of their changes. */
export interface ObjectCache<T extends KubeObject> {
  get(key: string): T | undefined;
  values(): Iterable<T>;
  /** For each object of a full list, in any order. */
  prepare(object: KubeObject): ListedObject<T>;
  /**
   * Takes part of the objects, listed at `version` while the watch went on, which has told all up to `seen` (undefined: nothing). What it has
   * told since, the end of an object above all, counts more than the list.
   */
  merge(listed: readonly ListedObject<T>[], version: string, seen: string | undefined): void;
  /**
   * Takes a full list of `version` as the truth: tells what is new, changed or gone. What is known to be newer than the whole list stays, but
   * not where the list is older than what was `seen` before: then the server has been set back, as from a backup.
   */
  replace(listed: readonly ListedObject<T>[], version: string, seen: string | undefined): void;
  /**
   * Takes one event that follows resourceVersion `seen` and returns what is seen now. An older event is dropped: it is a replay. Several may be
   * of one version: etcd deletes all that a lease holds in one transaction, as Events whose time to live is over, and tells each deletion with
   * the transaction's revision (server/lease/lessor.go `Revoke`; k8s.io/apiserver pkg/storage/etcd3/watcher.go `prepareObjs`).
   */
  apply(event: WatchEvent<KubeObject>, seen: string): string;
}

interface ObjectCacheOptions<T extends KubeObject> {
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

  function prepare(full: KubeObject): ListedObject<T> {
    const key = keyOf(full);
    const before = objects.get(key)?.metadata;
    const { uid, resourceVersion } = full.metadata;
    if (before?.uid === uid && before?.resourceVersion === resourceVersion) return { key, object: undefined };
    try {
      return { key, object: trim(full) };
    } catch (thrown) {
      logger.error({ object: key, error: coerceError(thrown).message }, "ignores an object that can't be trimmed");
      return { key, object: undefined };
    }
  }

  function put({ key, object }: ListedObject<T>, isTruth = false): void {
    if (object === undefined) return;
    const before = objects.get(key)?.metadata;
    if (isOlder(object.metadata, before) && !isTruth) return;
    if (before !== undefined && before.uid !== object.metadata.uid) remove(key);
    objects.set(key, object);
    tell(key, object);
  }

  function remove(key: string): void {
    if (objects.delete(key)) tell(key, undefined);
  }

  return {
    get: (key) => objects.get(key),
    values: () => objects.values(),
    prepare,
    merge(listed, version, seen) {
      // All that the list knows was told by now: what it has and the cache has not is gone, and would stay for ever if it came back.
      if (seen !== undefined && (compareResourceVersions(version, seen) ?? 1) <= 0) return;
      for (const each of listed) put(each);
    },
    replace(listed, version, seen) {
      const list = { resourceVersion: version };
      const isSetBack = seen !== undefined && isOlder(list, { resourceVersion: seen });
      const gone = new Set(objects.keys());
      for (const { key } of listed) gone.delete(key);
      for (const key of gone) if (isSetBack || !isOlder(list, objects.get(key)?.metadata)) remove(key);
      // A newer one that the list should know was never there: the server was set back, and has come further since.
      for (const each of listed) put(each, isSetBack || !isOlder(list, objects.get(each.key)?.metadata));
    },
    apply({ type, object }, seen) {
      const version = object.metadata.resourceVersion;
      // What has no place after what was seen would make all that comes later look new, replays too.
      if (version === undefined || (isOrdered(seen) && !isOrdered(version))) return seen;
      if (isOlder(object.metadata, { resourceVersion: seen })) return seen;
      if (type === "BOOKMARK") return version;
      if (type !== "DELETED") put(prepare(object));
      else if (!isOlder(object.metadata, objects.get(keyOf(object))?.metadata)) remove(keyOf(object));
      return version;
    },
  };
}

type Versioned = Pick<KubeObject["metadata"], "resourceVersion">;

/** A watch that goes on from what it saw last repeats what a list has shown since. */
function isOlder(metadata: Versioned, than: Versioned | undefined): boolean {
  if (metadata.resourceVersion === undefined || than?.resourceVersion === undefined) return false;
  return (compareResourceVersions(metadata.resourceVersion, than.resourceVersion) ?? 0) < 0;
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
