import { JOB_NAME_LABEL } from "../../../src/core/kubernetes/labels.ts";
import type { Job, KubeObject, Pod } from "../../../src/core/kubernetes/objects.ts";
import { isJobOver } from "../../../src/core/observation/build-state.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { JOBS, PODS, type Resource } from "../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";

/** What happens to a Job, in this order. */
type JobMoment =
  /** The Job's ADDED event. */
  | "added"
  /** The first event that shows a container of its pod terminated. */
  | "terminated"
  /** The first event that shows the Job Complete or Failed. */
  | "finished";

/** When the moments of a namespace's Jobs were seen by a watch of one's own, in milliseconds of `performance.now()`. */
export interface JobTimes extends AsyncDisposable {
  /** When it was seen, be that before the call or after. Rejects with the signal's reason. */
  seen(jobName: string, moment: JobMoment, signal: AbortSignal): Promise<number>;
}

/** Resolves when both watches have begun. */
export async function watchJobTimes(client: KubeClient, namespace: string): Promise<JobTimes> {
  const moments = new Map<string, PromiseWithResolvers<number>>();
  const moment = (jobName: string, name: JobMoment): PromiseWithResolvers<number> => {
    const key = `${jobName}/${name}`;
    const known = moments.get(key) ?? Promise.withResolvers<number>();
    moments.set(key, known);
    return known;
  };
  const note = (jobName: string, name: JobMoment) => moment(jobName, name).resolve(performance.now());

  const follow = <T extends KubeObject>(resource: Resource, onObject: (object: T) => void) =>
    makeListWatch<T>({
      client,
      resource,
      namespaces: [namespace],
      onChange: (_, object) => object && onObject(object),
      logger: makeLogger("error"),
    });
  const watches = [
    follow<Job>(JOBS, (job) => {
      note(job.metadata.name, "added");
      if (isJobOver(job)) note(job.metadata.name, "finished");
    }),
    follow<Pod>(PODS, ({ metadata, status }) => {
      const jobName = metadata.labels?.[JOB_NAME_LABEL];
      if (jobName && status?.containerStatuses?.some(({ state }) => state?.terminated)) note(jobName, "terminated");
    }),
  ];
  const stop = async () => void (await Promise.all(watches.map((watch) => watch.stop())));
  try {
    await Promise.all(watches.map((watch) => watch.start()));
    await Promise.all(watches.map((watch) => watch.synced()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    seen: (jobName, name, signal) => Promise.race([moment(jobName, name).promise, rejectOnAbort(signal)]),
    [Symbol.asyncDispose]: stop,
  };
}

export function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
