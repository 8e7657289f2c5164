import { readRoles } from "../../core/job/record.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import { observeContainerRun } from "../../core/logs/container-run.ts";
import { inOrder, recordedContainers, recordedPod } from "../../core/logs/recorded-containers.ts";
import { storedDirectory } from "../../core/logs/stored-record.ts";
import type { PodReaders, ReadPlace } from "./pod-readers.ts";
import type { Recorder } from "./recorder.ts";
import type { RecordingCluster } from "./recording-cluster.ts";
import { readMasker } from "./secret-masker.ts";
import type { SpoolViews } from "./spool-views.ts";

export interface PageLogsOptions {
  cluster: Pick<RecordingCluster, "cachedJob" | "cachedPods" | "getJob" | "readWholePods" | "secretValues" | "logSource">;
  /** undefined where nothing is stored. */
  recorder: Recorder | undefined;
  /** undefined where other replicas' spools are not seen here. */
  views: SpoolViews | undefined;
  readers: PodReaders;
}

interface BuildName {
  namespace: string;
  jobName: string;
}

interface SeenBuild {
  job: Job;
  pod: Pod | undefined;
}

/**
 * The logs of builds that are not in a store yet, or never will be, for pages: from who records them here, else from the spool of the replica
 * that does, which has what the node has thrown away since; else from their pods.
 */
export class PageLogs {
  readonly #options: PageLogsOptions;

  constructor(options: PageLogsOptions) {
    this.#options = options;
  }

  /** Names of the containers of which there is a log, the test's first. */
  async containers(build: BuildName): Promise<string[]> {
    const seen = this.#look(build);
    return seen ? this.#containersOf(seen) : [];
  }

  async #containersOf({ job, pod }: SeenBuild): Promise<string[]> {
    const { recorder, views } = this.#options;
    const { uid = "" } = job.metadata;
    const recording = recorder?.of(uid);
    if (recording) return recording.logs.filter(({ readable }) => readable).map(({ container }) => container);
    const roles = readRoles(job);
    const ofPod = pod ? recordedContainers(pod, roles).flatMap(({ name, hasStarted }) => (hasStarted ? [name] : [])) : [];
    const spooled = (await views?.containers(uid).catch(() => [])) ?? [];
    const names = [...new Set([...ofPod, ...spooled])];
    return inOrder(
      names.map((name) => ({ name })),
      roles.test,
    ).map(({ name }) => name);
  }

  /** The same object for all who ask; undefined where there is none. */
  async open(build: BuildName, container: string) {
    const { recorder, views, readers } = this.#options;
    const seen = this.#look(build);
    if (!seen || !(await this.#containersOf(seen)).includes(container)) return undefined;
    const { uid = "" } = seen.job.metadata;
    const own = recorder?.of(uid)?.logs.find((log) => log.container === container)?.readable;
    if (own && !own.snapshot().isLeft) return own;
    return (await views?.open(uid, container)) ?? (seen.pod && readers.open(this.#podPlace(build, seen.job, seen.pod, container)));
  }

  #podPlace(build: BuildName, job: Job, pod: Pod, container: string): ReadPlace {
    const { cluster } = this.#options;
    const { namespace, jobName } = build;
    const podNow = () => recordedPod(job, cluster.cachedPods(namespace, jobName));
    return {
      ...{ uid: pod.metadata.uid ?? "", container },
      source: cluster.logSource({ namespace, pod: pod.metadata.name, container }),
      hasEnded: () => {
        const now = podNow();
        return !now || recordedContainers(now, readRoles(job)).some(({ name, hasEnded }) => name === container && hasEnded);
      },
      run: () => observeContainerRun(podNow() ?? pod, container),
      readMasker: () => readMasker(cluster, { namespace, jobName, uid: job.metadata.uid }),
    };
  }

  /** Nothing of one that is stored: that is shown from there. */
  #look({ namespace, jobName }: BuildName): SeenBuild | undefined {
    const { cluster, recorder } = this.#options;
    const job = cluster.cachedJob(namespace, jobName);
    if (!job) return undefined;
    if (storedDirectory(job) !== undefined && !recorder?.of(job.metadata.uid)) return undefined;
    return { job, pod: recordedPod(job, cluster.cachedPods(namespace, jobName)) };
  }
}
