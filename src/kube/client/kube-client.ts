import { type Clock, systemClock } from "../../runtime/clock.ts";
import type { JsonPatchOperation } from "./json-patch.ts";
import type { KubeConfigChoice } from "./kube-credentials.ts";
import { loadKubeCredentials } from "./kube-credentials.ts";
import { explainRefusedPatch, isNotFound, KubeError, parseStatus } from "./kube-error.ts";
import { type KubeCallObserver, type KubeTransport, makeKubeTransport, type Query } from "./kube-transport.ts";
import { withoutManagedFields } from "./managed-fields.ts";
import { type KubeList, type Resource, renderGroupPath } from "./resource.ts";
import { splitLines } from "./watch-lines.ts";

/**
 * What the answer to a write is to hold; default: the whole object. Only its metadata costs API server and reader less, and may come as the whole
 * object all the same (https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches).
 */
type Answer = "metadata";

const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

interface CreateOptions {
  /** Goes through admission and validation, stores nothing. */
  readonly dryRun?: boolean;
  /** What the server does with unknown fields; its own default is Warn. */
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict";
  readonly answer?: Answer;
  /** Called with each warning the server gives beside its answer. */
  readonly onWarning?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  /** `metadata.continue` of the page before. */
  readonly continue?: string | undefined;
  /** Without it the newest state is read; with it (and no match) one that is not older. */
  readonly resourceVersion?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface PatchOptions {
  readonly subresource?: "status";
  readonly dryRun?: boolean;
  readonly answer?: Answer;
  readonly signal?: AbortSignal;
}

interface DeleteOptions {
  readonly propagationPolicy: "Background" | "Foreground" | "Orphan";
  /** Delete only the object with this uid; another one under the name is a conflict. */
  readonly uid?: string | undefined;
  /** Of a pod's containers, from TERM to KILL; default: the pod's own. */
  readonly gracePeriodSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  /** Asks the server to end the watch normally after so long. */
  readonly timeoutSeconds?: number | undefined;
  /** Silence (no event, no bookmark) after which the connection counts as dead: `TH_KUBE_TIMEOUT`, and the next watch gets a new one. */
  readonly idleMs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  /** A BOOKMARK's has kind, apiVersion and metadata.resourceVersion only. */
  readonly object: T;
}

interface PodLogOptions {
  readonly container: string;
  readonly follow?: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly timestamps?: boolean;
  /** Of the container's run before this one: 400 where there is none. */
  readonly previous?: boolean;
  /** With `follow`: silence after which the connection counts as dead (`TH_KUBE_TIMEOUT`); without it none is too long. */
  readonly idleMs?: number;
  readonly signal: AbortSignal;
}

/**
 * The Kubernetes API, plain JSON in and out. Methods reject with a `KubeError` (see there for what may be retried; nothing is retried
 * here, but for a refused login after reading the credentials anew), with the signal's reason once it aborts, or with `TH_KUBE_NAME` for
 * names no path can hold. `namespace` undefined means all namespaces for list and watch, and is for resources without namespaces else.
 * Every answer has a deadline (`TH_KUBE_TIMEOUT`): the whole of it, or its start for watches and followed logs.
 */
export interface KubeClient {
  /**
   * The API server's clock: what its last answer was dated, and the time since. This machine's before the first answer, and where answers have
   * no date.
   */
  now(): Date;
  create<T>(resource: Resource, namespace: string | undefined, body: object, options?: CreateOptions): Promise<T>;
  get<T>(resource: Resource, namespace: string | undefined, name: string, options?: { signal?: AbortSignal }): Promise<T>;
  list<T>(resource: Resource, namespace: string | undefined, options?: ListOptions): Promise<KubeList<T>>;
  /** RFC 7386. With `metadata.resourceVersion` in the patch it succeeds on that version only, else it rejects with a conflict. */
  mergePatch<T>(resource: Resource, namespace: string | undefined, name: string, patch: object, options?: PatchOptions): Promise<T>;
  /**
   * RFC 6902: all operations or none. A `test` that fails rejects with `TH_KUBE_TEST_FAILED` (`isTestFailed`). Beyond the RFC, the server
   * takes the replacing of a missing key as adding it, and null as the test that a key is missing; parents must be there.
   */
  jsonPatch<T>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    operations: readonly JsonPatchOperation[],
    options?: PatchOptions,
  ): Promise<T>;
  /** Resolves as well if there is no such object. */
  delete(resource: Resource, namespace: string | undefined, name: string, options: DeleteOptions): Promise<void>;
  /**
   * Ends when the server ends it. Throws on everything else, an ERROR event included (410: `isExpired`). Of an object `metadata.managedFields`
   * is left out, where the API server writes it.
   */
  watch<T>(resource: Resource, namespace: string | undefined, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** Bytes as they come, to be iterated once; leaving the iteration closes the stream. An empty log for a pod that has no node yet. */
  podLog(namespace: string, pod: string, options: PodLogOptions): Promise<AsyncIterable<Buffer>>;
  /** The OpenAPI document of a group's version, which whoever is let in may read; 404 where the server knows nothing of it. */
  openApi(of: Pick<Resource, "group" | "version">, options?: { signal?: AbortSignal }): Promise<object>;
  /** For messages: `the API server https://... (context x of /path)`. */
  readonly label: string;
  /** Breaks what still runs; every later call rejects. */
  close(): Promise<void>;
}

export interface KubeClientOptions extends KubeConfigChoice {
  readonly clock?: Clock;
  /** Longest time a request may take, its body included. */
  readonly deadlineMs?: number;
  readonly onCall?: KubeCallObserver;
}

/** Reads the configuration (an `InputError` names file and remedy); the server is not asked anything yet. */
export async function loadKubeClient(options: KubeClientOptions = {}): Promise<KubeClient> {
  const credentials = await loadKubeCredentials(options);
  const transport = makeKubeTransport({
    credentials,
    clock: options.clock ?? systemClock,
    deadlineMs: options.deadlineMs ?? 30_000,
    onCall: options.onCall ?? (() => {}),
  });
  return makeKubeClient(transport);
}

function makeKubeClient(transport: KubeTransport): KubeClient {
  return {
    now: () => transport.now(),
    async create<T>(resource: Resource, namespace: string | undefined, body: object, options: CreateOptions = {}) {
      const query = { dryRun: options.dryRun ? "All" : undefined, fieldValidation: options.fieldValidation };
      const { signal, onWarning } = options;
      const call = { verb: "create" as const, resource, namespace, query, body, signal, onWarning };
      return (await transport.request({ ...call, ...acceptOf(options.answer) })) as T;
    },
    async get<T>(resource: Resource, namespace: string | undefined, name: string, options: { signal?: AbortSignal } = {}) {
      return (await transport.request({ verb: "get", resource, namespace, name, signal: options.signal })) as T;
    },
    async list<T>(resource: Resource, namespace: string | undefined, options: ListOptions = {}) {
      const { signal, ...query } = options;
      const answer = await transport.request({ verb: "list", resource, namespace, query: { ...query }, signal });
      const list = answer as { items?: unknown; metadata?: { resourceVersion?: unknown } };
      if (Array.isArray(list.items) && typeof list.metadata?.resourceVersion === "string") return answer as KubeList<T>;
      throw new KubeError("TH_KUBE_PROTOCOL", `list ${resource.plural}: the answer is no list`, { retryable: true });
    },
    async mergePatch<T>(resource: Resource, namespace: string | undefined, name: string, body: object, options: PatchOptions = {}) {
      const { subresource, signal } = options;
      const query = { dryRun: options.dryRun ? "All" : undefined };
      const call = { verb: "patch" as const, resource, namespace, name, subresource, query, body, signal };
      return (await transport.request({ ...call, ...acceptOf(options.answer) })) as T;
    },
    async jsonPatch<T>(
      resource: Resource,
      namespace: string | undefined,
      name: string,
      body: readonly JsonPatchOperation[],
      options: PatchOptions = {},
    ) {
      const { subresource, signal } = options;
      const query = { dryRun: options.dryRun ? "All" : undefined };
      const contentType = "application/json-patch+json";
      const call = { verb: "patch" as const, resource, namespace, name, subresource, query, body, contentType, signal };
      try {
        return (await transport.request({ ...call, ...acceptOf(options.answer) })) as T;
      } catch (error) {
        throw body.some(({ op }) => op === "test") ? explainRefusedPatch(error) : error;
      }
    },
    async delete(resource, namespace, name, { propagationPolicy, uid, gracePeriodSeconds, signal }) {
      const preconditions = uid === undefined ? {} : { preconditions: { uid } };
      const body = {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy,
        ...preconditions,
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      };
      try {
        await transport.request({ verb: "delete", resource, namespace, name, body, signal });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    watch: (resource, namespace, options) => watchEvents(transport, resource, namespace, options),
    async podLog(namespace, pod, { signal, follow, idleMs, ...rest }) {
      const query: Query = { ...rest, follow: follow === true ? true : undefined };
      const resource = { group: "", version: "v1", plural: "pods" };
      const call = { verb: "get" as const, resource, namespace, name: pod, subresource: "log", query, signal };
      const stream = await transport.open({ ...call, purpose: follow === true ? "log" : "request" }, transport.deadlineMs);
      return stream.chunks(follow === true ? idleMs : transport.deadlineMs);
    },
    async openApi({ group, version }, { signal } = {}) {
      return transport.request({ verb: "get", path: `/openapi/v3${renderGroupPath({ group, version })}`, signal });
    },
    label: transport.label,
    close: () => transport.close(),
  };
}

function acceptOf(answer: Answer | undefined): { accept?: string } {
  return answer === undefined ? {} : { accept: METADATA_ONLY };
}

async function* watchEvents<T>(
  transport: KubeTransport,
  resource: Resource,
  namespace: string | undefined,
  { signal, idleMs, ...rest }: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const query: Query = { ...rest, watch: true, allowWatchBookmarks: true };
  const stream = await transport.open({ verb: "watch", resource, namespace, query, signal, purpose: "watch" }, transport.deadlineMs);
  for await (const line of splitLines(stream.chunks(idleMs))) {
    const event = parseEvent(withoutManagedFields(line));
    if (event.type === "ERROR") {
      const code = (event.object as { code?: unknown } | null)?.code;
      throw parseStatus(`watch ${resource.plural}`, typeof code === "number" ? code : 500, event.object);
    }
    yield event as WatchEvent<T>;
  }
}

const isText = (value: unknown) => typeof value === "string" && value !== "";

const EVENT_TYPES = new Set<unknown>(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

function parseEvent(line: string): { type: string; object: unknown } {
  try {
    const event = JSON.parse(line) as { type?: unknown; object?: { metadata?: Record<string, unknown> | null } | null } | null;
    const { type, object } = event ?? {};
    if (EVENT_TYPES.has(type) && typeof object === "object" && object !== null) {
      const { name, resourceVersion } = object.metadata ?? {};
      const isNamed = type === "BOOKMARK" || isText(name);
      if (type === "ERROR" || (isNamed && isText(resourceVersion))) return { type: type as string, object };
    }
  } catch {
    // Said below, with the same words as for other nonsense.
  }
  throw new KubeError("TH_KUBE_PROTOCOL", `the watch sent what is no event: ${line.slice(0, 200)}`, { retryable: true });
}
