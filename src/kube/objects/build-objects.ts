import type { ContainerRoles } from "../../core/kubernetes/container-roles.ts";
import { installationSelector, unrecordedSelectors } from "../../core/kubernetes/labels.ts";
import type { Job, KubeEvent, Pod } from "../../core/kubernetes/objects.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { KubeError } from "../client/kube-error.ts";
import { JOBS, PODS } from "../client/resource.ts";
import { makeListWatch } from "../watch/list-watch.ts";
import type { ServedNamespaces } from "../watch/served-namespaces.ts";
import { JobCalls } from "./job-calls.ts";
import { JobsByRelaunch } from "./jobs-by-relaunch.ts";
import { KillEvents } from "./kill-events.ts";
import { PodsByJob } from "./pods-by-job.ts";
import { trimJob, trimPod } from "./trimmed-objects.ts";
import { WarningEvents } from "./warning-events.ts";

/** How long the first list of Events is waited for. */
const KILLS_PATIENCE_MS = 5000;

interface BuildObjectsOptions {
  client: KubeClient;
  /** undefined: all. */
  namespaces: readonly string[] | undefined;
  installation: string;
  /** Shared with the other watches that must have listed a namespace before it is known. */
  served?: ServedNamespaces;
  /** A Job of this installation, or a pod of it, has changed. */
  onChange(namespace: string, jobName: string): void;
  clock: Clock;
  logger: Logger;
}

/** The Jobs and pods of an installation: a cache kept by two watches, and beside it the calls that builds make (`JobCalls`). */
export class BuildObjects implements Service {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #jobs;
  readonly #pods;
  readonly #kills: KillEvents;
  readonly #warnings: WarningEvents;
  readonly #served: ServedNamespaces | undefined;
  readonly #podsByJob = new PodsByJob();
  readonly #jobsByRelaunch = new JobsByRelaunch();
  readonly #calls: JobCalls;

  constructor(options: BuildObjectsOptions) {
    const { client, namespaces, installation, onChange, clock, logger } = options;
    const labelSelector = installationSelector(installation);
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#calls = new JobCalls({ client, labelSelector, signal: this.#stopping.signal });
    this.#warnings = new WarningEvents({ client, clock, signal: this.#stopping.signal });
    this.#served = options.served;
    this.#jobs = makeListWatch<Job>({
      ...{ client, namespaces, labelSelector, clock, logger: logger.child({ watch: "jobs" }) },
      ...options.served?.expect(JOBS.plural),
      resource: JOBS,
      trim: trimJob,
      onChange: (key, job) => {
        this.#jobsByRelaunch.put(key, job);
        onChange(...partsOf(key));
      },
    });
    this.#pods = makeListWatch<Pod>({
      ...{ client, namespaces, labelSelector, clock, logger: logger.child({ watch: "pods" }) },
      ...options.served?.expect(PODS.plural),
      resource: PODS,
      trim: trimPod,
      onChange: (key, pod) => {
        const jobKey = this.#podsByJob.put(key, pod);
        if (jobKey) onChange(...partsOf(jobKey));
      },
    });
    this.#served?.onKnown((namespace) => {
      for (const { metadata } of this.#jobs.values()) {
        const { namespace: place = "", name } = metadata;
        if (namespace === undefined || place === namespace) this.#tell(onChange, place, name);
      }
    });
    this.#kills = new KillEvents({
      ...{ client, namespaces, clock, logger },
      onKill: (namespace, podName) => {
        const jobKey = this.#podsByJob.jobOf(`${namespace}/${podName}`);
        if (jobKey) onChange(...partsOf(jobKey));
      },
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#jobs.start(), this.#pods.start(), this.#kills.start()]);
  }

  /** Breaks what still runs: whether a write took effect, whoever comes next finds out. */
  async stop(): Promise<void> {
    const closed = new KubeError("TH_KUBE_CLOSED", "the operator stops");
    this.#stopping.abort(closed);
    this.#served?.close(closed);
    await Promise.all([this.#jobs.stop(), this.#pods.stop(), this.#kills.stop()]);
  }

  /** Resolves when all are listed; with `served`, when every namespace is known, or refused and others are known. */
  async synced(): Promise<void> {
    const known = this.#served?.begun() ?? Promise.all([this.#jobs.synced(), this.#pods.synced()]);
    await Promise.all([known, this.#killsKnown()]);
  }

  /** Builds need to know of kills only where a test exits 0 after TERM: without Events they are taken all the same, a little later. */
  async #killsKnown(): Promise<void> {
    const known = Promise.withResolvers<void>();
    const cancelTimer = this.#clock.schedule(KILLS_PATIENCE_MS, known.resolve);
    this.#kills.synced().then(known.resolve, known.reject);
    try {
      await known.promise;
    } finally {
      cancelTimer();
    }
  }

  /** Resolves once the Jobs of builds that are not over are known, and of the latest that are, whatever the watches have missed. */
  async refresh(): Promise<void> {
    for (const watch of [this.#jobs, this.#pods]) watch.reconnect();
    await this.#jobs.catchUp(unrecordedSelectors(this.now()));
  }

  /** The API server's clock, see `KubeClient`. */
  now(): Date {
    return this.#client.now();
  }

  /** By resource. */
  lastHeardMsAgo(): Record<string, number> {
    return { jobs: this.#jobs.lastHeardMsAgo(), pods: this.#pods.lastHeardMsAgo(), events: this.#kills.lastHeardMsAgo() };
  }

  /** How long neither Jobs nor pods could be seen in any namespace, since this operator may not any more; 0 while one can be. */
  lockedOutMs(): number {
    return Math.min(this.#jobs.lockedOutMs(), this.#pods.lockedOutMs());
  }

  /** None of a namespace whose pods are not known yet: a Job without them would look as if it had lost them. */
  cachedJob(namespace: string, name: string): Job | undefined {
    return this.#isKnown(namespace) ? this.#jobs.get(namespace, name) : undefined;
  }

  cachedJobs(): Iterable<Job> {
    if (this.#served?.areAllKnown ?? true) return this.#jobs.values();
    return Iterator.from(this.#jobs.values()).filter(({ metadata }) => this.#isKnown(metadata.namespace ?? ""));
  }

  /** The cached ones of this relaunch key's request, in any order. */
  cachedJobsOf(relaunchKey: string): Job[] {
    return this.#jobsByRelaunch.of(relaunchKey).filter(({ metadata }) => this.#isKnown(metadata.namespace ?? ""));
  }

  /** The cached ones of all launches of this relaunch key's build, in any order. */
  cachedLaunchesOf(relaunchKey: string): Job[] {
    return this.#jobsByRelaunch.launchesOf(relaunchKey).filter(({ metadata }) => this.#isKnown(metadata.namespace ?? ""));
  }

  cachedPods(namespace: string, jobName: string): Pod[] {
    return this.#podsByJob.podsOf(`${namespace}/${jobName}`);
  }

  killOf(pod: Pod, roles: ContainerRoles): string | undefined {
    return this.#kills.of(pod, roles);
  }

  /** The Events of type Warning about the object of this uid, or about the claim of this name, past any cache. */
  readEvents(namespace: string, about: string): Promise<readonly KubeEvent[]> {
    return this.#warnings.of(namespace, about);
  }

  createJob(job: Job): ReturnType<JobCalls["createJob"]> {
    return this.#calls.createJob(job);
  }

  getJob(namespace: string, name: string): Promise<Job | undefined> {
    return this.#calls.getJob(namespace, name);
  }

  readPods(namespace: string, jobName: string): Promise<Pod[]> {
    return this.#calls.readPods(namespace, jobName);
  }

  readWholePods(namespace: string, jobName: string): Promise<Pod[]> {
    return this.#calls.readWholePods(namespace, jobName);
  }

  annotateJob(...args: Parameters<JobCalls["annotateJob"]>): Promise<boolean> {
    return this.#calls.annotateJob(...args);
  }

  deleteJob(namespace: string, name: string, uid: string | undefined): Promise<void> {
    return this.#calls.deleteJob(namespace, name, uid);
  }

  endPod(namespace: string, name: string): Promise<void> {
    return this.#calls.endPod(namespace, name);
  }

  /** Its containers have a second to end. */
  deletePod(namespace: string, name: string, uid: string | undefined): Promise<void> {
    return this.#calls.deletePod(namespace, name, uid);
  }

  #isKnown(namespace: string): boolean {
    return this.#served?.isKnown(namespace) ?? true;
  }

  /** What one Job's handler throws must not keep the others' from being told. */
  #tell(onChange: BuildObjectsOptions["onChange"], namespace: string, jobName: string): void {
    try {
      onChange(namespace, jobName);
    } catch (thrown) {
      this.#logger.error({ namespace, job: jobName, err: coerceError(thrown) }, "caught what a change handler threw");
    }
  }
}

/** `namespace/name` taken apart. */
function partsOf(key: string): [namespace: string, name: string] {
  const separator = key.indexOf("/");
  return [key.slice(0, separator), key.slice(separator + 1)];
}
