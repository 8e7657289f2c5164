import { JOB_NAME_LABEL } from "../../core/kubernetes/labels.ts";
import type { Pod } from "../../core/kubernetes/objects.ts";

/** Which pods are whose Job's. Keys are `namespace/name`. */
export class PodsByJob {
  readonly #podsOfJob = new Map<string, Map<string, Pod>>();
  readonly #jobOfPod = new Map<string, string>();

  podsOf(jobKey: string): Pod[] {
    return [...(this.#podsOfJob.get(jobKey)?.values() ?? [])];
  }

  jobOf(podKey: string): string | undefined {
    return this.#jobOfPod.get(podKey);
  }

  /** Takes a pod as it is now, undefined for one that is gone; returns the key of the Job whose pod it is, or was. */
  put(podKey: string, pod: Pod | undefined): string | undefined {
    const known = this.#jobOfPod.get(podKey);
    if (!pod) {
      this.#jobOfPod.delete(podKey);
      if (known) {
        const pods = this.#podsOfJob.get(known);
        pods?.delete(podKey);
        if (pods?.size === 0) this.#podsOfJob.delete(known);
      }
      return known;
    }
    const jobName = pod.metadata.labels?.[JOB_NAME_LABEL];
    if (!jobName) return undefined;
    const jobKey = `${pod.metadata.namespace}/${jobName}`;
    const pods = this.#podsOfJob.get(jobKey) ?? new Map<string, Pod>();
    pods.set(podKey, pod);
    this.#podsOfJob.set(jobKey, pods);
    this.#jobOfPod.set(podKey, jobKey);
    return jobKey;
  }
}
