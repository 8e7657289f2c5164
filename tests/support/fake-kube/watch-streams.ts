import type { ServerResponse } from "node:http";
import { breakConnection } from "./break-connection.ts";
import type { FakeStore, StoreChange } from "./fake-store.ts";
import type { ResourceRules, StoredObject } from "./resource-rules.ts";
import type { StatusError } from "./status-error.ts";

interface WatchRequest {
  readonly rules: ResourceRules;
  readonly namespace: string | undefined;
  readonly select: (object: StoredObject) => boolean;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number | undefined;
  readonly bookmarks: boolean;
}

/** The open watches, and what may be done to them. `plural` undefined means all. */
export interface WatchStreams {
  open(request: WatchRequest, response: ServerResponse): void;
  count(plural?: string): number;
  /** Resolves when the next open watch is closed, by whichever side. */
  closed(): Promise<void>;
  /** A bookmark on each. */
  bookmark(plural?: string): void;
  /** Ends them as the server does at timeoutSeconds. */
  end(plural?: string): void;
  /** Breaks their connections. */
  cut(plural?: string): void;
  /** They stay open and say nothing any more: what happens from now on is lost to them. */
  silence(plural?: string): void;
  /** Silent ones talk again; what happened meanwhile stays lost to them, as with a faulty server. */
  speak(plural?: string): void;
  /** Sends an ERROR event and ends them. */
  fail(error: StatusError, plural?: string): void;
  /** Sends a raw line. */
  write(line: string, plural?: string): void;
}

interface OpenWatch {
  readonly request: WatchRequest;
  readonly response: ServerResponse;
  silent: boolean;
}

export function makeWatchStreams(store: FakeStore): WatchStreams {
  const watches = new Set<OpenWatch>();
  const waiting = new Set<() => void>();

  function open(request: WatchRequest, response: ServerResponse): void {
    const watch: OpenWatch = { request, response, silent: false };
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    let missed: readonly StoreChange[];
    try {
      missed = store.changesSince(request.resourceVersion);
    } catch (error) {
      // The real server, too, answers 200 and says it in an event.
      send(watch, "ERROR", (error as StatusError).toStatus());
      response.end();
      return;
    }
    for (const change of missed) tell(watch, change);
    watches.add(watch);
    const timer = request.timeoutSeconds === undefined ? undefined : setTimeout(() => finish(watch), request.timeoutSeconds * 1000);
    response.on("close", () => {
      clearTimeout(timer);
      watches.delete(watch);
      for (const tell of waiting) tell();
      waiting.clear();
    });
  }

  function finish(watch: OpenWatch): void {
    bookmark(watch);
    watch.response.end();
  }

  function bookmark(watch: OpenWatch): void {
    if (!watch.request.bookmarks) return;
    const { kind, group, version } = watch.request.rules;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    send(watch, "BOOKMARK", { kind, apiVersion, metadata: { resourceVersion: String(store.version), creationTimestamp: null } });
  }

  store.subscribe((change) => {
    for (const watch of watches) tell(watch, change);
  });

  const chosen = (plural: string | undefined) =>
    [...watches].filter(({ request }) => plural === undefined || request.rules.plural === plural);

  return {
    open,
    count: (plural) => chosen(plural).length,
    closed: () => new Promise((resolve) => void waiting.add(resolve)),
    bookmark: (plural) => chosen(plural).forEach(bookmark),
    end: (plural) => chosen(plural).forEach(finish),
    cut(plural) {
      for (const { response } of chosen(plural)) breakConnection(response);
    },
    silence(plural) {
      for (const watch of chosen(plural)) watch.silent = true;
    },
    speak(plural) {
      for (const watch of chosen(plural)) watch.silent = false;
    },
    fail(error, plural) {
      for (const watch of chosen(plural)) {
        send(watch, "ERROR", error.toStatus());
        watch.response.end();
      }
    },
    write(line, plural) {
      for (const { response } of chosen(plural)) response.write(`${line}\n`);
    },
  };
}

/** An object that a selector no longer takes is told as deleted, with the version of the change. */
function tell(watch: OpenWatch, { rules, type, object, before }: StoreChange): void {
  const { request } = watch;
  if (rules.plural !== request.rules.plural || rules.group !== request.rules.group) return;
  if (request.namespace !== undefined && object.metadata.namespace !== request.namespace) return;
  const was = before !== undefined && request.select(before);
  const is = type !== "DELETED" && request.select(object);
  if (is) send(watch, was ? "MODIFIED" : "ADDED", object);
  else if (was) {
    const last =
      type === "DELETED" ? object : { ...before, metadata: { ...before.metadata, resourceVersion: object.metadata.resourceVersion } };
    send(watch, "DELETED", last);
  }
}

function send(watch: OpenWatch, type: string, object: object): void {
  if (!watch.silent) watch.response.write(`${JSON.stringify({ type, object })}\n`);
}
