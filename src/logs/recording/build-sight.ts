import { isRecorded, type JobRecord, readJobRecord, readRoles } from "../../core/job/record.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import { recordedContainers, recordedPod } from "../../core/logs/recorded-containers.ts";
import { type BuildState, observeBuild } from "../../core/observation/build-state.ts";
import type { EndedBuild } from "../stores/stored-builds.ts";
import { endedBuildOf } from "./ended-build.ts";
import type { RecordingCluster } from "./recording-cluster.ts";

/** A build's Job and pod as they were seen last: both may be deleted before all is stored. */
export class BuildSight {
  readonly namespace: string;
  readonly jobName: string;
  readonly uid: string;
  readonly #cluster: Pick<RecordingCluster, "cachedJob" | "cachedPods">;
  #job: Job;
  #record: JobRecord | undefined;
  #pod: Pod | undefined;
  #isGone = false;

  constructor(job: Job, cluster: Pick<RecordingCluster, "cachedJob" | "cachedPods">) {
    this.namespace = job.metadata.namespace ?? "";
    this.jobName = job.metadata.name;
    this.uid = job.metadata.uid ?? "";
    this.#cluster = cluster;
    this.#job = job;
    this.#record = readJobRecord(job);
  }

  /** Looks at the caches. */
  look(): void {
    const job = this.#cluster.cachedJob(this.namespace, this.jobName);
    this.#isGone = (job?.metadata.uid ?? "") !== this.uid;
    if (job && !this.#isGone && job !== this.#job) {
      this.#job = job;
      this.#record = readJobRecord(job);
    }
    this.#pod = recordedPod(this.#job, this.#cluster.cachedPods(this.namespace, this.jobName)) ?? gone(this.#pod);
  }

  get job(): Job {
    return this.#job;
  }

  get record(): JobRecord | undefined {
    return this.#record;
  }

  /** Zuul has stopped it; of several datasets the lead says so for all. */
  get isCancelled(): boolean {
    const { isCancelled, member } = this.#record ?? {};
    const lead = member?.lead && this.#cluster.cachedJob(this.namespace, member.lead.jobName);
    return isCancelled === true || (lead !== undefined && readJobRecord(lead)?.isCancelled === true);
  }

  get pod(): Pod | undefined {
    return this.#pod;
  }

  /** The Job was deleted. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get isOver(): boolean {
    return this.#isGone || isRecorded(this.#job);
  }

  get hasPodEnded(): boolean {
    const phase = this.#pod?.status?.phase;
    return phase === undefined || phase === "Succeeded" || phase === "Failed";
  }

  get state(): BuildState {
    return observeBuild(this.#job, this.#pod ? [this.#pod] : [], readRoles(this.#job), () => undefined);
  }

  /** Of the pod, those whose logs are kept. */
  get containers(): ReturnType<typeof recordedContainers> {
    return this.#pod ? recordedContainers(this.#pod, readRoles(this.#job)) : [];
  }

  /** For the log store. */
  get place(): EndedBuild {
    return endedBuildOf(this.#job, this.#record);
  }
}

/** It was deleted: nothing of it runs any more. */
function gone(pod: Pod | undefined): Pod | undefined {
  if (!pod || pod.status?.phase === "Succeeded") return pod;
  return { ...pod, status: { ...pod.status, phase: "Failed" } };
}
