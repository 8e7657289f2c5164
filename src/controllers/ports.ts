import type { Chance } from "../core/job/claim-clock.ts";
import type { ReviewedObject, TemplateReview } from "../core/job/template-review.ts";
import type { ContainerRoles } from "../core/kubernetes/container-roles.ts";
import type { Job, KubeEvent, Pod } from "../core/kubernetes/objects.ts";
import type { TestTaskEvent } from "../core/task-status/events.ts";
import type { TestTask } from "../core/test-task/test-task.ts";
import type { Verdict } from "../core/verdict/verdict.ts";
import type { Slot } from "../runtime/slot.ts";

/**
 * How creating a Job went; "full": a quota on Jobs is used up, and will have room again. Anything else that may go better later is thrown
 * instead, as an error with `retryable`.
 */
export type JobCreated = { kind: "created"; job: Job } | { kind: "exists" } | { kind: "refused" | "full"; message: string };

export interface AnnotateOptions {
  /** What the Job's `request` annotation must be for the write to take place. */
  request?: string | undefined;
  /** Whose uid it must be; another Job may have the name by now. */
  uid?: string | undefined;
  ttlSecondsAfterFinished?: number | undefined;
}

/** A function of a TestTask that cannot be carried out: `why` is a sentence that names the task, the field and the remedy. */
export interface RefusedFunction {
  taskKey: string;
  why: string;
}

/** What builds need of the TestTasks. A `taskKey` is `namespace/name`. */
export interface Tasks {
  /** The TestTask that serves a function now. */
  find(functionName: string): TestTask | undefined;
  /** Of a function that none serves: what is wrong with the one that names it. */
  refusalOf(functionName: string): RefusedFunction | undefined;
  /** Counts a build of this TestTask that runs already against its limits. */
  occupy(taskKey: string): Slot;
  /** Whether one more build of this TestTask may begin, by what limits it now beside the installation's places. */
  mayBegin(taskKey: string): boolean;
  /** Counts a build of this TestTask that was taken with this slot. What is returned stands for it. */
  count(taskKey: string, slot: Slot): Slot;
  /** A build of this TestTask ended as CONFIG_ERROR; `why` is a sentence for whoever keeps the task. */
  noteRefusal(taskKey: string, why: string): void;
  /** A build of this TestTask waits for room in a quota; `why` is in the quota's words. */
  noteWaiting(taskKey: string, why: string): void;
  /** A build of this TestTask has its verdict. */
  noteVerdict(taskKey: string, verdict: Verdict): void;
}

/** What builds need to know of the Gearman servers, each "host:port". */
export interface Servers {
  /** Whether a request for this function could reach us from it now; "open" for one that is configured no more. */
  chance(server: string, functionName: string): Chance;
  /** A build waits for its request from now on, see `Builds.isAwaited`. */
  reclaim(): void;
  /** Whether it hands a request out again whose link was lost; another one fails it, and Zuul asks anew. */
  handsOutAgain(server: string): boolean;
}

/** Whose word counts among the replicas of an installation. */
export interface ReplicaRoles {
  /** This one's name. */
  readonly name: string;
  /** Whether this one is the holder: it takes builds, and carries out those that no other replica answers for. */
  readonly isHolder: boolean;
  isAlive(replica: string): boolean;
}

/**
 * What builds need of the cluster. Every method may throw a `TurboHipsterError`; with `retryable` the same call may succeed later.
 * Objects that are gone are no error for `annotate`, `delete` and `end`.
 */
export interface BuildCluster {
  /**
   * The API server's clock, as its last answer told it and gone on with: what is compared with its stamps, whatever this machine's clock says.
   */
  now(): Date;
  createJob(job: Job): Promise<JobCreated>;
  getJob(namespace: string, name: string): Promise<Job | undefined>;
  /** Past the cache. */
  readPods(namespace: string, jobName: string): Promise<Pod[]>;
  /** Resolves with false, and writes nothing, when the Job is not the one that `options` say. */
  annotateJob(namespace: string, name: string, annotations: Record<string, string>, options?: AnnotateOptions): Promise<boolean>;
  /** With its pods; only the Job of this uid, not another one that has its name by now. */
  deleteJob(namespace: string, name: string, uid: string | undefined): Promise<void>;
  /** Lowers the pod's `activeDeadlineSeconds` so that the kubelet ends it: TERM, the grace, and the object stays. */
  endPod(namespace: string, name: string): Promise<void>;
  /** Its containers have a second; one of another uid stays. */
  deletePod(namespace: string, name: string, uid: string | undefined): Promise<void>;
  /** From the watch's cache. */
  cachedJob(namespace: string, name: string): Job | undefined;
  cachedPods(namespace: string, jobName: string): Pod[];
  cachedJobs(): Iterable<Job>;
  /** Those with the same request in their relaunch key (`isSameRelaunch`). */
  cachedJobsOf(relaunchKey: string): Job[];
  /** What a kubelet said when it began to end containers of this pod by itself. */
  killOf(pod: Pod, roles: ContainerRoles): string | undefined;
  /** The Events about the object of this uid, or about the claim of this name; past the cache. */
  readEvents(namespace: string, about: string): Promise<readonly KubeEvent[]>;
}

/** Goes through the logs of tests whose tasks have checks. */
export interface LogChecks {
  /** What the checks of this Job make of the verdict on its test, which ended with exit code 0. Rejects with the reason of `signal` alone. */
  check(job: Job, passed: Verdict, signal: AbortSignal): Promise<Verdict>;
}

/**
 * What a build spends its time with: `pending` until a kubelet has taken its pod, `preparing` until its test runs, `running` until that has
 * ended, `answer` from the verdict until its Gearman server has read the answer.
 */
export type BuildPhase = "pending" | "preparing" | "running" | "answer";

/** Told what becomes of builds, for those who count. No method may throw. */
export interface BuildObserver {
  noteVerdict(taskKey: string | undefined, verdictClass: Verdict["class"]): void;
  notePhase(phase: BuildPhase, ms: number): void;
  /** false: nobody asked for it any more. */
  noteAnswer(isDelivered: boolean): void;
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
