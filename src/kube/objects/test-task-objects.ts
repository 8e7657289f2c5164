import type { KubeObject } from "../../core/kubernetes/objects.ts";
import type { TestTaskStatus } from "../../core/test-task/schema/status.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import { renderPointer } from "../client/json-patch.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isNotFound, KubeError } from "../client/kube-error.ts";
import { TEST_TASKS } from "../client/resource.ts";
import { makeListWatch } from "../watch/list-watch.ts";
import type { ServedNamespaces } from "../watch/served-namespaces.ts";

interface TestTaskObjectsOptions {
  client: KubeClient;
  /** undefined: all. */
  namespaces: readonly string[] | undefined;
  /** Shared with the other watches that must have listed a namespace before it is known. */
  served?: ServedNamespaces;
  onChange(): void;
  clock: Clock;
  logger: Logger;
}

/** The TestTasks of the watched namespaces: a cache kept by a watch, and the write of their status. */
export class TestTaskObjects implements Service {
  readonly #client: KubeClient;
  readonly #tasks;
  readonly #served: ServedNamespaces | undefined;

  constructor({ client, namespaces, onChange, clock, logger, served }: TestTaskObjectsOptions) {
    this.#client = client;
    this.#served = served;
    this.#tasks = makeListWatch<KubeObject>({
      ...{ client, namespaces, clock, onChange, logger: logger.child({ watch: "testtasks" }) },
      ...served?.expect(TEST_TASKS.plural),
      resource: TEST_TASKS,
    });
  }

  start(): Promise<void> {
    return this.#tasks.start();
  }

  stop(): Promise<void> {
    this.#served?.close(new KubeError("TH_KUBE_CLOSED", "the operator stops"));
    return this.#tasks.stop();
  }

  /** Resolves when all are listed; with `served`, when every namespace is known, or refused and others are known. */
  synced(): Promise<void> {
    return this.#served?.begun() ?? this.#tasks.synced();
  }

  lastHeardMsAgo(): number {
    return this.#tasks.lastHeardMsAgo();
  }

  cachedTestTasks(): Iterable<KubeObject> {
    return this.#tasks.values();
  }

  /** Replaces the whole status; a TestTask that is gone is no error. @throws KubeError */
  async writeStatus(namespace: string, name: string, status: TestTaskStatus, signal: AbortSignal): Promise<void> {
    try {
      // Not a merge patch: that takes a result that is null for one to be removed.
      const operation = { op: "add", path: renderPointer("status"), value: status } as const;
      await this.#client.jsonPatch(TEST_TASKS, namespace, name, [operation], { subresource: "status", signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
