import type { ServerResponse } from "node:http";
import { type LogEntry, LogReader } from "../logs/kubelet-log.ts";
import { breakConnection } from "./break-connection.ts";
import type { StoredObject } from "./resource-rules.ts";
import { badRequest, StatusError } from "./status-error.ts";

/** What containers wrote. A log exists from its first line; `end` is the container's end. */
export interface PodLogs {
  /** Whole lines, without newline. `at` is what `timestamps` shows. */
  append(namespace: string, pod: string, container: string, lines: readonly string[], at?: Date): void;
  write(namespace: string, pod: string, container: string, entries: readonly LogEntry[]): void;
  /** The kubelet begins a new file: who reads goes on, and who comes now finds what comes now. */
  rotate(namespace: string, pod: string, container: string): void;
  end(namespace: string, pod: string, container: string): void;
  /** The container is started again: its log until now is the previous one. */
  restart(namespace: string, pod: string, container: string): void;
  /** Breaks the connections of all followers. */
  cut(): void;
  /** Kubelets end: to the followers it looks as if their containers had ended. Until `startKubelets` nothing can be read. */
  stopKubelets(): void;
  /** They serve no pod until they have heard of it: `startKubelets(true)`. */
  startKubelets(knowPods: boolean): void;
  /** How many followers there are. */
  count(): number;
  serve(pod: StoredObject, query: URLSearchParams, response: ServerResponse): void;
}

interface ContainerLog {
  /** Of the file that is written now. */
  entries: LogEntry[];
  /** Of the run before. */
  previous: LogEntry[] | undefined;
  readonly followers: Set<(entry: LogEntry | undefined) => void>;
  ended: boolean;
}

export function makePodLogs(): PodLogs {
  const logs = new Map<string, ContainerLog>();
  const responses = new Set<ServerResponse>();
  let kubelets: "serve" | "stopped" | "know no pods" = "serve";

  function logOf(namespace: string, pod: string, container: string): ContainerLog {
    const key = `${namespace}/${pod}/${container}`;
    const log = logs.get(key) ?? { entries: [], previous: undefined, followers: new Set(), ended: false };
    logs.set(key, log);
    return log;
  }

  const write: PodLogs["write"] = (namespace, pod, container, entries) => {
    const log = logOf(namespace, pod, container);
    for (const entry of entries) {
      log.entries.push(entry);
      for (const follower of log.followers) follower(entry);
    }
  };

  return {
    append(namespace, pod, container, lines, at = new Date()) {
      const ns = BigInt(at.getTime()) * 1_000_000n;
      write(
        ...([namespace, pod, container] as const),
        lines.map((text) => ({ ns, content: Buffer.from(text), isPartial: false })),
      );
    },
    write,
    rotate(namespace, pod, container) {
      logOf(namespace, pod, container).entries = [];
    },
    end(namespace, pod, container) {
      const log = logOf(namespace, pod, container);
      log.ended = true;
      for (const follower of log.followers) follower(undefined);
    },
    restart(namespace, pod, container) {
      const log = logOf(namespace, pod, container);
      for (const follower of log.followers) follower(undefined);
      log.previous = log.entries;
      log.entries = [];
      log.ended = false;
    },
    cut() {
      for (const response of responses) breakConnection(response);
    },
    stopKubelets() {
      kubelets = "stopped";
      for (const response of responses) response.end();
    },
    startKubelets(knowPods) {
      kubelets = knowPods ? "serve" : "know no pods";
    },
    count: () => responses.size,
    serve(pod, query, response) {
      const container = checkContainer(pod, query.get("container"));
      if (!pod.spec?.nodeName) {
        // A surprise of the real server, pinned by the contract: no kubelet to ask, so an empty log.
        response.writeHead(200, { "content-type": "text/plain" }).end();
        return;
      }
      checkKubelet(kubelets, pod.metadata.name);
      const log = logOf(pod.metadata.namespace ?? "", pod.metadata.name, container);
      const isPrevious = query.get("previous") === "true";
      if (!isPrevious) checkStarted(pod, container);
      const all = isPrevious ? log.previous : log.entries;
      if (all === undefined) throw badRequest(`previous terminated container "${container}" in pod "${pod.metadata.name}" not found`);
      const reader = new LogReader({ sinceTime: query.get("sinceTime"), timestamps: query.get("timestamps") === "true" });
      const tail = query.get("tailLines") === null ? all.length : Number(query.get("tailLines"));
      const entries = all.slice(Math.max(0, all.length - tail));
      const limit = query.get("limitBytes") === null ? undefined : Number(query.get("limitBytes"));
      response.writeHead(200, { "content-type": "text/plain" });
      response.write(Buffer.concat(entries.map((entry) => reader.show(entry))).subarray(0, limit));
      if (query.get("follow") !== "true" || log.ended || isPrevious) {
        response.end();
        return;
      }
      response.flushHeaders();
      const follower = (entry: LogEntry | undefined) => void (entry === undefined ? response.end() : response.write(reader.show(entry)));
      log.followers.add(follower);
      responses.add(response);
      response.on("close", () => {
        log.followers.delete(follower);
        responses.delete(response);
      });
    },
  };
}

/** What the API server passes on of a kubelet that is away, or has just started and has not heard of its pods. */
function checkKubelet(kubelets: string, pod: string): void {
  if (kubelets === "stopped") throw new StatusError(500, "", "dial tcp 10.0.0.1:10250: connect: connection refused");
  if (kubelets === "serve") return;
  throw new StatusError(404, "NotFound", `the server could not find the requested resource ( pods/log ${pod})`, { kind: "pods/log" });
}

function checkContainer(pod: StoredObject, wanted: string | null): string {
  const { name } = pod.metadata;
  const names = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((container: { name: string }) => container.name);
  if (wanted === null && names.length > 1)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(" ")}]`);
  const container = wanted ?? String(names[0]);
  if (!names.includes(container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
  return container;
}

function checkStarted(pod: StoredObject, container: string): void {
  const { name } = pod.metadata;
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const state = statuses.find((status: { name: string }) => status.name === container)?.state;
  if (state?.running === undefined && state?.terminated === undefined) {
    throw badRequest(`container "${container}" in pod "${name}" is waiting to start: ${state?.waiting?.reason ?? "ContainerCreating"}`);
  }
}
