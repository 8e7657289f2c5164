import { isRecorded, readJobRecord } from "../../core/job/record.ts";
import { parseDurationMs } from "../../core/kubernetes/duration.ts";
import { COLLECTED_ANNOTATION, STORED_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import { observeContainerRun } from "../../core/logs/container-run.ts";
import { type Masker, makeMasker } from "../../core/logs/masking.ts";
import { haveWorkersEnded, inOrder, recordedContainers, recordedPod } from "../../core/logs/recorded-containers.ts";
import { renderStoredRecord, type StoredRecord } from "../../core/logs/stored-record.ts";
import { awaitsArtifacts, observeBuild } from "../../core/observation/build-state.ts";
import { attemptOf } from "../../core/report/build-attempt.ts";
import { reportBuild } from "../../core/report/build-report.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import { within } from "../../runtime/within.ts";
import type { LogStore } from "../stores/log-store.ts";
import type { EndedBuild, StoredBuilds } from "../stores/stored-builds.ts";
import { ContainerLog } from "./container-log.ts";
import type { RecordingCluster } from "./recording-cluster.ts";
import { readMasker, UnmaskableError } from "./secret-masker.ts";
import type { SpoolRoot } from "./spool-root.ts";
import { storeBuild } from "./store-build.ts";
import { withheldLog } from "./withheld-log.ts";

/** How often a build is looked at though nothing changes. */
const LOOK_MS = 5000;
/** Of a build that is over, what its sidecars may still print is waited for. */
const SIDECARS_MS = 15_000;
/** And what a pod prints whose node does not say that it has ended. */
const SILENT_NODE_MS = 10 * 60_000;
/** Whose a build is, of which another replica has taken a log, is known to both of them after so long. */
const TAKEN_MS = 5000;
/** What is stored is still read from the spool for so long. */
const LINGER_MS = 30_000;
const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 5 * 60_000;
/** A store that takes nothing for so long is given up: the log stays in the pod for as long as that is kept. */
const MAX_STORING_MS = 24 * 3_600_000;

export interface RecordingContext {
  cluster: RecordingCluster;
  store: LogStore;
  builds: StoredBuilds;
  spools: SpoolRoot;
  /** Of one container's log. */
  limitBytes: number;
  /** At most so many are stored at once. */
  storing: { run<T>(work: () => Promise<T>): Promise<T> };
  clock: Clock;
  logger: Logger;
}

/** Follows the logs of one build while it runs, and stores it when it is over. Whatever fails is told and tried again. */
export class BuildRecording {
  readonly #context: RecordingContext;
  readonly #logger: Logger;
  readonly #namespace: string;
  readonly #jobName: string;
  /** As it was seen last: it may be deleted before all is stored. */
  #job: Job;
  #pod: Pod | undefined;
  #isGone = false;
  #directory: string | undefined;
  #masker: Masker | undefined;
  readonly #logs = new Map<string, ContainerLog>();
  readonly #follows = new Set<Promise<void>>();
  readonly #wakeup: Wakeup;

  constructor(job: Job, context: RecordingContext) {
    this.#context = context;
    this.#job = job;
    this.#namespace = job.metadata.namespace ?? "";
    this.#jobName = job.metadata.name;
    this.#logger = context.logger.child({ build: this.#record?.request.number ?? job.metadata.name, namespace: this.#namespace });
    this.#wakeup = new Wakeup(context.clock);
  }

  /** Its Job or pod has changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  isOf(namespace: string, jobName: string): boolean {
    return namespace === this.#namespace && jobName === this.#jobName;
  }

  /** Where it goes in the store; undefined until that is known. */
  get directory(): string | undefined {
    return this.#directory;
  }

  /** undefined until the Secrets were read. */
  get masker(): Masker | undefined {
    return this.#masker;
  }

  /** The test's first. */
  get logs(): ContainerLog[] {
    const logs = [...this.#logs.values()].map((log) => ({ name: log.container, log }));
    return inOrder(logs, this.#record?.roles.test ?? "").map(({ log }) => log);
  }

  /** Resolves with true when all is done, with false soon after `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<boolean> {
    const following = new AbortController();
    const reserved = this.#reserve(signal);
    try {
      const masked = await this.#again("read what is masked", () => this.#readMasked(), signal);
      if (!masked) return false;
      if (masked.withheld === undefined) this.#masker = masked.masker;
      await this.#follow(masked, AbortSignal.any([signal, following.signal]), signal);
      following.abort();
      await Promise.all(this.#follows);
      if (signal.aborted || !(await reserved)) return false;
      if (this.#isTaken) return false;
      return (await this.#store(masked, signal)) === true;
    } finally {
      following.abort();
      await Promise.all([reserved, ...this.#follows]);
    }
  }

  get #record() {
    return readJobRecord(this.#job);
  }

  /** Whoever writes its logs has taken the build over. */
  get #isTaken(): boolean {
    return this.logs.some(({ isTaken }) => isTaken);
  }

  get #uid(): string {
    return this.#job.metadata.uid ?? "";
  }

  #look(): void {
    const { cluster } = this.#context;
    const job = cluster.cachedJob(this.#namespace, this.#jobName);
    this.#isGone = job?.metadata.uid !== this.#job.metadata.uid;
    if (job && !this.#isGone) this.#job = job;
    this.#pod = recordedPod(this.#job, cluster.cachedPods(this.#namespace, this.#jobName)) ?? gone(this.#pod);
  }

  /** What can't be masked is not read, but for what is in the spool, which is masked already. Until the build is over it may be readable yet. */
  async #readMasked(): Promise<Masked> {
    try {
      const masker = await readMasker(this.#context.cluster, { namespace: this.#namespace, jobName: this.#jobName, uid: this.#uid });
      if (masker.unmasked.length > 0)
        this.#logger.warn({ unmasked: masker.unmasked }, "does not mask all values of the Secrets that a build names");
      return { masker, withheld: undefined };
    } catch (thrown) {
      this.#look();
      if (!(thrown instanceof UnmaskableError) || !(this.#isGone || isRecorded(this.#job))) throw thrown;
      this.#logger.warn({ why: thrown.message }, "keeps no more of a build's logs");
      return { masker: makeMasker([]), withheld: thrown.message };
    }
  }

  /** Until nothing of it is to be waited for. */
  async #follow(masked: Masked, following: AbortSignal, signal: AbortSignal): Promise<void> {
    const { spools, clock } = this.#context;
    this.#look();
    const left = await this.#again("read the spool", () => spools.containers(this.#uid), signal);
    for (const container of left ?? []) this.#begin(container, masked, following);
    let overSinceMs: number | undefined;
    while (!signal.aborted) {
      this.#look();
      const containers = this.#pod && masked.withheld === undefined ? recordedContainers(this.#pod, this.#record?.roles ?? NO_ROLES) : [];
      for (const { name, hasStarted } of containers) if (hasStarted) this.#begin(name, masked, following);
      // If it is ours all the same, it is recorded anew, from where the other one stands.
      if (this.#isTaken) return void (await clock.sleep(TAKEN_MS, signal).catch(() => {}));
      await this.#endUnheeding();
      if (this.#isGone || isRecorded(this.#job)) {
        overSinceMs ??= clock.monotonicMs();
        const leftMs = overSinceMs + this.#patienceMs() - clock.monotonicMs();
        if (leftMs <= 0) return;
        // Without another word of the pod: there is none, and of what is missing the follows find out.
        if (this.#hasPodEnded()) return within(leftMs, this.#followed(), clock);
      }
      await this.#wakeup.wait(LOOK_MS, signal);
    }
  }

  async #followed(): Promise<void> {
    await Promise.all(this.#follows);
  }

  /** How long a build that is over is followed yet. */
  #patienceMs(): number {
    const roles = this.#record?.roles;
    if (!this.#pod || !roles || !haveWorkersEnded(this.#pod, roles))
      return SILENT_NODE_MS + (this.#pod?.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
    // Its artifacts may come after its answer; `timeouts.collect` ends that, and with it the collector.
    if (awaitsArtifacts(this.#state())) return parseDurationMs(this.#record?.timeouts.collect ?? "10m") + SIDECARS_MS;
    return this.#hasPodEnded() ? SILENT_NODE_MS : SIDECARS_MS;
  }

  #hasPodEnded(): boolean {
    const phase = this.#pod?.status?.phase;
    return phase === undefined || phase === "Succeeded" || phase === "Failed";
  }

  #state() {
    return observeBuild(this.#job, this.#pod ? [this.#pod] : [], this.#record?.roles ?? NO_ROLES, () => undefined);
  }

  #begin(container: string, { masker, withheld }: Masked, signal: AbortSignal): void {
    if (this.#logs.has(container)) return;
    const { cluster, spools, limitBytes, clock } = this.#context;
    const directory = spools.directoryOf(this.#uid, container);
    // Where there is none any more any name will do: the API server says so.
    const pod = this.#pod?.metadata.name ?? this.#jobName;
    const log = new ContainerLog({
      ...{ container, directory, limitBytes, masker, clock, logger: this.#logger.child({ container }) },
      source:
        withheld === undefined
          ? cluster.logSource({ namespace: this.#namespace, pod, container })
          : withheldLog(withheld, () => cluster.now()),
      hasEnded: () => this.#hasContainerEnded(container),
      run: () => this.#pod && observeContainerRun(this.#pod, container),
    });
    this.#logs.set(container, log);
    this.#follows.add(log.run(signal).finally(() => this.wake()));
  }

  #hasContainerEnded(container: string): boolean {
    this.#look();
    if (!this.#pod) return true;
    return recordedContainers(this.#pod, this.#record?.roles ?? NO_ROLES).find(({ name }) => name === container)?.hasEnded ?? true;
  }

  async #reserve(signal: AbortSignal): Promise<boolean> {
    const { builds } = this.#context;
    const begun = await this.#again("reserve a build's directory in the log store", () => builds.begin(this.#place, signal), signal);
    this.#directory = begun?.directory;
    if (begun?.why) this.#logger.info({ directory: begun.directory, why: begun.why }, "stores the build elsewhere than LOG_PATH says");
    return begun !== undefined;
  }

  get #place(): EndedBuild {
    const createdAt = new Date(this.#job.metadata.creationTimestamp ?? 0);
    return { namespace: this.#namespace, jobName: this.#jobName, endedAt: createdAt, logPath: this.#record?.request.logPath ?? null };
  }

  async #store(masked: Masked, signal: AbortSignal): Promise<true | undefined> {
    const { storing, clock, spools } = this.#context;
    const untilMs = clock.monotonicMs() + MAX_STORING_MS;
    const stored = await this.#again("store a build", () => storing.run(() => this.#storeOnce(masked, signal)), signal, untilMs);
    if (!stored) {
      if (!signal.aborted) await this.#note({ problem: "the store took nothing for a day" });
      return undefined;
    }
    // Each by itself: what is stored is not stored again for the sake of these.
    const { directory, pod } = stored;
    await this.#again("write down that a build is stored", () => this.#note({ directory }), signal, untilMs);
    await this.#again("end the pod of a build that is stored", () => this.#endPod(pod), signal, untilMs);
    // Who reads it is at its end by then, and goes on with what is stored.
    await clock.sleep(LINGER_MS, signal).catch(() => {});
    await this.#again("remove a spool", () => spools.remove(this.#uid), signal, untilMs);
    return true;
  }

  async #storeOnce(masked: Masked, signal: AbortSignal): Promise<{ directory: string; pod: Pod | undefined }> {
    const { cluster, store, builds } = this.#context;
    signal.throwIfAborted();
    this.#look();
    const record = this.#record;
    const directory = this.#directory;
    if (!record || directory === undefined) throw new Error("the Job does not say whose it is");
    const [job, pods] = await Promise.all([
      cluster.getJob(this.#namespace, this.#jobName),
      cluster.readWholePods(this.#namespace, this.#jobName),
    ]);
    const report = reportBuild(this.#job, record, this.#state());
    const whole = job?.metadata.uid === this.#uid ? job : undefined;
    const pod = whole && recordedPod(whole, pods);
    const stored = await storeBuild(
      store,
      { directory, report, attempt: this.#attempt(), job: whole, pod, logs: this.logs, test: record.roles.test, ...masked },
      signal,
    );
    await builds.finish(this.#place, directory, stored, signal);
    this.#logger.info({ directory, store: store.name }, "has stored the build");
    return { directory, pod };
  }

  #attempt(): number | undefined {
    return attemptOf(this.#job, this.#context.cluster.cachedLaunchesOf(this.#record?.relaunchKey ?? ""));
  }

  async #note(stored: StoredRecord): Promise<void> {
    const annotations = { [STORED_ANNOTATION]: renderStoredRecord(stored) };
    await this.#context.cluster.annotateJob(this.#namespace, this.#jobName, annotations, { uid: this.#uid });
  }

  /**
   * A collector sends while the test runs only when the pod was told to end and the test's own grace is over: what is left of the pod's was for
   * the sending alone. Of a build that Zuul has stopped, whatever its pod tells; of any other a deleted pod would be no evidence, and no result.
   * Never rejects.
   */
  async #endUnheeding(): Promise<void> {
    const pod = this.#pod;
    const isCollected = this.#job.metadata.annotations?.[COLLECTED_ANNOTATION] !== undefined;
    if (!pod || this.#isGone || !isCollected || !this.#record?.isCancelled || this.#state().kind !== "running") return;
    try {
      await this.#context.cluster.deletePod(this.#namespace, pod.metadata.name, pod.metadata.uid);
      this.#logger.info({ pod: pod.metadata.name }, "deletes the pod, whose test takes no notice of its end; its artifacts are stored");
    } catch (thrown) {
      this.#logger.warn({ err: coerceError(thrown) }, "could not delete a pod whose test takes no notice of its end, tries again");
    }
  }

  /** All of it is stored: what of its pod takes no notice of its end is not waited for. */
  async #endPod(pod: Pod | undefined): Promise<void> {
    const { metadata, status } = pod ?? {};
    const isLeft = metadata && metadata.deletionTimestamp === undefined && status?.phase === "Running";
    if (!pod || !isLeft || !this.#record || !haveWorkersEnded(pod, this.#record.roles)) return;
    await this.#context.cluster.deletePod(this.#namespace, metadata.name, metadata.uid);
    this.#logger.info({ pod: metadata.name }, "deletes the pod, whose log is stored and whose sidecars have not ended");
  }

  /** Until it works, `signal` aborts, or `untilMs` is over. Never rejects. */
  async #again<T>(what: string, work: () => Promise<T>, signal: AbortSignal, untilMs = Number.POSITIVE_INFINITY): Promise<T | undefined> {
    const { clock } = this.#context;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        return await work();
      } catch (thrown) {
        if (signal.aborted) return undefined;
        const isLast = clock.monotonicMs() > untilMs;
        this.#logger[isLast ? "error" : "warn"]({ err: coerceError(thrown), attempt }, `could not ${what}${isLast ? "" : ", tries again"}`);
        if (isLast) return undefined;
        await clock.sleep(backoffMs(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS), signal).catch(() => {});
      }
    }
    return undefined;
  }
}

/** What is masked in all that is kept; `withheld` says in a clause why no more is read of the logs, where that is not known. */
interface Masked {
  masker: Masker;
  withheld: string | undefined;
}

/** It was deleted: nothing of it runs any more. */
function gone(pod: Pod | undefined): Pod | undefined {
  if (!pod || pod.status?.phase === "Succeeded") return pod;
  return { ...pod, status: { ...pod.status, phase: "Failed" } };
}

const NO_ROLES = { test: "", others: [], services: [], inits: [], checkout: false, collector: false, marked: false };
