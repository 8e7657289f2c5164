import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isExpired, isInvalid, isLockedOut, isNotToBeSeen, KubeError } from "../client/kube-error.ts";
import type { Resource } from "../client/resource.ts";
import { listAll } from "./list-all.ts";
import { makeObjectCache, type ObjectCache } from "./object-cache.ts";

export interface ListWatchTimes {
  /** Silence on a watch after which it is started anew; bookmarks come about once a minute. */
  readonly idleMs: number;
  /** How long the server is asked to keep a watch open; up to half more at random. */
  readonly watchSeconds: number;
  /** Time between full lists, give or take a fifth: finds what a faulty watch did not tell. */
  readonly relistMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

const DEFAULT_TIMES: ListWatchTimes = {
  idleMs: 150_000,
  watchSeconds: 240,
  relistMs: 30 * 60_000,
  backoffBaseMs: 500,
  backoffMaxMs: 30_000,
};

/** A watch that ends normally sooner than this is trouble too: without a wait it would be opened again tens of times a second. */
const MIN_WATCH_MS = 1_000;
/** Of a list that was allowed before: it takes some seconds with the pauses in between. */
const MAX_REFUSALS = 4;
/** A server may ask for more patience than this, but does not get it. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface ListWatchOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource;
  /** undefined: all namespaces, over one watch; otherwise one watch each. */
  readonly namespaces: readonly string[] | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What is kept of an object; by default all but `metadata.managedFields`. */
  readonly trim?: (object: KubeObject) => T;
  /**
   * Told every change, in order, after the cache has it: `namespace/name` and the object, or undefined when it is gone. One that was
   * replaced by another of the same name is told as gone first. What it throws is logged.
   */
  readonly onChange: (key: string, object: T | undefined) => void;
  /** Told once for each namespace, when all that it has is in the cache and was told. */
  readonly onListed?: (namespace: string | undefined) => void;
  /** Told of each failure in a namespace, a watch that expired included. */
  readonly onFailure?: (namespace: string | undefined, error: Error) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly times?: Partial<ListWatchTimes>;
  /** In [0, 1), for the jitter. */
  readonly random?: () => number;
}

/**
 * A cache of objects kept right by lists and watches. It never gives up: failures of the server are logged and retried for ever, with
 * growing delays, and what happened meanwhile is found by the next list or by going on from the last seen resourceVersion.
 */
export interface ListWatch<T extends KubeObject> extends Service {
  /** Every namespace has been listed once. Stays true through later trouble: see `lastHeardMsAgo`. */
  readonly hasSynced: boolean;
  /** Resolves when `hasSynced`; rejects with `TH_KUBE_CLOSED` if it is stopped before. */
  synced(): Promise<void>;
  /**
   * Whatever the watches say: resolves once the cache has all objects that these label selectors (beside its own) select, none of them older
   * than this call. Tried for ever, as all else here, but a few times only where the API server refuses it (403, 404): a right may have been
   * taken away, or not be known yet after a start. Rejects with `TH_KUBE_CLOSED` when it is stopped.
   */
  catchUp(labelSelectors: readonly string[]): Promise<void>;
  /** Watches over new connections, from what was seen last: those at hand may be dead. */
  reconnect(): void;
  get(namespace: string, name: string): T | undefined;
  values(): Iterable<T>;
  /** Time since the server was last heard (list, event, bookmark, or a watch ended normally), of the namespace where it is longest. */
  lastHeardMsAgo(): number;
  /** How long ago the server first refused this watch (401, 403), where it has given nothing since; 0 while that is not so in each of the namespaces. */
  lockedOutMs(): number;
}

/** One namespace (or all) and how far it has been followed. */
interface Scope<T extends KubeObject> {
  readonly namespace: string | undefined;
  readonly cache: ObjectCache<T>;
  readonly logger: Logger;
  /** What the cache has is at least as new; undefined before the first list. */
  resourceVersion: string | undefined;
  /** No watch can go on from there any more. */
  mustList: boolean;
  relistAt: number;
  heardAt: number;
  /** When it was first refused since. */
  lockedOutAt: number | undefined;
  listed: boolean;
  /** Failures since the server was last of use. */
  failures: number;
  /** Breaks off the watch, or the wait for the next try. */
  interruption: AbortController;
}

export function makeListWatch<T extends KubeObject>(options: ListWatchOptions<T>): ListWatch<T> {
  const { client, resource, labelSelector, fieldSelector, clock = systemClock, random = Math.random } = options;
  const times = { ...DEFAULT_TIMES, ...options.times };
  const stopping = new AbortController();
  const trim = options.trim ?? (dropManagedFields as (object: KubeObject) => T);
  const waiting = new Set<{ resolve(): void; reject(error: Error): void }>();
  const names = options.namespaces === undefined ? [undefined] : [...new Set(options.namespaces)];
  const scopes = names.map((namespace) => makeScope(namespace));
  let loops: Promise<unknown> | undefined;

  function makeScope(namespace: string | undefined): Scope<T> {
    const logger = options.logger.child({ resource: resource.plural, namespace: namespace ?? "*" });
    const cache = makeObjectCache<T>({ trim, onChange: options.onChange, logger });
    return {
      ...{
        namespace,
        cache,
        logger,
        resourceVersion: undefined,
        mustList: true,
        relistAt: 0,
        heardAt: clock.monotonicMs(),
        lockedOutAt: undefined,
        listed: false,
        failures: 0,
      },
      interruption: new AbortController(),
    };
  }

  function hear(scope: Scope<T>): void {
    scope.heardAt = clock.monotonicMs();
    scope.lockedOutAt = undefined;
  }

  async function list(scope: Scope<T>): Promise<void> {
    const onPage = () => hear(scope);
    const query = { labelSelector, fieldSelector, signal: stopping.signal };
    const { items, resourceVersion } = await listAll(client, resource, scope.namespace, query, onPage, scope.cache.prepare);
    scope.cache.replace(items, resourceVersion, scope.resourceVersion);
    scope.resourceVersion = resourceVersion;
    scope.mustList = false;
    scope.relistAt = clock.monotonicMs() + times.relistMs * (0.8 + 0.4 * random());
    if (!scope.listed) {
      scope.listed = true;
      options.onListed?.(scope.namespace);
    }
    if (scopes.every((each) => each.listed)) settleWaiting((each) => each.resolve());
  }

  async function catchUpScope(scope: Scope<T>, only: string): Promise<void> {
    const query = { labelSelector: labelSelector ? `${labelSelector},${only}` : only, fieldSelector, signal: stopping.signal };
    for (let failures = 0, refusals = 0; ; failures += 1) {
      try {
        const { prepare, merge } = scope.cache;
        const { items, resourceVersion } = await listAll(client, resource, scope.namespace, query, () => hear(scope), prepare);
        merge(items, resourceVersion, scope.resourceVersion);
        return;
      } catch (thrown) {
        if (stopping.signal.aborted) throw stoppedError();
        const error = coerceError(thrown);
        if (isNotToBeSeen(error) && ++refusals >= MAX_REFUSALS) return;
        scope.logger.warn({ error: error.message }, "lists anew again after a failure");
      }
      await clock.sleep(backoffMs(failures, times.backoffBaseMs, times.backoffMaxMs, random()), stopping.signal).catch(() => {});
    }
  }

  /** Returns when the server ended the watch in the normal way. */
  async function watch(scope: Scope<T>, resourceVersion: string): Promise<void> {
    const timeoutSeconds = Math.ceil(times.watchSeconds * (1 + random() / 2));
    const signal = AbortSignal.any([stopping.signal, scope.interruption.signal]);
    const query = { labelSelector, fieldSelector, resourceVersion, timeoutSeconds, idleMs: times.idleMs, signal };
    for await (const event of client.watch<KubeObject>(resource, scope.namespace, query)) {
      hear(scope);
      scope.failures = 0;
      const seen = scope.resourceVersion ?? resourceVersion;
      scope.resourceVersion = scope.cache.apply(event, seen);
    }
    hear(scope);
  }

  /** Lists if that is due, then watches until the watch ends. Returns how long to wait before the next round. */
  async function round(scope: Scope<T>): Promise<number> {
    if (scope.mustList || clock.monotonicMs() >= scope.relistAt) await list(scope);
    const startedAt = clock.monotonicMs();
    await watch(scope, scope.resourceVersion ?? "");
    if (clock.monotonicMs() - startedAt >= MIN_WATCH_MS) {
      scope.failures = 0;
      return 0;
    }
    return nextDelayMs(scope, undefined);
  }

  function nextDelayMs(scope: Scope<T>, retryAfterMs: number | undefined): number {
    const delay = backoffMs(scope.failures, times.backoffBaseMs, times.backoffMaxMs, random());
    scope.failures += 1;
    // Not all clients that were sent away may come back in the same moment.
    return retryAfterMs === undefined ? delay : Math.max(delay, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) * (1 + random() / 4));
  }

  function afterFailure(scope: Scope<T>, thrown: unknown): number {
    const error = coerceError(thrown);
    const expired = isExpired(error);
    // A version that the server can't read comes of what was none of its own; with a new list there is another.
    if (expired || isInvalid(error)) scope.mustList = true;
    if (isLockedOut(error)) scope.lockedOutAt ??= clock.monotonicMs();
    const delayMs = nextDelayMs(scope, error instanceof KubeError ? error.retryAfterMs : undefined);
    const fields = { error: error.message, delayMs: Math.round(delayMs) };
    if (expired) scope.logger.info(fields, "lists again after the watch expired");
    else scope.logger.warn(fields, scope.listed ? "follows the cluster again after a failure" : "lists again after a failure");
    options.onFailure?.(scope.namespace, error);
    return delayMs;
  }

  async function follow(scope: Scope<T>): Promise<void> {
    while (!stopping.signal.aborted) {
      let delayMs: number;
      if (scope.interruption.signal.aborted) scope.interruption = new AbortController();
      const { signal: interrupted } = scope.interruption;
      try {
        delayMs = await round(scope);
      } catch (thrown) {
        if (stopping.signal.aborted) return;
        delayMs = interrupted.aborted ? 0 : afterFailure(scope, thrown);
      }
      if (delayMs > 0) await clock.sleep(delayMs, AbortSignal.any([stopping.signal, interrupted])).catch(() => {});
    }
  }

  function settleWaiting(settle: (each: { resolve(): void; reject(error: Error): void }) => void): void {
    for (const each of waiting) settle(each);
    waiting.clear();
  }

  const listWatch: ListWatch<T> = {
    async start() {
      if (loops !== undefined || stopping.signal.aborted) return;
      for (const scope of scopes) hear(scope);
      loops = Promise.all(scopes.map((scope) => follow(scope)));
    },
    async stop() {
      stopping.abort(stoppedError());
      settleWaiting((each) => each.reject(stoppedError()));
      await loops;
    },
    get hasSynced() {
      return scopes.every((scope) => scope.listed);
    },
    synced() {
      if (listWatch.hasSynced) return Promise.resolve();
      if (stopping.signal.aborted) return Promise.reject(stoppedError());
      return new Promise((resolve, reject) => waiting.add({ resolve, reject }));
    },
    async catchUp(labelSelectors) {
      if (stopping.signal.aborted) throw stoppedError();
      const listed = scopes.filter((scope) => scope.listed);
      await Promise.all(listed.flatMap((scope) => labelSelectors.map((only) => catchUpScope(scope, only))));
    },
    reconnect() {
      for (const scope of scopes) scope.interruption.abort();
    },
    get(namespace, name) {
      const scope = scopes.length === 1 ? scopes[0] : scopes.find((each) => each.namespace === namespace);
      return scope?.cache.get(`${namespace}/${name}`);
    },
    *values() {
      for (const scope of scopes) yield* scope.cache.values();
    },
    lastHeardMsAgo() {
      const now = clock.monotonicMs();
      return Math.max(0, ...scopes.map((scope) => now - scope.heardAt));
    },
    lockedOutMs() {
      const now = clock.monotonicMs();
      return Math.min(...scopes.map(({ lockedOutAt = now }) => now - lockedOutAt));
    },
  };
  return listWatch;

  function stoppedError(): KubeError {
    return new KubeError("TH_KUBE_CLOSED", `the watch of ${resource.plural} was stopped`);
  }
}

function dropManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject["metadata"] & { managedFields?: unknown };
  return { ...object, metadata };
}
