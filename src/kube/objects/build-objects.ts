import {
  installationSelector,
  RECORDED_LABEL,
  REQUEST_ANNOTATION,
  recordedLabel,
  unrecordedSelectors,
} from "../../core/kubernetes/labels.ts";
import type { Condition, Container, ContainerStatus, Job, KubeEvent, KubeObject, Pod } from "../../core/kubernetes/objects.ts";
import { isQuotaExceeded } from "../../core/kubernetes/quota.ts";
import { ENDING_DEADLINE_SECONDS } from "../../core/observation/pod-facts.ts";
import type { Clock } from "../../runtime/clock.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import { type JsonPatchOperation, renderPointer } from "../client/json-patch.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isAlreadyExists, isConflict, isNotFound, isTestFailed, KubeError } from "../client/kube-error.ts";
import { isObjectRefused, renderRefusal } from "../client/refusal.ts";
import { JOBS, PODS } from "../client/resource.ts";
import { listAll } from "../watch/list-all.ts";
import { makeListWatch } from "../watch/list-watch.ts";
import type { ServedNamespaces } from "../watch/served-namespaces.ts";
import { KillEvents } from "./kill-events.ts";
import { WarningEvents } from "./warning-events.ts";

/** Set by the Job controller on the pods it makes. https://kubernetes.io/docs/reference/labels-annotations-taints/ */
const JOB_NAME_LABEL = "batch.kubernetes.io/job-name";

/** More at once make no API server quicker, only every answer later: of a thousand at once each took 4 s. */
const CREATES_AT_ONCE = 32;
/** What is written down after a build's answer must not keep others from being created. */
const RECORDS_AT_ONCE = 8;

/** How long the first list of Events is waited for. */
const KILLS_PATIENCE_MS = 5000;

interface BuildObjectsOptions {
  client: KubeClient;
  namespaces: readonly string[];
  installation: string;
  /** Shared with the other watches that must have listed a namespace before it is known. */
  served?: ServedNamespaces;
  /** A Job of this installation, or a pod of it, has changed. */
  onChange(namespace: string, jobName: string): void;
  clock: Clock;
  logger: Logger;
}

/** The Jobs and pods of an installation: a cache kept by two watches, and the few writes that builds need. */
export class BuildObjects implements Service {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #labelSelector: string;
  readonly #stopping = new AbortController();
  readonly #jobs;
  readonly #pods;
  readonly #kills: KillEvents;
  readonly #creates = makeConcurrencyLimit(CREATES_AT_ONCE);
  readonly #records = makeConcurrencyLimit(RECORDS_AT_ONCE);
  readonly #warnings: WarningEvents;
  readonly #served: ServedNamespaces | undefined;
  /** `namespace/Job name` -> pods by name. */
  readonly #podsOfJob = new Map<string, Map<string, Pod>>();
  readonly #jobOfPod = new Map<string, string>();

  constructor(options: BuildObjectsOptions) {
    const { client, namespaces, installation, onChange, clock, logger } = options;
    const labelSelector = installationSelector(installation);
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#labelSelector = labelSelector;
    this.#warnings = new WarningEvents({ client, clock, signal: this.#stopping.signal });
    this.#served = options.served;
    this.#jobs = makeListWatch<Job>({
      ...{ client, namespaces, labelSelector, clock, logger: logger.child({ watch: "jobs" }) },
      ...options.served?.expect(JOBS.plural),
      resource: JOBS,
      trim: trimJob,
      onChange: (key) => onChange(...partsOf(key)),
    });
    this.#pods = makeListWatch<Pod>({
      ...{ client, namespaces, labelSelector, clock, logger: logger.child({ watch: "pods" }) },
      ...options.served?.expect(PODS.plural),
      resource: PODS,
      trim: trimPod,
      onChange: (key, pod) => {
        const jobKey = this.#indexPod(key, pod);
        if (jobKey) onChange(...partsOf(jobKey));
      },
    });
    this.#served?.onKnown((namespace) => {
      for (const { metadata } of this.#jobs.values()) if (metadata.namespace === namespace) this.#tell(onChange, namespace, metadata.name);
    });
    this.#kills = new KillEvents({
      ...{ client, namespaces, clock, logger },
      onKill: (namespace, podName) => {
        const jobKey = this.#jobOfPod.get(`${namespace}/${podName}`);
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
    await this.#jobs.catchUp(unrecordedSelectors(this.#clock.now()));
  }

  /** By resource. */
  lastHeardMsAgo(): Record<string, number> {
    return { jobs: this.#jobs.lastHeardMsAgo(), pods: this.#pods.lastHeardMsAgo(), events: this.#kills.lastHeardMsAgo() };
  }

  /** None of a namespace whose pods are not known yet: a Job without them would look as if it had lost them. */
  cachedJob(namespace: string, name: string): Job | undefined {
    return this.#isKnown(namespace) ? this.#jobs.get(namespace, name) : undefined;
  }

  cachedJobs(): Iterable<Job> {
    if (this.#served?.areAllKnown ?? true) return this.#jobs.values();
    return Iterator.from(this.#jobs.values()).filter(({ metadata }) => this.#isKnown(metadata.namespace ?? ""));
  }

  cachedPods(namespace: string, jobName: string): Pod[] {
    return [...(this.#podsOfJob.get(`${namespace}/${jobName}`)?.values() ?? [])];
  }

  killOf(pod: Pod): string | undefined {
    return this.#kills.of(pod);
  }

  /** The Events of type Warning about one object, past any cache. */
  readEvents(namespace: string, uid: string): Promise<readonly KubeEvent[]> {
    return this.#warnings.of(namespace, uid);
  }

  /** @throws KubeError when it may go better later, or when what is refused is not the Job itself. */
  async createJob(job: Job): Promise<{ kind: "created"; job: Job } | { kind: "exists" } | { kind: "refused"; message: string }> {
    try {
      const create = () => this.#client.create<Job>(JOBS, job.metadata.namespace, job, this.#call);
      return { kind: "created", job: trimJob(await this.#creates.run(create)) };
    } catch (error) {
      if (isAlreadyExists(error)) return { kind: "exists" };
      if (!(error instanceof KubeError) || error.retryable) throw error;
      // A namespace's quota on Jobs empties by itself; a missing right is the installation's fault, not the task's.
      if (error.code === "TH_KUBE_FORBIDDEN" && isQuotaExceeded(error.message)) {
        throw new KubeError("TH_KUBE_BUSY", error.message, { status: error.status, retryable: true, cause: error });
      }
      if (!isObjectRefused(error)) throw error;
      return { kind: "refused", message: renderRefusal(error) };
    }
  }

  async getJob(namespace: string, name: string): Promise<Job | undefined> {
    try {
      return await this.#client.get<Job>(JOBS, namespace, name, this.#call);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async readPods(namespace: string, jobName: string): Promise<Pod[]> {
    const { items } = await listAll<Pod>(this.#client, PODS, namespace, {
      labelSelector: `${this.#labelSelector},${JOB_NAME_LABEL}=${jobName}`,
      ...this.#call,
    });
    return items.map(trimPod);
  }

  /**
   * With a time to live it is the last write, and the Job is labelled as recorded. With `request` only if that is the Job's annotation of this name, else it resolves with false: a Job changes all the time, so that its
   * resourceVersion would refuse what concerns nobody else.
   */
  async annotateJob(
    namespace: string,
    name: string,
    annotations: Record<string, string>,
    options: { request?: string; ttlSecondsAfterFinished?: number } = {},
  ): Promise<boolean> {
    const { request, ttlSecondsAfterFinished } = options;
    const isLast = ttlSecondsAfterFinished !== undefined;
    const spec = isLast ? { ttlSecondsAfterFinished } : {};
    const labels = isLast ? { [RECORDED_LABEL]: recordedLabel(this.#clock.now()) } : {};
    if (request === undefined) {
      await this.#patchIfThere(JOBS, namespace, name, { metadata: { annotations, labels }, spec });
      return true;
    }
    const pointer = (annotation: string) => renderPointer("metadata", "annotations", annotation);
    const operations: JsonPatchOperation[] = [
      { op: "test", path: pointer(REQUEST_ANNOTATION), value: request },
      ...Object.entries(annotations).map(([key, value]) => ({ op: "add" as const, path: pointer(key), value })),
      ...Object.entries(labels).map(([key, value]) => ({ op: "add" as const, path: renderPointer("metadata", "labels", key), value })),
      ...Object.entries(spec).map(([key, value]) => ({ op: "add" as const, path: renderPointer("spec", key), value })),
    ];
    try {
      const patch = () => this.#client.jsonPatch(JOBS, namespace, name, operations, this.#call);
      await (ttlSecondsAfterFinished === undefined ? patch() : this.#records.run(patch));
    } catch (error) {
      if (isTestFailed(error)) return false;
      if (!isNotFound(error)) throw error;
    }
    return true;
  }

  /** With its pods; with `uid` only that very Job, not another one that has its name by now. */
  async deleteJob(namespace: string, name: string, uid?: string): Promise<void> {
    try {
      await this.#client.delete(JOBS, namespace, name, { propagationPolicy: "Background", uid, ...this.#call });
    } catch (error) {
      if (uid === undefined || !isConflict(error)) throw error;
    }
  }

  async endPod(namespace: string, name: string): Promise<void> {
    await this.#patchIfThere(PODS, namespace, name, { spec: { activeDeadlineSeconds: ENDING_DEADLINE_SECONDS } });
  }

  async #patchIfThere(resource: typeof JOBS, namespace: string, name: string, patch: object): Promise<void> {
    try {
      await this.#client.mergePatch(resource, namespace, name, patch, this.#call);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
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

  get #call(): { signal: AbortSignal } {
    return { signal: this.#stopping.signal };
  }

  /** Returns the key of the Job whose pod it is, or was. */
  #indexPod(key: string, pod: Pod | undefined): string | undefined {
    const known = this.#jobOfPod.get(key);
    if (!pod) {
      this.#jobOfPod.delete(key);
      if (known) {
        const pods = this.#podsOfJob.get(known);
        pods?.delete(key);
        if (pods?.size === 0) this.#podsOfJob.delete(known);
      }
      return known;
    }
    const jobName = pod.metadata.labels?.[JOB_NAME_LABEL];
    if (!jobName) return undefined;
    const jobKey = `${pod.metadata.namespace}/${jobName}`;
    const pods = this.#podsOfJob.get(jobKey) ?? new Map<string, Pod>();
    pods.set(key, pod);
    this.#podsOfJob.set(jobKey, pods);
    this.#jobOfPod.set(key, jobKey);
    return jobKey;
  }
}

/** `namespace/name` taken apart. */
function partsOf(key: string): [namespace: string, name: string] {
  const separator = key.indexOf("/");
  return [key.slice(0, separator), key.slice(separator + 1)];
}

const METADATA = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"] as const;
const JOB_METADATA = [...METADATA, "labels", "annotations"] as const;
const CONDITION = ["type", "status", "reason", "message", "lastTransitionTime"] as const;
const CONTAINER_STATUS = ["name", "state", "lastState", "started", "restartCount"] as const;

/**
 * A Job carries its whole pod template, parameters and script included: far more than anyone looks at here. Jobs and pods of builds that are
 * over stay by the thousand, so that every field counts.
 */
function trimJob(object: KubeObject): Job {
  const { metadata, spec, status } = object as Job;
  return {
    metadata: pick(metadata, JOB_METADATA),
    spec: { template: { spec: { containers: [] } }, ...(spec ? pick(spec, ["suspend", "ttlSecondsAfterFinished"]) : {}) },
    ...(status ? { status: { ...pick(status, ["startTime", "active", "failed", "succeeded"]), ...trimConditions(status) } } : {}),
  };
}

function trimPod(object: KubeObject): Pod {
  const { metadata, spec, status } = object as Pod;
  const jobName = metadata.labels?.[JOB_NAME_LABEL];
  return {
    metadata: { ...pick(metadata, METADATA), ...(jobName === undefined ? {} : { labels: { [JOB_NAME_LABEL]: jobName } }) },
    ...(spec
      ? {
          spec: {
            ...pick(spec, ["nodeName", "activeDeadlineSeconds"]),
            containers: spec.containers.map(trimContainer),
            ...(spec.initContainers ? { initContainers: spec.initContainers.map(trimContainer) } : {}),
          },
        }
      : {}),
    ...(status
      ? {
          status: {
            ...pick(status, ["phase", "reason", "message", "startTime"]),
            ...trimConditions(status),
            ...(status.initContainerStatuses ? { initContainerStatuses: status.initContainerStatuses.map(trimContainerStatus) } : {}),
            ...(status.containerStatuses ? { containerStatuses: status.containerStatuses.map(trimContainerStatus) } : {}),
          },
        }
      : {}),
  };
}

function trimContainer(container: Container): Container {
  return pick(container, ["name", "restartPolicy", "resources"]);
}

function trimContainerStatus(status: ContainerStatus): ContainerStatus {
  return pick(status, CONTAINER_STATUS);
}

function trimConditions({ conditions }: { conditions?: Condition[] }): { conditions?: Condition[] } {
  return conditions ? { conditions: conditions.map((condition) => pick(condition, CONDITION)) } : {};
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked: Partial<T> = {};
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key];
  return picked as Pick<T, K>;
}
