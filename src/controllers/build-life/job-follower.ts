import { datasetClaim } from "../../core/job/dataset-volume.ts";
import { readRoles } from "../../core/job/record.ts";
import type { ContainerRoles } from "../../core/kubernetes/container-roles.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import type { Masker } from "../../core/logs/masking.ts";
import type { BuildLimits } from "../../core/observation/build-limits.ts";
import {
  type BuildState,
  hasEnded,
  hasStarted,
  hasTestBegun,
  isJobOver,
  observeBuild,
  suspendedAfterStart,
} from "../../core/observation/build-state.ts";
import type { PodFacts } from "../../core/observation/pod-facts.ts";
import { ageMs, surelyRanMs } from "../../core/observation/run-time.ts";
import { type BuildAction, mustEndPod } from "../../core/verdict/build-decision.ts";
import { decideMasked } from "../../core/verdict/masked-decision.ts";
import type { EndRequest, Withdrawal } from "../../core/verdict/sighting.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { earliest, type Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster } from "../ports.ts";
import { type CreationOutcome, JobCreation } from "./job-creation.ts";
import { WaitingWatch } from "./waiting-watch.ts";

/** How long a Job that was created may be missing from the watch's cache before the API server is asked. */
const CACHE_LAG_MS = 30_000;

export interface JobFollowerOptions {
  cluster: BuildCluster;
  /** As rendered, or as found. */
  job: Job;
  roles: ContainerRoles;
  /** It is there already, from before this process. */
  isFound: boolean;
  /** See `JobCreation`. */
  isDelivered(job: Job): boolean;
  limits: BuildLimits;
  /** Of what the pod of the Job with this uid says; undefined while it is not known, or where nothing is kept. */
  maskerOf(jobUid: string | undefined): Masker | undefined;
  wakeup: Wakeup;
  clock: Clock;
  logger(): Logger;
  /** Its Job has reached a new state. */
  onState(): void;
  /** A quota on Jobs keeps it from being made. */
  onQuotaFull(): void;
  /** It, or its pod, begins to wait for room in a quota. */
  onWaiting(why: string): void;
}

/**
 * The life of one Job, from its creation until its build can be judged: look, observe, decide, act. Holds what this process has seen of it;
 * who wants the build, and what is said of it, is not known here.
 */
export class JobFollower {
  readonly #options: JobFollowerOptions;
  readonly #waiting: WaitingWatch;
  readonly #creation: JobCreation;
  readonly #namespace: string;
  #jobName: string;
  #roles: ContainerRoles;
  /** The Job as the API server had it when it was made or found. */
  #made: Job | undefined;
  #wasCached = false;
  #state: BuildState = { kind: "absent" };
  #stateSince: Date;
  #hasTestBegun = false;
  #ending: EndRequest | undefined;
  #endingSince: Date | undefined;
  #eventsInMs: number | undefined;

  constructor(options: JobFollowerOptions) {
    this.#options = options;
    const { cluster, job, isFound, isDelivered, limits, wakeup, clock, logger } = options;
    this.#namespace = job.metadata.namespace ?? "";
    this.#jobName = job.metadata.name;
    this.#roles = options.roles;
    this.#stateSince = clock.steadyNow();
    if (isFound) this.#made = job;
    this.#waiting = new WaitingWatch({
      ...{ clock, logger },
      readEvents: (uid) => cluster.readEvents(this.#namespace, uid),
      onRead: () => wakeup.wake(),
      onQuotaFull: options.onWaiting,
    });
    this.#creation = new JobCreation({
      ...{ cluster, job, isDelivered, logger: logger(), wakeup, clock, onQuotaFull: options.onQuotaFull },
      onWaiting: options.onWaiting,
      scheduleMs: limits.scheduleMs,
    });
  }

  get jobName(): string {
    return this.#jobName;
  }

  /** The Job as it was made or found; undefined while there is none. */
  get made(): Job | undefined {
    return this.#made;
  }

  /** True when a create failed without saying whether it took effect. */
  get mayExist(): boolean {
    return this.#creation.mayExist;
  }

  /** As the watch shows it; not one that had its name before, or has it by now: what that one says is another build's. */
  get cached(): Job | undefined {
    const job = this.#options.cluster.cachedJob(this.#namespace, this.#jobName);
    return job && !this.#isNamesake(job) ? job : undefined;
  }

  /** As of the last look. */
  get state(): BuildState {
    return this.#state;
  }

  get pod(): PodFacts | undefined {
    return "pod" in this.#state ? this.#state.pod : undefined;
  }

  /** Whether a kubelet has taken its pod, so that a deadline reaches it and there is a log. */
  get hasStarted(): boolean {
    return hasStarted(this.#state);
  }

  /** Containers of its pod may run on though the build is over. */
  get mustEndPod(): boolean {
    return mustEndPod(this.#state);
  }

  /** Creates the Job, or finds the one that is there. `mayGoOn` is asked before each try, see `JobCreation`. */
  async create(mayGoOn: () => Verdict | undefined | false, stopping: AbortSignal): Promise<CreationOutcome> {
    const { cluster } = this.#options;
    const outcome = await this.#creation.run(mayGoOn, stopping);
    if (outcome.kind === "created" || outcome.kind === "found") {
      this.#made = outcome.job;
      this.#jobName = outcome.job.metadata.name;
      if (outcome.kind === "found") {
        // It may have been made of the task as it was before.
        this.#roles = readRoles(outcome.job);
        this.#stateSince = this.#ago(ageMs(outcome.job.metadata.creationTimestamp, cluster.now()));
      }
    }
    return outcome;
  }

  /** Deletes the Job of a create that seemed to fail, after the build was answered without it. */
  deleteUnseen(): Promise<void> {
    return this.#creation.deleteUnseen();
  }

  /** As the caches show it now, for who only watches: nothing is remembered. */
  glance(): BuildState {
    return this.#observe(this.cached, this.#options.cluster.cachedPods(this.#namespace, this.#jobName));
  }

  /** What becomes of the build by what is seen of it in this state, though whoever carries it out may not have written that yet. */
  foresee(state: BuildState, withdrawn: Withdrawal | undefined): Verdict | undefined {
    const { limits, clock, cluster } = this.#options;
    if (state.kind === "absent") return undefined;
    // A Job that has succeeded had a pod that did: the watch of pods is behind.
    if (state.kind === "lost" && !state.pod && this.cached?.status?.succeeded) return undefined;
    const now = clock.steadyNow();
    const action = decideMasked({ state, withdrawn, since: now, clusterNow: cluster.now(), limits }, now, this.#masker);
    return action.kind === "finish" ? action.verdict : undefined;
  }

  /** Looks at Job and pod; may throw. */
  async observe(): Promise<void> {
    const { cluster, clock, isFound, logger, onState } = this.#options;
    const cached = this.cached;
    if (cached) this.#wasCached = true;
    const job = cached ?? (this.#wasCached ? undefined : this.#made);
    let observed = this.#observe(job, cluster.cachedPods(this.#namespace, this.#jobName));
    // The two watches do not run in step: the end of a Job may be known before that of its pod, which tells what it means.
    const isBehind = job && (isJobOver(job) ? !hasEnded(observed) : observed.kind === "lost" && !observed.pod);
    if (isBehind) observed = this.#observe(job, await cluster.readPods(this.#namespace, this.#jobName));
    const state = this.#withMemory(observed);
    if (hasTestBegun(state)) this.#hasTestBegun = true;
    if (state.kind !== this.#state.kind) {
      const ranBefore = isFound && this.#state.kind === "absent" && state.kind === "running";
      this.#stateSince = this.#ago(ranBefore ? surelyRanMs(state, cluster.now()) : 0);
      onState();
      logger().info({ state: state.kind, pod: "pod" in state ? state.pod?.name : undefined }, "build reached a new state");
    }
    this.#state = state;
    this.#endingSince = this.pod?.isEnding ? (this.#endingSince ?? clock.steadyNow()) : undefined;
  }

  /** Finds out why it waits, where Job and pod do not tell. */
  async observeTrouble(): Promise<void> {
    const { pod } = this;
    const uids = { job: this.#made?.metadata.uid, pod: pod?.uid, claim: pod && datasetClaim(pod.name) };
    this.#eventsInMs = await this.#waiting.observe(this.#state, this.#stateSince, uids);
  }

  /** What to do next by what was observed. */
  decide(withdrawn: Withdrawal | undefined): BuildAction {
    const { limits, clock, cluster } = this.#options;
    const { trouble, waitedFor } = this.#waiting;
    const seen = { state: this.#state, since: this.#stateSince, trouble, waitedFor, ending: this.#ending, endingSince: this.#endingSince };
    return decideMasked({ ...seen, withdrawn, limits, clusterNow: cluster.now() }, clock.steadyNow(), this.#masker);
  }

  /** Does what was decided; may throw. Returns when to look again though nothing changes; undefined: not before something does. */
  async act(action: Exclude<BuildAction, { kind: "finish" }>): Promise<number | undefined> {
    if (action.kind === "wait") return earliest(action.recheckInMs, this.#eventsInMs, this.#wasCached ? undefined : CACHE_LAG_MS);
    this.#ending = action.end;
    await this.#options.cluster.endPod(this.#namespace, action.pod);
    this.#options.logger().info({ pod: action.pod, why: action.end }, "ends the pod");
    // The patched pod comes back as an event; look again even if it does not.
    return CACHE_LAG_MS;
  }

  /** Asks the API server for a Job that the watch has not shown in time: it may have come and gone between two looks. May throw. */
  async isGone(): Promise<boolean> {
    const { clock, cluster } = this.#options;
    if (this.#wasCached || clock.steadyNow().getTime() - this.#stateSince.getTime() < CACHE_LAG_MS) return false;
    const found = await cluster.getJob(this.#namespace, this.#jobName);
    return found === undefined || this.#isNamesake(found);
  }

  /** So long before now, by the clock that is never set. */
  #ago(ms: number): Date {
    return new Date(this.#options.clock.steadyNow().getTime() - ms);
  }

  #observe(job: Job | undefined, pods: readonly Pod[]): BuildState {
    const { cluster } = this.#options;
    return observeBuild(job, pods, this.#roles, cluster.killOf.bind(cluster));
  }

  get #masker(): Masker | undefined {
    return this.#options.maskerOf((this.cached ?? this.#made)?.metadata.uid);
  }

  #isNamesake({ metadata: { uid } }: Job): boolean {
    const ours = this.#made?.metadata.uid;
    return ours !== undefined && ours !== uid;
  }

  /** What the objects do not tell any more. */
  #withMemory(observed: BuildState): BuildState {
    const gone = { isDeleted: true, isSuspended: false };
    if (observed.kind === "absent") return { kind: "lost", pod: this.pod, job: gone, reason: "the Job was deleted" };
    return observed.kind === "suspended" && this.#hasTestBegun ? suspendedAfterStart(this.pod) : observed;
  }
}
