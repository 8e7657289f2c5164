import { requestOf } from "../../core/job/relaunch.ts";
import { RELAUNCH_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";

/** Which Jobs are of the same request, as `relaunchKey` means it: a request must not cost a look at each Job that is kept. */
export class JobsByRelaunch {
  readonly #jobsOfRequest = new Map<string, Map<string, Job>>();
  readonly #requestOfJob = new Map<string, string>();

  of(relaunchKey: string): Job[] {
    return [...(this.#jobsOfRequest.get(requestOf(relaunchKey))?.values() ?? [])];
  }

  /** Takes a Job as it is now, undefined for one that is gone. Keys are `namespace/name`. */
  put(jobKey: string, job: Job | undefined): void {
    const key = job?.metadata.annotations?.[RELAUNCH_ANNOTATION];
    const request = key === undefined ? undefined : requestOf(key);
    const known = this.#requestOfJob.get(jobKey);
    if (known !== undefined && known !== request) this.#remove(jobKey, known);
    if (job === undefined || request === undefined) return;
    const jobs = this.#jobsOfRequest.get(request) ?? new Map<string, Job>();
    this.#jobsOfRequest.set(request, jobs.set(jobKey, job));
    this.#requestOfJob.set(jobKey, request);
  }

  #remove(jobKey: string, request: string): void {
    this.#requestOfJob.delete(jobKey);
    const jobs = this.#jobsOfRequest.get(request);
    jobs?.delete(jobKey);
    if (jobs?.size === 0) this.#jobsOfRequest.delete(request);
  }
}
