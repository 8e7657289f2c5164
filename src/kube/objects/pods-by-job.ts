import { JOB_NAME_LABEL } from "../../core/kubernetes/labels.ts";
import type { Pod } from "../../core/kubernetes/objects.ts";
import { Grouped } from "../../runtime/grouped.ts";

/** Which pods are whose Job's. Keys are `namespace/name`. */
export class PodsByJob {
  readonly #pods = new Grouped<Pod>();

  podsOf(jobKey: string): Pod[] {
    return this.#pods.of(jobKey);
  }

  jobOf(podKey: string): string | undefined {
    return this.#pods.groupOf(podKey);
  }

  /** Takes a pod as it is now, undefined for one that is gone; returns the key of the Job whose pod it is, or was. */
  put(podKey: string, pod: Pod | undefined): string | undefined {
    if (!pod) {
      const known = this.jobOf(podKey);
      this.#pods.remove(podKey);
      return known;
    }
    const jobName = pod.metadata.labels?.[JOB_NAME_LABEL];
    if (!jobName) return undefined;
    const jobKey = `${pod.metadata.namespace}/${jobName}`;
    this.#pods.put(podKey, jobKey, pod);
    return jobKey;
  }
}
