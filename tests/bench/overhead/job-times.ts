import { CHECKOUT_CONTAINER } from "../../../src/core/kubernetes/container-roles.ts";
import { JOB_NAME_LABEL } from "../../../src/core/kubernetes/labels.ts";
import type { Job, KubeObject, Pod } from "../../../src/core/kubernetes/objects.ts";
import { isJobOver } from "../../../src/core/observation/build-state.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { JOBS, PODS, type Resource } from "../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";
import { type Moments, makeMoments } from "../moments.ts";

/** What happens to a Job, in this order. */
type JobMoment =
  /** The Job's ADDED event. */
  | "added"
  /** The first event that shows the init container `checkout` of its pod terminated. */
  | "checkedOut"
  /** The first event that shows a container of its pod running, or terminated already. */
  | "begun"
  /** The first event that shows a container of its pod terminated. */
  | "terminated"
  /** The first event that shows all of them terminated, sidecars too. */
  | "allTerminated"
  /** The first event that shows the Job Complete or Failed. */
  | "finished";

/** When the moments of a namespace's Jobs were seen by a watch of one's own, in milliseconds of `performance.now()`. */
export interface JobTimes extends AsyncDisposable, Pick<Moments<JobMoment>, "seen"> {}

/** Resolves when both watches have begun. */
export async function watchJobTimes(client: KubeClient, namespace: string): Promise<JobTimes> {
  const { note, seen } = makeMoments<JobMoment>();

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
    follow<Pod>(PODS, ({ metadata, status: { initContainerStatuses: inits = [], containerStatuses: own = [] } = {} }) => {
      const jobName = metadata.labels?.[JOB_NAME_LABEL];
      if (!jobName) return;
      if (inits.some(({ name, state }) => name === CHECKOUT_CONTAINER && state?.terminated)) note(jobName, "checkedOut");
      if (own.some(({ state }) => state?.running ?? state?.terminated)) note(jobName, "begun");
      if (own.some(({ state }) => state?.terminated)) note(jobName, "terminated");
      if (own.length > 0 && [...inits, ...own].every(({ state }) => state?.terminated)) note(jobName, "allTerminated");
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
    seen,
    [Symbol.asyncDispose]: stop,
  };
}
