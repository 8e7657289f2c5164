import { type ContainerRoles, initRole } from "../../core/kubernetes/container-roles.ts";
import type { KubeEvent, KubeObject, Pod } from "../../core/kubernetes/objects.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { EVENTS } from "../client/resource.ts";
import { makeListWatch } from "../watch/list-watch.ts";

/** `spec.containers{test}`, `spec.initContainers{checkout}` */
const FIELD_PATH = /^spec\.(containers|initContainers)\{(.+)\}$/;

/** The API server sends no bookmarks for Events: quiet watches are begun anew before they count as dead. */
const TIMES = { watchSeconds: 120, idleMs: 240_000 };

interface KillEventsOptions {
  client: KubeClient;
  /** undefined: all. */
  namespaces: readonly string[] | undefined;
  /** A kubelet has begun to end containers of this pod. */
  onKill(namespace: string, podName: string): void;
  clock: Clock;
  logger: Logger;
}

/**
 * Which pods a kubelet ends by itself. It says so before it sends TERM, and for a test that then exits 0 there is no other sign: an evicted
 * pod ends `Succeeded`, without reason or condition (seen with Kubernetes 1.36).
 */
export class KillEvents implements Service {
  readonly #events;
  /** Pod's uid -> key of an Event about it -> what that says. One container may have several, of which one is over before another. */
  readonly #byPod = new Map<string, Map<string, { path: string; message: string }>>();
  readonly #podOfEvent = new Map<string, string>();

  constructor({ client, namespaces, onKill, clock, logger }: KillEventsOptions) {
    this.#events = makeListWatch<KubeEvent>({
      ...{ client, namespaces, clock, logger: logger.child({ watch: "kills" }) },
      resource: EVENTS,
      fieldSelector: "involvedObject.kind=Pod,reason=Killing",
      times: TIMES,
      trim,
      onChange: (key, event) => {
        if (!event) return this.#forget(key);
        const { uid, name, namespace, fieldPath } = event.involvedObject ?? {};
        if (!uid || !fieldPath) return;
        const kills = this.#byPod.get(uid) ?? new Map<string, { path: string; message: string }>();
        kills.set(key, { path: fieldPath, message: event.message ?? "it gave no reason" });
        this.#byPod.set(uid, kills);
        this.#podOfEvent.set(key, uid);
        if (name && namespace) onKill(namespace, name);
      },
    });
  }

  async start(): Promise<void> {
    await this.#events.start();
  }

  async stop(): Promise<void> {
    await this.#events.stop();
  }

  async synced(): Promise<void> {
    await this.#events.synced();
  }

  lastHeardMsAgo(): number {
    return this.#events.lastHeardMsAgo();
  }

  /** What was said about the test's container, the checkout or an init container: services are ended after every test. */
  of({ metadata: { uid = "" } }: Pod, roles: ContainerRoles): string | undefined {
    for (const { path, message } of this.#byPod.get(uid)?.values() ?? []) {
      const [, kind, container = ""] = FIELD_PATH.exec(path) ?? [];
      if (kind === "containers" && container === roles.test) return message;
      if (kind === "initContainers" && ["checkout", "init"].includes(initRole(roles, container))) return message;
    }
    return undefined;
  }

  #forget(key: string): void {
    const uid = this.#podOfEvent.get(key) ?? "";
    this.#podOfEvent.delete(key);
    const kills = this.#byPod.get(uid);
    kills?.delete(key);
    if (kills?.size === 0) this.#byPod.delete(uid);
  }
}

function trim(object: KubeObject): KubeEvent {
  const { metadata, involvedObject, message } = object as KubeEvent;
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    metadata: { name, ...(namespace ? { namespace } : {}), ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) },
    ...(involvedObject ? { involvedObject } : {}),
    ...(message ? { message } : {}),
  };
}
