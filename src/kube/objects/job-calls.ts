import { JOB_NAME_LABEL, RECORDED_LABEL, REQUEST_ANNOTATION, recordedLabel } from "../../core/kubernetes/labels.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import { isQuotaFull } from "../../core/kubernetes/quota.ts";
import { ENDING_DEADLINE_SECONDS } from "../../core/observation/pod-facts.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import { type JsonPatchOperation, renderPointer } from "../client/json-patch.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isAlreadyExists, isConflict, isNotFound, isOtherUid, isTestFailed } from "../client/kube-error.ts";
import { isObjectRefused, renderRefusal } from "../client/refusal.ts";
import { JOBS, PODS } from "../client/resource.ts";
import { listAll } from "../watch/list-all.ts";
import { trimJob, trimPod } from "./trimmed-objects.ts";

/** More at once make no API server quicker, only every answer later: of a thousand at once each took 4 s. */
const CREATES_AT_ONCE = 32;
/** What is written down after a build's answer must not keep others from being created. */
const RECORDS_AT_ONCE = 8;

interface JobCallsOptions {
  client: KubeClient;
  labelSelector: string;
  /** Breaks what still runs. */
  signal: AbortSignal;
}

/** What builds ask the API server itself about their Jobs and pods, past any cache: the few writes, and reads that must be fresh. */
export class JobCalls {
  readonly #client: KubeClient;
  readonly #labelSelector: string;
  readonly #call: { readonly signal: AbortSignal };
  readonly #creates = makeConcurrencyLimit(CREATES_AT_ONCE);
  readonly #records = makeConcurrencyLimit(RECORDS_AT_ONCE);

  constructor({ client, labelSelector, signal }: JobCallsOptions) {
    this.#client = client;
    this.#labelSelector = labelSelector;
    this.#call = { signal };
  }

  /** @throws KubeError when it may go better later, or when what is refused is not the Job itself. */
  async createJob(job: Job): Promise<{ kind: "created"; job: Job } | { kind: "exists" } | { kind: "refused" | "full"; message: string }> {
    try {
      const create = () => this.#client.create<Job>(JOBS, job.metadata.namespace, job, { ...this.#call, answer: "metadata" });
      return { kind: "created", job: trimJob({ ...(await this.#creates.run(create)), spec: job.spec } as Job) };
    } catch (error) {
      if (isAlreadyExists(error)) return { kind: "exists" };
      if (!isObjectRefused(error)) throw error;
      return { kind: isQuotaFull(error.statusMessage) ? "full" : "refused", message: renderRefusal(error) };
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
   * With a time to live it is the last write, and the Job is labelled as recorded. With `request` only if that is the Job's annotation of
   * this name, and with `uid` only that very Job, else it resolves with false: a Job changes all the time, so that its resourceVersion would
   * refuse what concerns nobody else.
   */
  async annotateJob(
    namespace: string,
    name: string,
    annotations: Record<string, string>,
    options: { request?: string | undefined; uid?: string | undefined; ttlSecondsAfterFinished?: number | undefined } = {},
  ): Promise<boolean> {
    const { request, uid, ttlSecondsAfterFinished } = options;
    const isLast = ttlSecondsAfterFinished !== undefined;
    const spec = isLast ? { ttlSecondsAfterFinished } : {};
    const labels = isLast ? { [RECORDED_LABEL]: recordedLabel(this.#client.now()) } : {};
    const meant = uid === undefined ? {} : { uid };
    if (request === undefined) return this.#patchIfThere(JOBS, namespace, name, { metadata: { ...meant, annotations, labels }, spec });
    const pointer = (annotation: string) => renderPointer("metadata", "annotations", annotation);
    const operations: JsonPatchOperation[] = [
      { op: "test", path: pointer(REQUEST_ANNOTATION), value: request },
      ...(uid === undefined ? [] : [{ op: "test" as const, path: renderPointer("metadata", "uid"), value: uid }]),
      ...Object.entries(annotations).map(([key, value]) => ({ op: "add" as const, path: pointer(key), value })),
      ...Object.entries(labels).map(([key, value]) => ({ op: "add" as const, path: renderPointer("metadata", "labels", key), value })),
      ...Object.entries(spec).map(([key, value]) => ({ op: "add" as const, path: renderPointer("spec", key), value })),
    ];
    try {
      const patch = () => this.#client.jsonPatch(JOBS, namespace, name, operations, { ...this.#call, answer: "metadata" });
      await (ttlSecondsAfterFinished === undefined ? patch() : this.#records.run(patch));
    } catch (error) {
      if (isTestFailed(error)) return false;
      if (!isNotFound(error)) throw error;
    }
    return true;
  }

  /** With its pods; with `uid` only that very Job, not another one that has its name by now. */
  async deleteJob(namespace: string, name: string, uid: string | undefined): Promise<void> {
    try {
      await this.#client.delete(JOBS, namespace, name, { propagationPolicy: "Background", uid, ...this.#call });
    } catch (error) {
      if (uid === undefined || !isConflict(error)) throw error;
    }
  }

  async endPod(namespace: string, name: string): Promise<void> {
    await this.#patchIfThere(PODS, namespace, name, { spec: { activeDeadlineSeconds: ENDING_DEADLINE_SECONDS } });
  }

  /** Resolves with false when there is one of another uid than the patch has. */
  async #patchIfThere(resource: typeof JOBS, namespace: string, name: string, patch: object): Promise<boolean> {
    try {
      await this.#client.mergePatch(resource, namespace, name, patch, { ...this.#call, answer: "metadata" });
    } catch (error) {
      if (isOtherUid(error)) return false;
      if (!isNotFound(error)) throw error;
    }
    return true;
  }
}
