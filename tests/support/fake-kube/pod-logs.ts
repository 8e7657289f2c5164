import type { ServerResponse } from "node:http";
import { breakConnection } from "./break-connection.ts";
import type { StoredObject } from "./resource-rules.ts";
import { badRequest } from "./status-error.ts";

/** What containers wrote. A log exists from its first line; `end` is the container's end. */
export interface PodLogs {
  /** Whole lines, without newline. `at` is what `timestamps` shows. */
  append(namespace: string, pod: string, container: string, lines: readonly string[], at?: Date): void;
  end(namespace: string, pod: string, container: string): void;
  /** Breaks the connections of all followers. */
  cut(): void;
  /** How many followers there are. */
  count(): number;
  serve(pod: StoredObject, query: URLSearchParams, response: ServerResponse): void;
}

interface ContainerLog {
  readonly lines: { at: Date; text: string }[];
  readonly followers: Set<(line: { at: Date; text: string } | undefined) => void>;
  ended: boolean;
}

export function makePodLogs(): PodLogs {
  const logs = new Map<string, ContainerLog>();
  const responses = new Set<ServerResponse>();

  function logOf(namespace: string, pod: string, container: string): ContainerLog {
    const key = `${namespace}/${pod}/${container}`;
    const log = logs.get(key) ?? { lines: [], followers: new Set(), ended: false };
    logs.set(key, log);
    return log;
  }

  return {
    append(namespace, pod, container, lines, at = new Date()) {
      const log = logOf(namespace, pod, container);
      for (const text of lines) {
        const line = { at, text };
        log.lines.push(line);
        for (const follower of log.followers) follower(line);
      }
    },
    end(namespace, pod, container) {
      const log = logOf(namespace, pod, container);
      log.ended = true;
      for (const follower of log.followers) follower(undefined);
    },
    cut() {
      for (const response of responses) breakConnection(response);
    },
    count: () => responses.size,
    serve(pod, query, response) {
      const container = checkContainer(pod, query.get("container"));
      if (!pod.spec?.nodeName) {
        // A surprise of the real server, pinned by the contract: no kubelet to ask, so an empty log.
        response.writeHead(200, { "content-type": "text/plain" }).end();
        return;
      }
      checkStarted(pod, container);
      const log = logOf(pod.metadata.namespace ?? "", pod.metadata.name, container);
      const render = ({ at, text }: { at: Date; text: string }) =>
        query.get("timestamps") === "true" ? `${at.toISOString()} ${text}\n` : `${text}\n`;
      const since = query.get("sinceTime") === null ? 0 : Math.floor(Date.parse(query.get("sinceTime") ?? "") / 1000) * 1000;
      const tail = query.get("tailLines") === null ? log.lines.length : Number(query.get("tailLines"));
      const lines = log.lines.slice(Math.max(0, log.lines.length - tail)).filter(({ at }) => at.getTime() >= since);
      const limit = query.get("limitBytes") === null ? undefined : Number(query.get("limitBytes"));
      response.writeHead(200, { "content-type": "text/plain" });
      response.write(Buffer.from(lines.map(render).join("")).subarray(0, limit));
      if (query.get("follow") !== "true" || log.ended) {
        response.end();
        return;
      }
      response.flushHeaders();
      const follower = (line: { at: Date; text: string } | undefined) =>
        void (line === undefined ? response.end() : response.write(render(line)));
      log.followers.add(follower);
      responses.add(response);
      response.on("close", () => {
        log.followers.delete(follower);
        responses.delete(response);
      });
    },
  };
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
