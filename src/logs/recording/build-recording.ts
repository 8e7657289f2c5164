import { hasChecks } from "../../core/checks/job-checks.ts";
import { parseDurationMs } from "../../core/kubernetes/duration.ts";
import { COLLECTED_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { observeContainerRun } from "../../core/logs/container-run.ts";
import type { Masker } from "../../core/logs/masking.ts";
import { haveWorkersEnded, inOrder } from "../../core/logs/recorded-containers.ts";
import { awaitsArtifacts } from "../../core/observation/build-state.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import { within } from "../../runtime/within.ts";
import { BuildSight } from "./build-sight.ts";
import { BuildStoring, type BuildStoringOptions } from "./build-storing.ts";
import { ContainerLog } from "./container-log.ts";
import { type KeepTrying, makeKeepTrying } from "./keep-trying.ts";
import { type Masked, readMasker, UnmaskableError, withhold } from "./secret-masker.ts";
import { withheldLog } from "./withheld-log.ts";

/** How often a build is looked at though nothing changes. */
const LOOK_MS = 5000;
/** Of a build that is over, what its sidecars may still print is waited for. */
const SIDECARS_MS = 15_000;
/** And what a pod prints whose node does not say that it has ended. */
const SILENT_NODE_MS = 10 * 60_000;
/** Whose a build is, of which another replica has taken a log, is known to both of them after so long. */
const TAKEN_MS = 5000;

export interface RecordingContext extends Omit<BuildStoringOptions, "sight" | "again"> {
  /** Of one container's log. */
  limitBytes: number;
}

/** Follows the logs of one build while it runs, and has it stored when it is over. Whatever fails is told and tried again. */
export class BuildRecording {
  readonly #context: RecordingContext;
  readonly #logger: Logger;
  readonly #sight: BuildSight;
  readonly #again: KeepTrying;
  readonly #storing: BuildStoring;
  #masker: Masker | undefined;
  readonly #logs = new Map<string, ContainerLog>();
  readonly #follows = new Set<Promise<void>>();
  readonly #wakeup: Wakeup;
  /** Since when nothing but the store, and the spool beside it, is waited for: at the beginning, and once all is there that is to be stored. */
  #storeAwaitedSinceMs: number | undefined;

  constructor(job: Job, context: RecordingContext) {
    const { cluster, clock } = context;
    this.#context = context;
    this.#sight = new BuildSight(job, cluster);
    const { namespace, jobName, record } = this.#sight;
    const logger = context.logger.child({ build: record?.request.number ?? jobName, namespace });
    this.#logger = logger;
    this.#again = makeKeepTrying({ clock, logger });
    this.#storing = new BuildStoring({ ...context, sight: this.#sight, again: this.#again, logger });
    this.#wakeup = new Wakeup(clock);
  }

  /** Its Job or pod has changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  isOf(namespace: string, jobName: string): boolean {
    return namespace === this.#sight.namespace && jobName === this.#sight.jobName;
  }

  /** Where its own files go, its log and artifacts; undefined until that is known. */
  get directory(): string | undefined {
    return this.#storing.directory;
  }

  /** Where its page goes in the store, of a lead that of all datasets; undefined until that is known. */
  get place(): string | undefined {
    return this.#storing.place;
  }

  /** For how long nothing but the store is waited for; 0 where that is not so, and once it has all. */
  get unstoredMs(): number {
    if (this.#storeAwaitedSinceMs === undefined || this.#storing.isStored) return 0;
    return this.#context.clock.monotonicMs() - this.#storeAwaitedSinceMs;
  }

  /** undefined until the Secrets were read. */
  get masker(): Masker | undefined {
    return this.#masker;
  }

  /** Of the test, once its container has begun. */
  get testLog(): ContainerLog | undefined {
    return this.#logs.get(this.#sight.record?.roles.test ?? "");
  }

  /** The test's first. */
  get logs(): ContainerLog[] {
    const logs = [...this.#logs.values()].map((log) => ({ name: log.container, log }));
    return inOrder(logs, this.#sight.record?.roles.test ?? "").map(({ log }) => log);
  }

  /** Resolves with true when all is done, with false soon after `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<boolean> {
    const following = new AbortController();
    const reserved = this.#storing.reserve(signal);
    try {
      const masked = await this.#again("read what is masked", () => this.#readMasked(), signal);
      if (!masked) return false;
      if (masked.withheld === undefined) this.#masker = masked.masker;
      await this.#follow(masked, AbortSignal.any([signal, following.signal]), signal);
      following.abort();
      await Promise.all(this.#follows);
      this.#storeAwaitedSinceMs = this.#context.clock.monotonicMs();
      if (signal.aborted || !(await reserved)) return false;
      if (this.#isTaken) return false;
      return (await this.#storing.store(this.logs, masked, signal)) === true;
    } finally {
      following.abort();
      await Promise.all([reserved, ...this.#follows]);
    }
  }

  /** Whoever writes its logs has taken the build over. */
  get #isTaken(): boolean {
    return this.logs.some(({ isTaken }) => isTaken);
  }

  /** What can't be masked is not read, but for what is in the spool, which is masked already. Until the build is over it may be readable yet. */
  async #readMasked(): Promise<Masked> {
    try {
      const masker = await readMasker(this.#context.cluster, this.#sight);
      if (masker.unmasked.length > 0)
        this.#logger.warn({ unmasked: masker.unmasked }, "does not mask all values of the Secrets that a build names");
      return { masker, withheld: undefined };
    } catch (thrown) {
      this.#sight.look();
      if (!(thrown instanceof UnmaskableError) || !this.#sight.isOver) throw thrown;
      this.#logger.warn({ why: thrown.message }, "keeps no more of a build's logs");
      return withhold(thrown);
    }
  }

  /** Until nothing of it is to be waited for. */
  async #follow(masked: Masked, following: AbortSignal, signal: AbortSignal): Promise<void> {
    const { spools, clock } = this.#context;
    const sight = this.#sight;
    sight.look();
    this.#storeAwaitedSinceMs = clock.monotonicMs();
    const left = await this.#again("read the spool", () => spools.containers(sight.uid), signal);
    this.#storeAwaitedSinceMs = undefined;
    for (const container of left ?? []) this.#begin(container, masked, following);
    let overSinceMs: number | undefined;
    while (!signal.aborted) {
      sight.look();
      const containers = masked.withheld === undefined ? sight.containers : [];
      for (const { name, hasStarted } of containers) if (hasStarted) this.#begin(name, masked, following);
      // If it is ours all the same, it is recorded anew, from where the other one stands.
      if (this.#isTaken) return void (await clock.sleep(TAKEN_MS, signal).catch(() => {}));
      await this.#endUnheeding();
      if (sight.isOver) {
        overSinceMs ??= clock.monotonicMs();
        const leftMs = overSinceMs + this.#patienceMs() - clock.monotonicMs();
        if (leftMs <= 0) return;
        // Without another word of the pod: there is none, and of what is missing the follows find out.
        if (sight.hasPodEnded) return within(leftMs, this.#followed(), clock);
      }
      await this.#wakeup.wait(LOOK_MS, signal);
    }
  }

  async #followed(): Promise<void> {
    await Promise.all(this.#follows);
  }

  /** How long a build that is over is followed yet. */
  #patienceMs(): number {
    const { pod, record, hasPodEnded } = this.#sight;
    if (!pod || !record || !haveWorkersEnded(pod, record.roles))
      return SILENT_NODE_MS + (pod?.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
    // Its artifacts may come after its answer; `timeouts.collect` ends that, and with it the collector.
    if (awaitsArtifacts(this.#sight.state)) return parseDurationMs(record.timeouts.collect) + SIDECARS_MS;
    return hasPodEnded ? SILENT_NODE_MS : SIDECARS_MS;
  }

  #begin(container: string, { masker, withheld }: Masked, signal: AbortSignal): void {
    if (this.#logs.has(container)) return;
    const { cluster, spools, limitBytes, clock } = this.#context;
    const { namespace, jobName, uid, pod } = this.#sight;
    // Where there is none any more any name will do: the API server says so.
    const place = { namespace, pod: pod?.metadata.name ?? jobName, container };
    const log = new ContainerLog({
      keepsTimes: container === this.#sight.record?.roles.test && hasChecks(this.#sight.job),
      ...{ container, directory: spools.directoryOf(uid, container), limitBytes, masker, clock },
      logger: this.#logger.child({ container }),
      source: withheld === undefined ? cluster.logSource(place) : withheldLog(withheld, () => cluster.now()),
      hasEnded: () => this.#hasContainerEnded(container),
      run: () => this.#sight.pod && observeContainerRun(this.#sight.pod, container),
    });
    this.#logs.set(container, log);
    this.#follows.add(log.run(signal).finally(() => this.wake()));
  }

  #hasContainerEnded(container: string): boolean {
    this.#sight.look();
    return this.#sight.containers.find(({ name }) => name === container)?.hasEnded ?? true;
  }

  /**
   * A collector sends while the test runs only when the pod was told to end and the test's own grace is over: what is left of the pod's was for
   * the sending alone. Of a build that Zuul has stopped, whatever its pod tells; of any other a deleted pod would be no evidence, and no result.
   * Never rejects.
   */
  async #endUnheeding(): Promise<void> {
    const { namespace, job, pod, isCancelled, isGone } = this.#sight;
    const isCollected = job.metadata.annotations?.[COLLECTED_ANNOTATION] !== undefined;
    if (!pod || isGone || !isCollected || !isCancelled || this.#sight.state.kind !== "running") return;
    try {
      await this.#context.cluster.deletePod(namespace, pod.metadata.name, pod.metadata.uid);
      this.#logger.info({ pod: pod.metadata.name }, "deletes the pod, whose test takes no notice of its end; its artifacts are stored");
    } catch (thrown) {
      this.#logger.warn({ err: coerceError(thrown) }, "could not delete a pod whose test takes no notice of its end, tries again");
    }
  }
}
