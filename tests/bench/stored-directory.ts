import { STORED_ANNOTATION } from "../../src/core/kubernetes/labels.ts";
import type { Job } from "../../src/core/kubernetes/objects.ts";
import { JOBS } from "../../src/kube/client/resource.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { BenchCluster } from "./bench-cluster.ts";

const POLL_MS = 200;

/** Where in the store a build lies, once all of it does. Rejects with the signal's reason. */
export async function storedDirectory({ client, namespace }: BenchCluster, number: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const { metadata } = await client.get<Job>(JOBS, namespace, number, { signal });
    const text = metadata.annotations?.[STORED_ANNOTATION];
    if (text !== undefined) return (JSON.parse(text) as { directory: string }).directory;
    await systemClock.sleep(POLL_MS, signal);
  }
}
