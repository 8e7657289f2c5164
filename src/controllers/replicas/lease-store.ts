import type { Lease, LeaseSpec } from "../../core/replicas/leadership.ts";
import type { Clock } from "../../runtime/clock.ts";

/**
 * The Leases of an installation. Every call settles within 3 s, even if the API server says nothing, and rejects where it has not answered
 * or refuses, or with the signal's reason. What a call has answered is cached at once.
 */
export interface LeaseStore {
  /** All Leases have been seen once. */
  readonly hasSynced: boolean;
  /** The newest that is known. undefined: nothing is known of it yet; null: there is none. */
  cached(name: string): Lease | null | undefined;
  cachedAll(): Iterable<Lease>;
  /** Past the cache. */
  get(name: string, signal: AbortSignal): Promise<Lease | undefined>;
  /** undefined: there is one already. */
  create(name: string, spec: LeaseSpec, signal: AbortSignal): Promise<Lease | undefined>;
  /** undefined: it is not in this state any more. */
  update(lease: Lease, spec: LeaseSpec, signal: AbortSignal): Promise<Lease | undefined>;
  /** This very object only. */
  delete(lease: Lease, signal: AbortSignal): Promise<void>;
  /** Told the name of a Lease that was seen to change, undefined when all are known; returns what unsubscribes. */
  onChange(listener: (name: string | undefined) => void): () => void;
}

/** A store, and since when each of its calls has been answered. */
export interface ContactedLeases extends Omit<LeaseStore, "onChange"> {
  /** Infinity: the last one was not answered, or there was none. */
  readonly reachableSinceMs: number;
}

/** `onReachable` is called when a call was answered after one that was not. */
export function makeContactedLeases(store: LeaseStore, clock: Clock, onReachable: () => void): ContactedLeases {
  let reachableSinceMs = Number.POSITIVE_INFINITY;

  async function note<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      const answer = await call;
      if (reachableSinceMs === Number.POSITIVE_INFINITY) {
        reachableSinceMs = clock.monotonicMs();
        onReachable();
      }
      return answer;
    } catch (error) {
      if (!signal.aborted) reachableSinceMs = Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  return {
    get reachableSinceMs() {
      return reachableSinceMs;
    },
    get hasSynced() {
      return store.hasSynced;
    },
    cached: (name) => store.cached(name),
    cachedAll: () => store.cachedAll(),
    get: (name, signal) => note(store.get(name, signal), signal),
    create: (name, spec, signal) => note(store.create(name, spec, signal), signal),
    update: (lease, spec, signal) => note(store.update(lease, spec, signal), signal),
    delete: (lease, signal) => note(store.delete(lease, signal), signal),
  };
}

const TOLD_EVERY = 20;

/** An API server that is away is not told with each call. */
export function isWorthTelling(failuresBefore: number): boolean {
  return failuresBefore % TOLD_EVERY === 0;
}
