import type { Job } from "../../src/core/kubernetes/objects.ts";
import { readStoredRecord } from "../../src/core/logs/stored-record.ts";
import { JOBS } from "../../src/kube/client/resource.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../src/runtime/errors.ts";
import type { BenchCluster } from "./bench-cluster.ts";

const POLL_MS = 200;

/** Where in the store a build lies, once all of it does. Rejects with the signal's reason, and where nothing of it could be stored. */
export async function awaitStored({ client, namespace }: BenchCluster, number: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const stored = readStoredRecord(await client.get<Job>(JOBS, namespace, number, { signal }));
    if (stored && "problem" in stored) throw new TurboHipsterError("TH_BENCH", `build ${number} is not stored: ${stored.problem}`);
    if (stored) return stored.directory;
    await systemClock.sleep(POLL_MS, signal);
  }
}
