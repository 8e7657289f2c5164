import { setImmediate } from "node:timers/promises";
import type { Dispatcher } from "undici";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError, TurboHipsterError } from "../../runtime/errors.ts";
import { type Deadline, makeDeadline } from "./deadline.ts";
import { makeDispatchers, type Purpose } from "./dispatchers.ts";
import type { KubeCredentials } from "./kube-credentials.ts";
import { KubeError, parseStatus } from "./kube-error.ts";
import { type Resource, renderPath, renderRbacResource } from "./resource.ts";

export type KubeVerb = "create" | "get" | "list" | "patch" | "delete" | "watch";

/** One finished call (for a watch or a log: one answered by the server). `code` is the HTTP status, 0 without an answer. */
export interface KubeCallReport {
  readonly verb: KubeVerb;
  /** As RBAC rules name it (`testtasks/status`); "" for a path that is no resource. */
  readonly resource: string;
  readonly code: number;
  readonly ms: number;
}

export type KubeCallObserver = (report: KubeCallReport) => void;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubeCall {
  readonly verb: KubeVerb;
  readonly resource?: Resource;
  /** Instead of a resource. */
  readonly path?: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
  readonly query?: Query;
  readonly body?: object;
  /** Of the body; JSON by default, a merge patch for the verb patch. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  readonly purpose?: Purpose;
  readonly onWarning?: ((text: string) => void) | undefined;
}

export interface KubeStream {
  /** The body; throws `TH_KUBE_TIMEOUT` after `idleMs` without a byte. To be iterated once, to the end or left: that frees the connection. */
  chunks(idleMs: number | undefined): AsyncIterable<Buffer>;
}

/** HTTP with the cluster's credentials: answers as JSON, failures as `KubeError`. */
export interface KubeTransport {
  /** See `KubeClient`. */
  now(): Date;
  /** See `KubeCredentials`. */
  readonly label: string;
  readonly deadlineMs: number;
  request(call: KubeCall): Promise<object>;
  /** Resolves with the answer's start, within `headersMs` if given. */
  open(call: KubeCall, headersMs: number | undefined): Promise<KubeStream>;
  close(): Promise<void>;
}

export interface KubeTransportOptions {
  readonly credentials: KubeCredentials;
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly onCall: KubeCallObserver;
}

/** A page of 500 Jobs with the largest parameters stays below; whatever is above must not take the memory. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** A refused login makes us read the credentials anew, but not on every request of a storm. */
const MIN_RELOAD_MS = 5_000;

const METHODS: Record<KubeVerb, Dispatcher.HttpMethod> = {
  create: "POST",
  get: "GET",
  list: "GET",
  watch: "GET",
  patch: "PATCH",
  delete: "DELETE",
};

export function makeKubeTransport({ credentials, clock, deadlineMs, onCall }: KubeTransportOptions): KubeTransport {
  const dispatchers = makeDispatchers(clock);
  const closing = new AbortController();
  let reloadedAt = Number.NEGATIVE_INFINITY;
  let reloads = 0;
  let dated: { dateMs: number; atMs: number } | undefined;

  async function send(call: KubeCall, deadline: Deadline): Promise<Dispatcher.ResponseData> {
    const access = await deadline.race(credentials.authenticate());
    const contentType = call.contentType ?? (call.verb === "patch" ? "application/merge-patch+json" : "application/json");
    const answer = dispatchers.pick(call.purpose ?? "request", access.connect).request({
      origin: credentials.origin,
      path: credentials.pathPrefix + renderTarget(call),
      method: METHODS[call.verb],
      headers: {
        accept: call.accept ?? "application/json",
        "user-agent": "turbo-hipster",
        ...(call.body === undefined ? {} : { "content-type": contentType }),
        ...access.headers,
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: deadline.signal,
    });
    // undici hears the signal only once it is connected, and a proxy may take minutes to say that it is not.
    const response = await deadline.race(answer);
    const dateMs = Date.parse(String(response.headers.date));
    // What is no answer may be a proxy's page, and dated by its clock.
    if (response.statusCode < 300 && !Number.isNaN(dateMs)) dated = { dateMs, atMs: clock.monotonicMs() };
    return response;
  }

  /** A login refused with credentials from memory may succeed with those that lie on the disk by now; nothing was done, so trying again is safe. */
  async function sendWithFreshCredentials(call: KubeCall, deadline: Deadline): Promise<Dispatcher.ResponseData> {
    const used = reloads;
    const response = await send(call, deadline);
    if (response.statusCode !== 401) return response;
    // Another call's refusal may have had them read anew meanwhile.
    if (reloads === used) {
      if (clock.monotonicMs() - reloadedAt < MIN_RELOAD_MS) return response;
      reloadCredentials();
    }
    await response.body.dump({ limit: MAX_BODY_BYTES, signal: deadline.signal });
    return send(call, deadline);
  }

  function reloadCredentials(): void {
    reloadedAt = clock.monotonicMs();
    reloads += 1;
    credentials.reload();
  }

  function explain(call: KubeCall, deadline: Deadline, thrown: unknown): Error {
    if (call.signal?.aborted) {
      // A caller's own deadline says the same of the connection as ours.
      if (call.signal.reason instanceof KubeError && call.signal.reason.code === "TH_KUBE_TIMEOUT")
        dispatchers.retire(call.purpose ?? "request");
      return coerceError(call.signal.reason);
    }
    if (closing.signal.aborted) return new KubeError("TH_KUBE_CLOSED", `${renderPlace(call)}: the Kubernetes client is closed`);
    // A deadline may mean a dead connection, which HTTP/2 would go on using.
    if (deadline.expired) dispatchers.retire(call.purpose ?? "request");
    const reason = deadline.expired ? deadline.signal.reason : thrown;
    if (reason instanceof TurboHipsterError) return reason;
    const error = explainNetworkError(renderPlace(call), credentials.label, coerceError(reason));
    if (error.code === "TH_KUBE_TLS" && clock.monotonicMs() - reloadedAt >= MIN_RELOAD_MS) reloadCredentials();
    return error;
  }

  async function open(call: KubeCall, headersMs: number | undefined): Promise<{ response: Dispatcher.ResponseData; deadline: Deadline }> {
    const startedAt = clock.monotonicMs();
    const deadline = makeDeadline(clock, [closing.signal, call.signal ?? []].flat());
    let code = 0;
    try {
      deadline.signal.throwIfAborted();
      deadline.extend(headersMs, `${renderPlace(call)}: no answer from ${credentials.label} within ${headersMs} ms`);
      const response = await sendWithFreshCredentials(call, deadline);
      code = response.statusCode;
      if (code >= 300) throw await readFailure(call, response);
      return { response, deadline };
    } catch (thrown) {
      deadline.release();
      throw explain(call, deadline, thrown);
    } finally {
      if (isStreaming(call) || code < 200 || code >= 300) report(call, code, startedAt);
    }
  }

  function report(call: KubeCall, code: number, startedAt: number): void {
    const resource = call.resource === undefined ? "" : renderRbacResource(call.resource, call.subresource);
    onCall({ verb: call.verb, resource, code, ms: clock.monotonicMs() - startedAt });
  }

  return {
    now: () => (dated ? new Date(dated.dateMs + clock.monotonicMs() - dated.atMs) : clock.now()),
    label: credentials.label,
    deadlineMs,
    async request(call) {
      const startedAt = clock.monotonicMs();
      const { response, deadline } = await open(call, deadlineMs);
      let code = 0;
      try {
        const text = await readText(response.body);
        code = response.statusCode;
        for (const warning of parseWarnings(response.headers.warning)) call.onWarning?.(warning);
        return parseJson(call, text);
      } catch (thrown) {
        throw explain(call, deadline, thrown);
      } finally {
        deadline.release();
        report(call, code, startedAt);
      }
    },
    async open(call, headersMs) {
      const { response, deadline } = await open(call, headersMs);
      // It may be read much later.
      deadline.extend(undefined, "");
      // Nobody listens to the body between the answer and its first reading.
      response.body.on("error", () => {});
      return { chunks: (idleMs) => readChunks(call, response, deadline, idleMs) };
    },
    async close() {
      closing.abort(new KubeError("TH_KUBE_CLOSED", "the Kubernetes client is closed"));
      // For streams that were let go of to end by themselves.
      await setImmediate();
      await dispatchers.close();
    },
  };

  async function* readChunks(call: KubeCall, response: Dispatcher.ResponseData, deadline: Deadline, idleMs: number | undefined) {
    const message = `${renderPlace(call)}: ${credentials.label} has been silent for ${idleMs} ms`;
    try {
      deadline.extend(idleMs, message);
      for await (const chunk of response.body) {
        deadline.extend(idleMs, message);
        yield chunk as Buffer;
      }
    } catch (thrown) {
      throw explain(call, deadline, thrown);
    } finally {
      deadline.release();
    }
  }
}

function isStreaming(call: KubeCall): boolean {
  return call.verb === "watch" || call.subresource === "log";
}

async function readFailure(call: KubeCall, response: Dispatcher.ResponseData): Promise<KubeError> {
  const text = await readText(response.body);
  const retryAfter = response.headers["retry-after"];
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page; its first words go into the message.
  }
  return parseStatus(renderPlace(call), response.statusCode, body, Array.isArray(retryAfter) ? retryAfter[0] : retryAfter);
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new KubeError("TH_KUBE_PROTOCOL", `the answer is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(call: KubeCall, text: string): object {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === "object" && answer !== null) return answer;
  } catch {
    // Said below, with the same words as for other nonsense.
  }
  throw new KubeError("TH_KUBE_PROTOCOL", `${renderPlace(call)}: the answer is no JSON object: ${text.slice(0, 200)}`, { retryable: true });
}

/** `299 - "text", 299 - "text"`, with backslash escapes in the text. */
function parseWarnings(header: string | string[] | undefined): string[] {
  const texts = [header ?? []]
    .flat()
    .join(", ")
    .matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return Array.from(texts, (match) => (match[1] ?? "").replaceAll(/\\(.)/g, "$1"));
}

function explainNetworkError(place: string, server: string, error: Error): KubeError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const options = { cause: error, retryable: true };
  if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|HOSTNAME_MISMATCH/.test(code)) {
    const message = `${place}: the certificate of ${server} is not accepted: ${error.message}; certificate-authority-data must hold what signed it`;
    return new KubeError("TH_KUBE_TLS", message, options);
  }
  return new KubeError("TH_KUBE_NETWORK", `${place}: the connection to ${server} failed: ${error.message || code}`, options);
}

function renderTarget(call: KubeCall): string {
  const path = call.resource === undefined ? (call.path ?? "/") : renderPath(call.resource, call);
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined && value !== "") query.set(name, String(value));
  return query.size === 0 ? path : `${path}?${query}`;
}

function renderPlace(call: KubeCall): string {
  if (call.resource === undefined) return `${call.verb} ${call.path ?? ""}`;
  const object = call.name ?? (call.body as { metadata?: { name?: string } } | undefined)?.metadata?.name;
  const place = [call.namespace, object].filter((part) => part !== undefined).join("/");
  return `${call.verb} ${renderRbacResource(call.resource, call.subresource)} ${place}`.trimEnd();
}
