import type { KubeObject } from "../core/kubernetes-objects.ts";
import type { TestTaskStatus } from "../core/test-task-schema-status.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Service } from "../runtime/service.ts";
import type { KubeClient } from "./kube-client.ts";
import { isNotFound } from "./kube-error.ts";
import { makeListWatch } from "./list-watch.ts";
import { TEST_TASKS } from "./resource.ts";

export interface TestTaskObjectsOptions {
  client: KubeClient;
  namespaces: readonly string[];
  onChange(): void;
  clock: Clock;
  logger: Logger;
}

/** The TestTasks of the watched namespaces: a cache kept by a watch, and the write of their status. */
export class TestTaskObjects implements Service {
  readonly #client: KubeClient;
  readonly #tasks;

  constructor({ client, namespaces, onChange, clock, logger }: TestTaskObjectsOptions) {
    this.#client = client;
    this.#tasks = makeListWatch<KubeObject>({
      ...{ client, namespaces, clock, onChange, logger: logger.child({ watch: "testtasks" }) },
      resource: TEST_TASKS,
    });
  }

  start(): Promise<void> {
    return this.#tasks.start();
  }

  stop(): Promise<void> {
    return this.#tasks.stop();
  }

  synced(): Promise<void> {
    return this.#tasks.synced();
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
      await this.#client.mergePatch(TEST_TASKS, namespace, name, { status }, { subresource: "status", signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
