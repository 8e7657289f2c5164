import { TEST_TASK_KIND } from "../../core/test-task/test-task.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { KubeError } from "../client/kube-error.ts";
import { TEST_TASKS } from "../client/resource.ts";

/**
 * The schema of TestTasks as the API server publishes it, which whoever is let in may read (`system:discovery`), other than the definition
 * itself; undefined where it knows none. Rejects with a KubeError.
 */
export async function readServedDefinition(client: KubeClient, signal: AbortSignal): Promise<unknown> {
  try {
    const document = await client.openApi(TEST_TASKS, { signal });
    const { components } = document as { components?: { schemas?: Record<string, unknown> } };
    return Object.values(components?.schemas ?? {}).find(isTestTask);
  } catch (error) {
    // A group that is not there has a page of 404, and no Status.
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

function isTestTask(schema: unknown): boolean {
  const kinds = (schema as { "x-kubernetes-group-version-kind"?: unknown } | null)?.["x-kubernetes-group-version-kind"];
  return Array.isArray(kinds) && kinds.some((each) => each?.kind === TEST_TASK_KIND && each?.group === TEST_TASKS.group);
}
