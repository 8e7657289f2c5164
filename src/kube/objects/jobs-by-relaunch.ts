import { launchOf, requestOf } from "../../core/job/relaunch.ts";
import { RELAUNCH_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { Grouped } from "../../runtime/grouped.ts";

/** Which Jobs are of the same request, as `relaunchKey` means it, and which of the same build: neither must cost a look at each Job that is kept. */
export class JobsByRelaunch {
  readonly #jobs = new Grouped<Job>();
  readonly #launches = new Grouped<Job>();

  of(relaunchKey: string): Job[] {
    return this.#jobs.of(requestOf(relaunchKey));
  }

  /** All launches of the build that this one is a launch of, see `launchOf`. */
  launchesOf(relaunchKey: string): Job[] {
    const launch = launchOf(relaunchKey);
    return launch === undefined ? [] : this.#launches.of(launch);
  }

  /** Takes a Job as it is now, undefined for one that is gone. Keys are `namespace/name`. */
  put(jobKey: string, job: Job | undefined): void {
    const relaunchKey = job?.metadata.annotations?.[RELAUNCH_ANNOTATION];
    if (job === undefined || relaunchKey === undefined) this.#jobs.remove(jobKey);
    else this.#jobs.put(jobKey, requestOf(relaunchKey), job);
    const launch = launchOf(relaunchKey ?? "");
    if (job === undefined || launch === undefined) this.#launches.remove(jobKey);
    else this.#launches.put(jobKey, launch, job);
  }
}
