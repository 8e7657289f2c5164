import { JOB_NAME_LABEL } from "../../../src/core/kubernetes/labels.ts";
import type { Pod } from "../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { PODS } from "../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";
import { rejectOnAbort } from "../overhead/job-times.ts";

/** `running`: a container of it runs. `free`: it has ended or is gone, and the scheduler gives its place to others. */
type PodMoment = "running" | "free";

/** When the moments of Jobs' pods were seen by a watch of one's own, in milliseconds of `performance.now()`. */
export interface PodTimes extends AsyncDisposable {
  /** When it was seen, be that before the call or after. Rejects with the signal's reason. */
  seen(jobName: string, moment: PodMoment, signal: AbortSignal): Promise<number>;
}

/** Resolves when the watch has begun. */
export async function watchPodTimes(client: KubeClient, namespace: string): Promise<PodTimes> {
  const moments = new Map<string, PromiseWithResolvers<number>>();
  const jobOfPod = new Map<string, string>();
  const moment = (jobName: string, name: PodMoment): PromiseWithResolvers<number> => {
    const key = `${jobName}/${name}`;
    const known = moments.get(key) ?? Promise.withResolvers<number>();
    moments.set(key, known);
    return known;
  };
  const note = (jobName: string, name: PodMoment) => moment(jobName, name).resolve(performance.now());
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
    seen: (jobName, name, signal) => Promise.race([moment(jobName, name).promise, rejectOnAbort(signal)]),
    [Symbol.asyncDispose]: () => watch.stop(),
  };
}
