import { installationSelector } from "../../core/kubernetes/labels.ts";
import { type Lease, type LeaseSpec, leaseLabels } from "../../core/replicas/leadership.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import { makeDeadline } from "../client/deadline.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isAlreadyExists, isConflict, isNotFound, KubeError } from "../client/kube-error.ts";
import { LEASES } from "../client/resource.ts";
import { type ListWatch, makeListWatch } from "../watch/list-watch.ts";
import { compareResourceVersions } from "../watch/resource-version.ts";

/** A renewal that hangs must leave time for others. */
const CALL_DEADLINE_MS = 2_000;
/** The replica's own Lease alone changes every 5 s: a watch that says nothing for so long is dead. */
const IDLE_MS = 20_000;
const MAX_BACKOFF_MS = 5_000;

interface LeaseObjectsOptions {
  client: KubeClient;
  namespace: string;
  installation: string;
  clock: Clock;
  logger: Logger;
}

/** What a call has said of one Lease, until the watch says something newer. */
interface Answer {
  /** undefined: it was not there. */
  lease: Lease | undefined;
  /** The watch's version when there was none. */
  basis: string | undefined;
}

/**
 * The Leases of an installation. What is cached is the newest that the watch or a call's answer has told. Every call ends within 2 s;
 * it rejects with a `KubeError` where the API server has not answered or refuses, or with the signal's reason.
 */
export class LeaseObjects implements Service {
  readonly #options: LeaseObjectsOptions;
  readonly #stopping = new AbortController();
  readonly #watch: ListWatch<Lease>;
  readonly #answers = new Map<string, Answer>();
  readonly #listeners = new Set<(name: string | undefined) => void>();

  constructor(options: LeaseObjectsOptions) {
    const { client, namespace, installation, clock, logger } = options;
    this.#options = options;
    this.#watch = makeListWatch<Lease>({
      ...{ client, namespaces: [namespace], clock, logger: logger.child({ watch: "leases" }), resource: LEASES },
      labelSelector: installationSelector(installation),
      times: { idleMs: IDLE_MS, backoffMaxMs: MAX_BACKOFF_MS },
      onChange: (key, lease) => this.#noteWatched(key.slice(key.indexOf("/") + 1), lease),
    });
  }

  async start(): Promise<void> {
    await this.#watch.start();
    this.#watch.synced().then(
      () => this.#tell(undefined),
      () => {},
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new KubeError("TH_KUBE_CLOSED", "the operator stops"));
    await this.#watch.stop();
  }

  get hasSynced(): boolean {
    return this.#watch.hasSynced;
  }

  lastHeardMsAgo(): number {
    return this.#watch.lastHeardMsAgo();
  }

  /** Told the name of each Lease that the watch has seen change; undefined when all are known. Returns what unsubscribes. */
  onChange(listener: (name: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** undefined: nothing is known of it yet; null: there is none. */
  cached(name: string): Lease | null | undefined {
    const watched = this.#watched(name);
    const answer = this.#answers.get(name);
    if (answer !== undefined) return answer.lease ?? null;
    return watched ?? (this.hasSynced ? null : undefined);
  }

  *cachedAll(): Iterable<Lease> {
    const names = new Set(this.#answers.keys());
    for (const { metadata } of this.#watch.values()) names.add(metadata.name);
    for (const name of names) {
      const lease = this.cached(name);
      if (lease) yield lease;
    }
  }

  /** Past the cache. */
  async get(name: string, signal: AbortSignal): Promise<Lease | undefined> {
    const basis = this.#watched(name)?.metadata.resourceVersion;
    const lease = await this.#call(signal, async (call) => {
      try {
        return await this.#options.client.get<Lease>(LEASES, this.#options.namespace, name, call);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
    if (lease) this.#noteAnswer(lease);
    else this.#noteGone(name, basis);
    return lease && trim(lease);
  }

  /** undefined: there is one already. */
  async create(name: string, spec: LeaseSpec, signal: AbortSignal): Promise<Lease | undefined> {
    const { client, namespace, installation } = this.#options;
    const metadata = { name, labels: leaseLabels(installation) };
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    try {
      return this.#noteAnswer(await this.#call(signal, (call) => client.create<Lease>(LEASES, namespace, body, call)));
    } catch (error) {
      if (isAlreadyExists(error)) return undefined;
      throw error;
    }
  }

  /** Writes the spec, and the labels again, if it is as in `lease`; undefined: it is not. */
  async update({ metadata: { name, resourceVersion } }: Lease, spec: LeaseSpec, signal: AbortSignal): Promise<Lease | undefined> {
    const { client, namespace, installation } = this.#options;
    const patch = { metadata: { resourceVersion, labels: leaseLabels(installation) }, spec };
    try {
      return this.#noteAnswer(await this.#call(signal, (call) => client.mergePatch<Lease>(LEASES, namespace, name, patch, call)));
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Deletes this very object; another one of its name stays. */
  async delete({ metadata: { name, uid } }: Lease, signal: AbortSignal): Promise<void> {
    const basis = this.#watched(name)?.metadata.resourceVersion;
    const { client, namespace } = this.#options;
    try {
      await this.#call(signal, (call) => client.delete(LEASES, namespace, name, { propagationPolicy: "Background", uid, ...call }));
      this.#noteGone(name, basis);
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }

  #watched(name: string): Lease | undefined {
    return this.#watch.get(this.#options.namespace, name);
  }

  #noteWatched(name: string, lease: Lease | undefined): void {
    const answer = this.#answers.get(name);
    const isOlder = lease !== undefined && answer?.lease !== undefined && isNewer(answer.lease, lease);
    if (!isOlder) this.#answers.delete(name);
    this.#tell(name);
  }

  #noteAnswer(full: Lease): Lease {
    const lease = trim(full);
    const { name } = lease.metadata;
    const known = this.#answers.get(name)?.lease ?? this.#watched(name);
    if (known === undefined || isNewer(lease, known)) this.#answers.set(name, { lease, basis: undefined });
    return lease;
  }

  /** The answer may be older than what the watch has told meanwhile. */
  #noteGone(name: string, basis: string | undefined): void {
    if (this.#watched(name)?.metadata.resourceVersion !== basis) return;
    if (basis === undefined && this.hasSynced) this.#answers.delete(name);
    else this.#answers.set(name, { lease: undefined, basis });
  }

  #tell(name: string | undefined): void {
    for (const listener of this.#listeners) {
      try {
        listener(name);
      } catch (thrown) {
        this.#options.logger.error({ lease: name, error: coerceError(thrown).stack }, "caught what a change handler threw");
      }
    }
  }

  async #call<T>(signal: AbortSignal, send: (options: { signal: AbortSignal }) => Promise<T>): Promise<T> {
    const deadline = makeDeadline(this.#options.clock, [signal, this.#stopping.signal]);
    deadline.extend(CALL_DEADLINE_MS, `the API server has not answered for a Lease within ${CALL_DEADLINE_MS} ms`);
    try {
      return await deadline.race(send({ signal: deadline.signal }));
    } finally {
      deadline.release();
    }
  }
}

/** Where it can't be told, what comes later is newer. */
function isNewer(lease: Lease, known: Lease): boolean {
  const order = compareResourceVersions(lease.metadata.resourceVersion ?? "", known.metadata.resourceVersion ?? "");
  return order === undefined || order > 0;
}

function trim({ metadata, spec }: Lease): Lease {
  const { name, namespace, uid, resourceVersion, labels } = metadata;
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
    },
    ...(spec === undefined ? {} : { spec }),
  };
}
