import type { ReviewedObject, TemplateReview } from "../core/job/template-review.ts";
import type { Job, KubeEvent, Pod } from "../core/kubernetes/objects.ts";
import type { TestTaskEvent } from "../core/task-status/events.ts";

/** A place in a bounded number of builds; releasing it twice is releasing it once. */
export interface Slot {
  release(): void;
}

/** One Gearman request that a server has assigned to us, as `gearman/` hands it over. */
export interface Assignment {
  readonly server: string;
  readonly functionName: string;
  readonly unique: string;
  readonly payload: Uint8Array;
  /** Its length on the wire; larger than the payload's when that was cut. */
  readonly payloadBytes: number;
  /** Reserved before the request was grabbed; the receiver releases it. */
  readonly slot: Slot;
  /** Aborts when the link that it came over is gone; whatever is sent after that goes nowhere. */
  readonly lost: AbortSignal;
  /** Aborts when nobody has waited for this build for a while, though the link is there. */
  readonly clientGone: AbortSignal;
  sendData(json: string): void;
  sendStatus(numerator: number, denominator: number): void;
  /** Resolves once the server is known to have read it, or the link was lost before that was known, or nobody waited for it any more. */
  complete(json: string): Promise<"delivered" | "lost">;
  fail(): Promise<"delivered" | "lost">;
}

/** How creating a Job went. Anything that may go better later is thrown instead, as an error with `retryable`. */
export type JobCreation = { kind: "created"; job: Job } | { kind: "exists" } | { kind: "refused"; message: string };

export interface AnnotateOptions {
  /** What the Job's `request` annotation must be for the write to take place. */
  request?: string;
  ttlSecondsAfterFinished?: number;
}

/** Whose word counts among the replicas of an installation. */
export interface ReplicaRoles {
  /** Whether this one is the holder: it takes builds, and carries out those that no other replica answers for. */
  readonly isHolder: boolean;
  isAlive(replica: string): boolean;
}

/**
 * What builds need of the cluster. Every method may throw a `TurboHipsterError`; with `retryable` the same call may succeed later.
 * Objects that are gone are no error for `annotate`, `delete` and `end`.
 */
export interface BuildCluster {
  createJob(job: Job): Promise<JobCreation>;
  getJob(namespace: string, name: string): Promise<Job | undefined>;
  /** Past the cache. */
  readPods(namespace: string, jobName: string): Promise<Pod[]>;
  /** Resolves with false, and writes nothing, when the Job's `request` annotation is not the one given. */
  annotateJob(namespace: string, name: string, annotations: Record<string, string>, options?: AnnotateOptions): Promise<boolean>;
  deleteJob(namespace: string, name: string): Promise<void>;
  /** Lowers the pod's `activeDeadlineSeconds` so that the kubelet ends it: TERM, the grace, and the object stays. */
  endPod(namespace: string, name: string): Promise<void>;
  /** From the watch's cache. */
  cachedJob(namespace: string, name: string): Job | undefined;
  cachedPods(namespace: string, jobName: string): Pod[];
  cachedJobs(): Iterable<Job>;
  /** What a kubelet said when it began to end containers of this pod by itself. */
  killOf(pod: Pod): string | undefined;
  /** The Events about one object, past the cache. */
  readEvents(namespace: string, uid: string): Promise<readonly KubeEvent[]>;
}

/** What would become of objects, asked by dry runs. Throws where the API server did not say. */
export interface TemplateReviewer {
  review(objects: readonly ReviewedObject[], signal: AbortSignal): Promise<TemplateReview>;
}

/** The TestTask that an event is about. */
export interface EventTarget {
  namespace: string;
  name: string;
  uid: string;
}

/** How often something has happened, and when first and last (RFC 3339). */
export interface EventTimes {
  count: number;
  first: string;
  last: string;
}

/** Where Events on TestTasks are written. Both methods may throw; `name` must be new, `repeat` tells false for an event that is gone. */
export interface EventWriter {
  create(name: string, task: EventTarget, event: TestTaskEvent, times: EventTimes, signal: AbortSignal): Promise<void>;
  repeat(namespace: string, name: string, times: EventTimes, signal: AbortSignal): Promise<boolean>;
}
