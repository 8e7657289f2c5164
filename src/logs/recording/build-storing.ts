import { memberNumber } from "../../core/job/name.ts";
import { isLead, type JobRecord } from "../../core/job/record.ts";
import { STORED_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Pod } from "../../core/kubernetes/objects.ts";
import { INDEX_FILE } from "../../core/logs/log-files.ts";
import type { Masker } from "../../core/logs/masking.ts";
import { haveWorkersEnded, recordedPod } from "../../core/logs/recorded-containers.ts";
import { renderStoredRecord, type StoredRecord } from "../../core/logs/stored-record.ts";
import { renderUnstoredPage } from "../../core/logs/unstored-page.ts";
import { attemptOf } from "../../core/report/build-attempt.ts";
import { reportBuild } from "../../core/report/build-report.ts";
import { reportMember, reportMembers } from "../../core/report/member-report.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { LogStore } from "../stores/log-store.ts";
import type { StoredBuilds } from "../stores/stored-builds.ts";
import type { BuildSight } from "./build-sight.ts";
import type { ContainerLog } from "./container-log.ts";
import type { KeepTrying } from "./keep-trying.ts";
import type { RecordingCluster } from "./recording-cluster.ts";
import type { Masked } from "./secret-masker.ts";
import type { SpoolRoot } from "./spool-root.ts";
import { storeBuild, storeWhole } from "./store-build.ts";

/** What is stored is still read from the spool for so long. */
const LINGER_MS = 30_000;
/** A store that takes nothing for so long is given up: the log stays in the pod for as long as that is kept. */
export const MAX_STORING_MS = 24 * 3_600_000;

export interface BuildStoringOptions {
  cluster: RecordingCluster;
  store: LogStore;
  builds: StoredBuilds;
  spools: SpoolRoot;
  /** How long a Job is kept once its build is stored. */
  keepJobSeconds: number;
  /** A build's page here. */
  buildUrl(number: string): string;
  /** At most so many are stored at once. */
  storing: { run<T>(work: () => Promise<T>): Promise<T> };
  sight: BuildSight;
  again: KeepTrying;
  clock: Clock;
  logger: Logger;
}

/** Puts one build into the store: its place from the beginning on, all of it when it is over. */
export class BuildStoring {
  readonly #options: BuildStoringOptions;
  #directory: string | undefined;
  /** Of the lead of a build over several datasets: where that is. */
  #whole: string | undefined;
  #isStored = false;

  constructor(options: BuildStoringOptions) {
    this.#options = options;
  }

  /** Where its own files go, its log and artifacts; undefined until that is known. */
  get directory(): string | undefined {
    return this.#directory;
  }

  /** Where its page goes in the store, of a lead that of all datasets; undefined until that is known. */
  get place(): string | undefined {
    return this.#whole ?? this.#directory;
  }

  /** Whether the store has all of it. */
  get isStored(): boolean {
    return this.#isStored;
  }

  /** Resolves with false soon after `signal` aborts. */
  async reserve(signal: AbortSignal): Promise<boolean> {
    const { again, logger } = this.#options;
    const begun = await again("reserve a build's directory in the log store", () => this.#begin(signal), signal);
    this.#directory = begun?.directory;
    this.#whole = begun?.whole;
    if (begun?.why) logger.info({ directory: begun.directory, why: begun.why }, "stores the build elsewhere than LOG_PATH says");
    return begun !== undefined;
  }

  /** The answer names the page in the store, which is opened before all is there. */
  async #begin(signal: AbortSignal): Promise<{ directory: string; whole: string | undefined; why: string | undefined }> {
    const { builds, sight } = this.#options;
    const { place, record } = sight;
    const { directory, why } = await builds.begin(place, signal);
    const whole = place.member && record && isLead(record) ? (await builds.begin(place.member.of, signal)).directory : undefined;
    const number = record?.request.number;
    if (number !== undefined && record?.member) await this.#announce(directory, memberNumber(number, record.member.index), signal);
    if (number !== undefined && (!record?.member || whole !== undefined)) await this.#announce(whole ?? directory, number, signal);
    return { directory, whole, why };
  }

  async #announce(directory: string, number: string, signal: AbortSignal): Promise<void> {
    const { store, buildUrl } = this.#options;
    const page = `${directory}/${INDEX_FILE}`;
    if (store.url(page) !== undefined) await store.createText(page, renderUnstoredPage(number, buildUrl(number)), signal);
  }

  /** Stores it, says so on its Job, ends what is left of its pod, and removes its spool. Resolves with true when all that is done. */
  async store(logs: readonly ContainerLog[], masked: Masked, signal: AbortSignal): Promise<true | undefined> {
    const { storing, sight, spools, again, clock } = this.#options;
    const untilMs = clock.monotonicMs() + MAX_STORING_MS;
    const stored = await again("store a build", () => storing.run(() => this.#storeOnce(logs, masked, signal)), signal, untilMs);
    if (!stored) {
      if (!signal.aborted) await this.#note({ problem: "the store took nothing for a day" });
      return undefined;
    }
    this.#isStored = true;
    // Each by itself: what is stored is not stored again for the sake of these.
    const { directory, pod } = stored;
    const place = { directory, ...(this.#whole === undefined ? {} : { whole: this.#whole }) };
    await again("write down that a build is stored", () => this.#note(place), signal, untilMs);
    await again("end the pod of a build that is stored", () => this.#endPod(pod), signal, untilMs);
    // Who reads it is at its end by then, and goes on with what is stored.
    await clock.sleep(LINGER_MS, signal).catch(() => {});
    await again("remove a spool", () => spools.remove(sight.uid), signal, untilMs);
    return true;
  }

  async #storeOnce(
    logs: readonly ContainerLog[],
    masked: Masked,
    signal: AbortSignal,
  ): Promise<{ directory: string; pod: Pod | undefined }> {
    const { cluster, store, builds, sight, logger } = this.#options;
    signal.throwIfAborted();
    sight.look();
    const { namespace, jobName, uid, record } = sight;
    const directory = this.#directory;
    if (!record || directory === undefined) throw new Error("the Job does not say whose it is");
    const [job, pods] = await Promise.all([cluster.getJob(namespace, jobName), cluster.readWholePods(namespace, jobName)]);
    const report = record.member ? reportMember(sight.job, record, sight.state) : reportBuild(sight.job, record, sight.state);
    const attempt = attemptOf(sight.job, cluster.cachedLaunchesOf(record.relaunchKey ?? ""));
    const whole = job?.metadata.uid === uid ? job : undefined;
    const pod = whole && recordedPod(whole, pods);
    const stored = await storeBuild(
      store,
      { directory, report, attempt, job: whole, pod, logs, test: record.roles.test, ...masked },
      signal,
    );
    await builds.finish(sight.place, directory, stored, signal);
    await this.#storeWhole(record, masked.masker, signal);
    logger.info({ directory, store: store.name }, "has stored the build");
    return { directory, pod };
  }

  /** The build over several datasets that this Job speaks for: its page leads to those of the members, which are stored by themselves. */
  async #storeWhole(record: JobRecord, masker: Masker, signal: AbortSignal): Promise<void> {
    const { store, builds, sight } = this.#options;
    const { member } = sight.place;
    if (!member || this.#whole === undefined) return;
    // Each has its verdict in the answer; a Job that was deleted before there was one tells no more than it does.
    const members = reportMembers(record, (index) => (index === record.member?.index ? { record, state: sight.state } : undefined));
    const report = { ...reportBuild(sight.job, record, sight.state), members };
    await builds.finish(member.of, this.#whole, await storeWhole(store, { directory: this.#whole, report, masker }, signal), signal);
  }

  async #note(stored: StoredRecord): Promise<void> {
    const { cluster, sight, keepJobSeconds } = this.#options;
    const annotations = { [STORED_ANNOTATION]: renderStoredRecord(stored) };
    const options = { uid: sight.uid, ttlSecondsAfterFinished: keepJobSeconds };
    await cluster.annotateJob(sight.namespace, sight.jobName, annotations, options);
  }

  /** All of it is stored: what of its pod takes no notice of its end is not waited for. */
  async #endPod(pod: Pod | undefined): Promise<void> {
    const { cluster, sight, logger } = this.#options;
    const { metadata, status } = pod ?? {};
    const isLeft = metadata && metadata.deletionTimestamp === undefined && status?.phase === "Running";
    if (!pod || !isLeft || !sight.record || !haveWorkersEnded(pod, sight.record.roles)) return;
    await cluster.deletePod(sight.namespace, metadata.name, metadata.uid);
    logger.info({ pod: metadata.name }, "deletes the pod, whose log is stored and whose sidecars have not ended");
  }
}
