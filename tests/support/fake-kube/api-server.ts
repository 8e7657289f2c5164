import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { breakConnection } from "./break-connection.ts";
import type { DeleteRequest, FakeStore } from "./fake-store.ts";
import type { FakeCall, FaultEffect, FaultPlan } from "./fault-plan.ts";
import { openApiDocument } from "./open-api.ts";
import type { PodLogs } from "./pod-logs.ts";
import type { ResourceRules, StoredObject } from "./resource-rules.ts";
import { parseFieldSelector, parseLabelSelector } from "./selector.ts";
import { badRequest, expired, StatusError } from "./status-error.ts";
import type { WatchStreams } from "./watch-streams.ts";

interface ApiServerOptions {
  readonly store: FakeStore;
  readonly rules: readonly ResourceRules[];
  readonly watches: WatchStreams;
  readonly logs: PodLogs;
  readonly faults: FaultPlan;
  readonly version: string;
  /** 401 for everything else, when given. */
  readonly isAuthorized: (authorization: string | undefined) => boolean;
  /** Told when a call arrives and when it is answered. */
  readonly onCall: (call: FakeCall, event: "arrived" | "answered") => void;
}

/** What a path and method ask for. */
interface Target {
  readonly verb: string;
  readonly rules: ResourceRules;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** The API server knows nothing of the path: the one refusal for which it has no Status. */
class NoSuchPath extends Error {}

/** The HTTP side: paths, verbs and parameters to the store, faults between. */
export function makeApiServer(options: ApiServerOptions): RequestListener {
  const { store, watches, logs, faults } = options;
  const pages = new Map<string, { items: StoredObject[]; version: number }>();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const body = await readBody(request);
    const target = parseTarget(options.rules, request.method ?? "GET", url);
    const call = describe(target, url, body, request);
    options.onCall(call, "arrived");
    const effect = faults.take(call);
    if (effect !== undefined && (await strike(effect, response))) {
      call.code = response.writableEnded ? response.statusCode : 0;
      options.onCall(call, "answered");
      return;
    }
    if (!options.isAuthorized(request.headers.authorization)) {
      throw answerLater(call, new StatusError(401, "Unauthorized", "Unauthorized"));
    }
    try {
      const answer = target === undefined ? serveOther(url) : serve(target, url.searchParams, body, request, response);
      call.code = answer?.code ?? 200;
      if (answer !== undefined) finish(response, answer.code, answer.body, effect);
    } catch (error) {
      throw answerLater(call, error);
    }
    options.onCall(call, "answered");
  }

  function answerLater(call: FakeCall, error: unknown): unknown {
    call.code = error instanceof StatusError ? error.code : error instanceof NoSuchPath ? 404 : 500;
    options.onCall(call, "answered");
    return error;
  }

  function serveOther(url: URL): { code: number; body: object } {
    if (url.pathname === "/version") return { code: 200, body: { major: "1", minor: "36", gitVersion: options.version } };
    const document = openApiDocument(options.rules, url.pathname);
    if (document) return { code: 200, body: document };
    throw new NoSuchPath();
  }

  /** undefined: the answer is a stream and has begun. */
  function serve(
    target: Target,
    query: URLSearchParams,
    body: unknown,
    request: IncomingMessage,
    response: ServerResponse,
  ): { code: number; body: object } | undefined {
    const { rules, namespace, name = "" } = target;
    const dryRun = query.get("dryRun") === "All";
    switch (target.verb) {
      case "create":
        if (rules.answer) return { code: 201, body: rules.answer(body as StoredObject) };
        return { code: 201, body: asAsked(request, store.create(rules, namespace, body as StoredObject, dryRun)) };
      case "get":
        if (target.subresource !== "log") return { code: 200, body: store.get(rules, namespace, name) };
        logs.serve(store.get(rules, namespace, name), query, response);
        return undefined;
      case "list":
        return { code: 200, body: list(target, query) };
      case "watch":
        watches.open(parseWatch(target, query), response);
        return undefined;
      case "patch":
        if (request.headers["content-type"] !== (Array.isArray(body) ? "application/json-patch+json" : "application/merge-patch+json")) {
          throw new StatusError(415, "UnsupportedMediaType", "the fake takes merge patches and JSON patches only");
        }
        return {
          code: 200,
          body: asAsked(request, store.patch(rules, namespace, name, body as object, target.subresource as "status" | undefined, dryRun)),
        };
      case "delete":
        return { code: 200, body: store.delete(rules, namespace, name, (body ?? {}) as DeleteRequest) };
      default:
        throw new StatusError(405, "MethodNotAllowed", `the fake has no ${target.verb}`);
    }
  }

  function list({ rules, namespace }: Target, query: URLSearchParams): object {
    const version = query.get("resourceVersion");
    if (version !== null && version !== "0") store.checkVersion(version);
    const limit = query.get("limit") === null ? Number.POSITIVE_INFINITY : Number(query.get("limit"));
    const token = query.get("continue");
    const page =
      token === null ? { items: store.list(rules, namespace).filter(parseSelect(query)), version: store.version } : pages.get(token);
    if (page === undefined || page.version < store.compactedAt) throw expired();
    const rest = page.items.slice(limit);
    const next = rest.length === 0 ? undefined : `page-${pages.size + 1}`;
    if (next !== undefined) pages.set(next, { items: rest, version: page.version });
    return {
      kind: `${rules.kind}List`,
      apiVersion: rules.group === "" ? rules.version : `${rules.group}/${rules.version}`,
      metadata: {
        resourceVersion: String(page.version),
        ...(next === undefined ? {} : { continue: next, remainingItemCount: rest.length }),
      },
      items: page.items.slice(0, limit).map((item) => (rules.isBuiltIn ? withoutKind(item) : item)),
    };
  }

  return (request, response) => {
    response.on("error", () => {});
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) breakConnection(response);
      else if (error instanceof NoSuchPath) response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
      else if (error instanceof StatusError) finish(response, error.code, error.toStatus(), undefined);
      else finish(response, 500, new StatusError(500, "InternalError", String(error)).toStatus(), undefined);
    });
  };
}

/** The answer to a write in the form that the client accepts. */
function asAsked(request: IncomingMessage, { metadata, ...rest }: StoredObject): object {
  if (!request.headers.accept?.includes("as=PartialObjectMetadata")) return { ...rest, metadata };
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}

/** Returns true when there is nothing more to be done for this call. */
async function strike(effect: FaultEffect, response: ServerResponse): Promise<boolean> {
  switch (effect.kind) {
    case "status": {
      if (effect.retryAfterSeconds !== undefined) response.setHeader("retry-after", String(effect.retryAfterSeconds));
      const reason = effect.reason ?? (effect.code === 429 ? "TooManyRequests" : "InternalError");
      const message = effect.message ?? "the fake was told to fail";
      finish(response, effect.code, new StatusError(effect.code, reason, message, effect.details).toStatus(), undefined);
      return true;
    }
    case "page":
      response.writeHead(effect.code, { "content-type": "text/html" }).end(effect.text);
      return true;
    case "drop":
      if (effect.afterwards) return false;
      breakConnection(response);
      return true;
    case "hang":
      return true;
    case "delay":
      await effect.until;
      return false;
    case "garbage":
      response.writeHead(200, { "content-type": "application/json" }).end(effect.text);
      return true;
    case "truncate":
      return false;
  }
}

function finish(response: ServerResponse, code: number, body: object, effect: FaultEffect | undefined): void {
  if (effect?.kind === "drop") {
    breakConnection(response);
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(code, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  if (effect?.kind === "truncate") response.write(text.slice(0, text.length / 2), () => breakConnection(response));
  else response.end(text);
}

const PATH = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+)(?:\/(status|log))?)?$/;

function parseTarget(known: readonly ResourceRules[], method: string, url: URL): Target | undefined {
  const match = PATH.exec(url.pathname);
  if (match === null) return undefined;
  const [group = "", version, namespace, plural, name, subresource] = match
    .slice(1)
    .map((part) => (part === undefined ? part : decodeURIComponent(part)));
  const rules = known.find((each) => each.group === group && each.version === version && each.plural === plural);
  if (rules === undefined || (subresource === "status" && !rules.hasStatus)) return undefined;
  return { verb: verbOf(method, name, url.searchParams), rules, namespace, name, subresource };
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): string {
  if (method !== "GET") return { POST: "create", PATCH: "patch", DELETE: "delete", PUT: "update" }[method] ?? method;
  if (name !== undefined) return "get";
  return query.get("watch") === "true" ? "watch" : "list";
}

function describe(target: Target | undefined, url: URL, body: unknown, request: IncomingMessage): FakeCall {
  const resource = target === undefined ? url.pathname : [target.rules.plural, target.subresource].filter(Boolean).join("/");
  return {
    verb: target?.verb ?? "get",
    resource,
    namespace: target?.namespace,
    name: target?.name ?? (body as { metadata?: { name?: string } } | undefined)?.metadata?.name,
    query: url.searchParams,
    body,
    headers: request.headers,
    code: 0,
  };
}

function parseSelect(query: URLSearchParams): (object: StoredObject) => boolean {
  const byLabel = parseLabelSelector(query.get("labelSelector") ?? "");
  const fields = query.get("fieldSelector");
  const byField = fields === null ? () => true : parseFieldSelector(fields);
  return (object) => byLabel(object) && byField(object);
}

function parseWatch({ rules, namespace }: Target, query: URLSearchParams) {
  const resourceVersion = query.get("resourceVersion");
  if (resourceVersion === null || resourceVersion === "0") throw badRequest("the fake watches from a resourceVersion only");
  const timeout = query.get("timeoutSeconds");
  return {
    rules,
    namespace,
    select: parseSelect(query),
    resourceVersion,
    timeoutSeconds: timeout === null ? undefined : Number(timeout),
    bookmarks: query.get("allowWatchBookmarks") === "true",
  };
}

function withoutKind({ kind: _kind, apiVersion: _apiVersion, ...rest }: StoredObject): object {
  return rest;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (chunks.length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw badRequest("the body is no JSON");
  }
}
