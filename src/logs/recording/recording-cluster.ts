import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import type { LogSource } from "../follow/log-source.ts";

interface AnnotateOptions {
  uid: string | undefined;
  /** From the Job's end on; default: as it is. */
  ttlSecondsAfterFinished?: number;
}

/** What recordings need of the cluster. Every method but those of caches may reject; with `retryable` the same call may succeed later. */
export interface RecordingCluster {
  /** The API server's clock. */
  now(): Date;
  cachedJob(namespace: string, name: string): Job | undefined;
  cachedJobs(): Iterable<Job>;
  /** All launches of the build that this relaunch key is of. */
  cachedLaunchesOf(relaunchKey: string): Job[];
  cachedPods(namespace: string, jobName: string): Pod[];
  getJob(namespace: string, name: string): Promise<Job | undefined>;
  /** With all that they say. */
  readWholePods(namespace: string, jobName: string): Promise<Pod[]>;
  /** Resolves with false where there is another Job of that name. */
  annotateJob(namespace: string, name: string, annotations: Record<string, string>, options: AnnotateOptions): Promise<boolean>;
  /** Its containers have a second; one of another uid stays. That there is none is no error. */
  deletePod(namespace: string, name: string, uid: string | undefined): Promise<void>;
  /** By key; undefined where there is no such Secret, "refused" where it may not be read. */
  secretValues(namespace: string, name: string): Promise<ReadonlyMap<string, Uint8Array> | "refused" | undefined>;
  logSource(place: { namespace: string; pod: string; container: string }): LogSource;
}
