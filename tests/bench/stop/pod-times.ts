import { JOB_NAME_LABEL } from "../../../src/core/kubernetes/labels.ts";
import type { Pod } from "../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { PODS } from "../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";
import { type Moments, makeMoments } from "../moments.ts";

/** `running`: a container of it runs. `free`: it has ended or is gone, and the scheduler gives its place to others. */
type PodMoment = "running" | "free";

/** When the moments of Jobs' pods were seen by a watch of one's own, in milliseconds of `performance.now()`. */
export interface PodTimes extends AsyncDisposable, Pick<Moments<PodMoment>, "seen"> {}

/** Resolves when the watch has begun. */
export async function watchPodTimes(client: KubeClient, namespace: string): Promise<PodTimes> {
  const { note, seen } = makeMoments<PodMoment>();
  const jobOfPod = new Map<string, string>();
  const watch = makeListWatch<Pod>({
    client,
    resource: PODS,
    namespaces: [namespace],
    onChange(key, pod) {
      const jobName = pod?.metadata.labels?.[JOB_NAME_LABEL] ?? jobOfPod.get(key);
      if (jobName === undefined) return;
      jobOfPod.set(key, jobName);
      const { phase, containerStatuses = [] } = pod?.status ?? {};
      if (containerStatuses.some(({ state }) => state?.running)) note(jobName, "running");
      if (pod === undefined || phase === "Succeeded" || phase === "Failed") note(jobName, "free");
    },
    logger: makeLogger("error"),
  });
  await watch.start();
  await watch.synced();
  return {
    seen,
    [Symbol.asyncDispose]: () => watch.stop(),
  };
}
