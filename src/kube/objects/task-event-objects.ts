import type { TestTaskEvent } from "../../core/task-status/events.ts";
import { TEST_TASK_API_VERSION, TEST_TASK_KIND } from "../../core/test-task/test-task.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isNotFound } from "../client/kube-error.ts";
import { EVENTS } from "../client/resource.ts";

const COMPONENT = "turbo-hipster";

/** Writes Events about TestTasks; the API server forgets them after a while (an hour, by default). */
export class TaskEventObjects {
  readonly #client: KubeClient;

  constructor({ client }: { client: KubeClient }) {
    this.#client = client;
  }

  /** `name` must be new. @throws KubeError */
  async create(
    name: string,
    task: { namespace: string; name: string; uid: string },
    event: TestTaskEvent,
    times: { count: number; first: string; last: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace } = task;
    const body = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { apiVersion: TEST_TASK_API_VERSION, kind: TEST_TASK_KIND, namespace, name: task.name, uid: task.uid },
      ...event,
      count: times.count,
      firstTimestamp: times.first,
      lastTimestamp: times.last,
      source: { component: COMPONENT },
    };
    await this.#client.create(EVENTS, namespace, body, { signal });
  }

  /** Says that it has happened again, `count` times in all; false when the event is forgotten. @throws KubeError */
  async repeat(namespace: string, name: string, times: { count: number; last: string }, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.mergePatch(EVENTS, namespace, name, { count: times.count, lastTimestamp: times.last }, { signal });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }
}
