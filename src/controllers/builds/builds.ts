import { randomUUID } from "node:crypto";
import { type ManifestSettings, renderJob } from "../../core/job/manifest.ts";
import { buildNumber, isUsableUnique, type RequestIdentity } from "../../core/job/name.ts";
import { type JobRecord, readJobRecord } from "../../core/job/record.ts";
import { refuseBuild } from "../../core/job/refusal.ts";
import { isAnswer, relaunchKey } from "../../core/job/relaunch.ts";
import { CANCELLED_ANNOTATION, DELIVERED_ANNOTATION, RELAUNCH_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { buildLimits } from "../../core/observation/build-limits.ts";
import { observeBuild } from "../../core/observation/build-state.ts";
import { STEPS, stepsDone } from "../../core/observation/steps.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import { configuration, type ResultStyle, renderResult, type Verdict } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import { parseFunctionName } from "../../core/zuul/function-name.ts";
import { parseParameters, textParameter } from "../../core/zuul/parameters.ts";
import { parseStopRequest } from "../../core/zuul/stop-request.ts";
import { renderFinalWorkData, renderWorkData, type WorkerIdentity } from "../../core/zuul/work-data.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Service } from "../../runtime/service.ts";
import { sha256Hex } from "../../runtime/sha256.ts";
import type { Slot } from "../../runtime/slot.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { BuildCluster, ReplicaRoles, Servers } from "../ports.ts";
import { Build, type BuildReport } from "./build.ts";
import type { BuildObserver } from "./build-observer.ts";
import { EarlyStops } from "./early-stops.ts";
import { Rush } from "./rush.ts";

/** Tries at telling the replica that carries a build out that Zuul stopped it. */
const MAX_STOP_TRIES = 10;
/** The watch shows what was written well before this. */
const CACHE_LAG_MS = 60_000;

export interface BuildsOptions {
  cluster: BuildCluster;
  servers: Servers;
  /** The TestTask that serves a function now. */
  findTask(functionName: string): TestTask | undefined;
  /** Counts a build of this TestTask (`namespace/name`) that runs already against its limits. */
  occupySlot(taskKey: string): Slot;
  /** Whether one more request for this TestTask (`namespace/name`) could be taken. */
  hasRoom(taskKey: string): boolean;
  worker: WorkerIdentity;
  settings: ManifestSettings;
  /** Where people can look at a build. */
  buildUrl(number: string): string;
  replicas: ReplicaRoles;
  resultStyle: ResultStyle;
  keepJobSeconds: number;
  observer: BuildObserver;
  clock: Clock;
  logger: Logger;
  /** A build of this TestTask (`namespace/name`) has begun or ended. */
  onTaskActivity(taskKey: string): void;
  /** A build of this TestTask ended as CONFIG_ERROR; `why` is a sentence for whoever keeps the task. */
  onRefused(taskKey: string, why: string): void;
  /** A build of this TestTask has its verdict. */
  onJudged(taskKey: string, verdict: Verdict): void;
  /** How many builds wait for room in the cluster has changed. */
  onPendingChange(count: number): void;
}

export interface LastBuild {
  number: string;
  /** As Zuul got it; null when Zuul runs the build again. */
  result: string | null;
  url: string;
  finishedAt: string;
}

/** All builds under way: hands requests, stops and changes of Jobs and pods to the build they concern. */
export class Builds implements Service {
  readonly #options: BuildsOptions;
  readonly #builds = new Map<string, Build>();
  /** Builds by the requests they answer: whatever became of its TestTask, a request that comes again finds its build. */
  readonly #byRequest = new Map<string, Build>();
  /** Builds by what a relaunch by Zuul shares with them. */
  readonly #byRelaunchKey = new Map<string, Set<Build>>();
  /** Jobs by uid whose builds have ended lately, oldest first, and whether with an answer that a relaunch may have. */
  readonly #justDone = new Map<string, { atMs: number; hasAnswer: boolean }>();
  #isStarted = false;
  #pending = 0;
  readonly #runs = new Set<Promise<void>>();
  readonly #answers = new Set<Promise<unknown>>();
  readonly #earlyStops: EarlyStops;
  readonly #emptied = new Set<() => void>();
  readonly #active = new Map<string, number>();
  readonly #last = new Map<string, LastBuild>();
  readonly #stopping = new AbortController();
  readonly #rush: Rush;

  constructor(options: BuildsOptions) {
    this.#options = options;
    this.#rush = new Rush(options.clock);
    this.#earlyStops = new EarlyStops(options.clock);
  }

  /** Goes on with the builds whose Jobs are there, if this replica is the holder; call it once the caches are filled. */
  async start(): Promise<void> {
    this.#isStarted = true;
    this.noteReplicas();
  }

  /** Who is the holder, or which replicas live, has changed: the holder goes on with the builds that no other answers for. */
  noteReplicas(): void {
    for (const build of this.#builds.values()) build.wake();
    if (!this.#options.replicas.isHolder) return;
    for (const job of this.#options.cluster.cachedJobs()) this.#adoptUnknown(job.metadata.namespace ?? "", job.metadata.name);
  }

  /** Resolves once the builds that are there now have their Jobs, or are not to have any. */
  async created(): Promise<void> {
    await Promise.all([...this.#builds.values()].map((build) => build.created));
  }

  /** Resolves once no build is carried out here and all answers were read, or `signal` aborts. */
  async emptied(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (this.#runs.size === 0 && this.#answers.size === 0) resolve();
    };
    this.#emptied.add(look);
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    look();
    await promise;
    this.#emptied.delete(look);
  }

  /** Leaves the Jobs to whoever comes next. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled([...this.#runs, ...this.#answers]);
  }

  /** Takes a request. Says at once who has it and under which number, before anything that may be slow. */
  assign(assignment: Assignment): void {
    try {
      this.#assign(assignment);
    } catch (error) {
      // Nothing that a request holds may go without an answer.
      this.#options.logger.error(
        { err: coerceError(error), function: assignment.functionName },
        "fails a request after an unexpected error",
      );
      assignment.slot.release();
      this.#track(this.#answers, assignment.fail());
    }
  }

  /** A `stop:` request; whatever it holds, it needs no further answer. */
  requestStop(payload: Uint8Array): void {
    const number = parseStopRequest(payload);
    if (number === undefined) {
      this.#options.logger.warn({}, "ignores a stop request that names no build");
      return;
    }
    const build = this.#builds.get(number);
    if (build) {
      build.requestStop();
      return;
    }
    const found = this.#find(number);
    if (found) {
      this.#track(this.#answers, this.#cancel(found.job, number));
      return;
    }
    this.#options.logger.info({ build: number }, "remembers a stop for a build that is not known yet");
    this.#earlyStops.remember(number);
  }

  #find(number: string): { job: Job; record: JobRecord } | undefined {
    for (const job of this.#options.cluster.cachedJobs()) {
      const record = job.metadata.name.startsWith(number) ? readJobRecord(job) : undefined;
      if (record?.number === number) return { job, record };
    }
    return undefined;
  }

  /** Tells whoever carries the build out, through its Job, that Zuul stopped it. */
  async #cancel({ metadata: { namespace = "", name } }: Job, number: string): Promise<void> {
    const { cluster, clock, logger } = this.#options;
    const { signal } = this.#stopping;
    const pause = new Wakeup(clock);
    for (let attempt = 0; attempt < MAX_STOP_TRIES && !signal.aborted; attempt++) {
      try {
        await cluster.annotateJob(namespace, name, { [CANCELLED_ANNOTATION]: clock.now().toISOString() });
        logger.info({ build: number, job: name }, "passes a stop on to the replica that carries the build out");
        return;
      } catch (error) {
        logger.warn({ err: coerceError(error), build: number, attempt }, "retries to pass a stop on");
        await pause.wait(backoffMs(attempt, 250, 15_000), signal);
      }
    }
    if (!signal.aborted) logger.error({ build: number, job: name }, "gives up passing a stop on: the build goes on");
  }

  /** A Gearman server has come or gone. */
  noteServers(): void {
    for (const build of this.#builds.values()) build.noteServer();
  }

  /** Something about a Job of ours, or about a pod of it, has changed. */
  wake(namespace: string, jobName: string): void {
    // A Job carries its build's number as name, save where another build held that name.
    const build = this.#builds.get(jobName) ?? this.#builds.get(jobName.replace(/-r\d+$/, ""));
    if (build) build.wake();
    else this.#adoptUnknown(namespace, jobName);
  }

  /** A build that another replica carries out, or that is over and whose Job is kept, is told of as well. */
  report(number: string): BuildReport | undefined {
    const build = this.#builds.get(number);
    if (build) return build.report();
    const found = this.#find(number);
    if (!found) return undefined;
    const { job, record } = found;
    const { namespace, jobName, verdict, isCancelled } = record;
    const { cluster } = this.#options;
    const state = observeBuild(job, cluster.cachedPods(namespace, jobName), cluster.killOf.bind(cluster));
    const step = verdict ? "ended" : (STEPS[stepsDone(state)] ?? "ended");
    const pod = "pod" in state ? state.pod?.name : undefined;
    return { number, namespace, jobName, step, pod, requested: isCancelled ? "stop" : undefined, verdict };
  }

  /** How many are carried out here or watched. */
  get size(): number {
    return this.#builds.size;
  }

  /** Of how many a request is answered here. */
  get claimed(): number {
    return this.#builds
      .values()
      .filter((build) => build.isClaimed)
      .reduce((count) => count + 1, 0);
  }

  /** How many are under way, by TestTask (`namespace/name`). */
  get active(): ReadonlyMap<string, number> {
    return this.#active;
  }

  /** How many wait for room in the cluster. */
  get pending(): number {
    return this.#pending;
  }

  /** How many were judged and their answer was not read yet. */
  get undelivered(): number {
    return this.#builds
      .values()
      .filter((build) => build.awaitsDelivery)
      .reduce((count) => count + 1, 0);
  }

  activeOf(taskKey: string): number {
    return this.#active.get(taskKey) ?? 0;
  }

  lastOf(taskKey: string): LastBuild | undefined {
    return this.#last.get(taskKey);
  }

  #assign(assignment: Assignment): void {
    const { functionName, server, payload } = assignment;
    const { findTask, settings, replicas, clock, logger } = this.#options;
    const unique = isUsableUnique(assignment.unique) ? assignment.unique : randomUUID();
    const task = findTask(functionName);
    const number = buildNumber(task?.metadata.name ?? "refused", { server, functionName, unique }, sha256Hex);

    const parsed = parseParameters(payload, assignment.payloadBytes);
    const logPath = (parsed.ok && textParameter(parsed.parameters, "LOG_PATH")) || null;
    const request = { server, unique, number, logPath, replica: replicas.name, since: clock.now().toISOString() };

    const known = this.#byRequest.get(requestKey({ server, functionName, unique }));
    if (known) {
      logger.info({ build: known.number, server }, "attaches a request to the build that is under way");
      known.attach(assignment, { ...request, number: known.number });
      return;
    }
    const jobName = parseFunctionName(functionName)?.jobName ?? functionName;
    const workData = renderWorkData({ jobName, number, url: this.#options.buildUrl(number) }, this.#options.worker);
    if (!task || !parsed.ok) {
      const why = parsed.ok || !task ? "no TestTask serves this job any more" : parsed.problem;
      this.#refuse(assignment, task && testTaskKey(task), workData, configuration(task ? "bad-request" : "no-task", why));
      return;
    }
    const refusal = refuseBuild(task, parsed.parameters);
    if (refusal) {
      this.#refuse(assignment, testTaskKey(task), workData, configuration(refusal.rule, refusal.why));
      this.#options.onRefused(testTaskKey(task), `refuses a build of ${jobName}: ${refusal.why}`);
      return;
    }

    const key = relaunchKey(task, functionName, parsed.parameters, sha256Hex);
    const earlier = key === undefined ? undefined : this.#findEarlier(key);
    if (earlier) {
      logger.info({ build: earlier.number, server, unique }, "attaches Zuul's relaunch to the build that it is of");
      this.#byRequest.set(requestKey({ server, functionName, unique }), earlier);
      earlier.attach(assignment, { ...request, number: earlier.number });
      return;
    }
    const job = renderJob({ task, functionName, parameters: parsed.parameters, request, relaunchKey: key, settings });
    logger.info({ build: number, function: functionName, server, unique, task: testTaskKey(task) }, "accepts a build");
    this.#run(job, testTaskKey(task), buildLimits(task.spec.timeouts), workData, functionName, (build) => {
      build.attach(assignment, request);
      if (this.#earlyStops.take(number)) build.requestStop();
    });
  }

  /**
   * The build that a relaunch by Zuul with this key can be answered by. One whose answer the server has read is among them: Zuul does not
   * launch again what it has a result of, so the answer was lost between the server and Zuul.
   */
  #findEarlier(key: string): Build | undefined {
    // Of several the newest: its Job was only made because all before it were in vain.
    const running = [...(this.#byRelaunchKey.get(key) ?? [])].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const adoptable = running.find((build) => build.isAdoptable);
    if (adoptable) return adoptable;
    for (const job of this.#jobsOf(key)) {
      const record = readJobRecord(job);
      if (!record || record.isCancelled || this.#builds.has(record.number)) continue;
      // The watch may not have shown yet what was written down last.
      const done = this.#justDone.get(job.metadata.uid ?? "");
      // One without a verdict was left when this replica's role went, or is another's: it may run still, or have an answer.
      if (!(record.verdict ? isAnswer(record.verdict) : (done?.hasAnswer ?? true))) continue;
      const build = this.#adopt(job, record);
      if (build.isAdoptable) return build;
    }
    return undefined;
  }

  /** The Jobs of this relaunch key, newest first. */
  #jobsOf(key: string): Job[] {
    const createdAt = (job: Job) => job.metadata.creationTimestamp ?? "";
    return Iterator.from(this.#options.cluster.cachedJobs())
      .filter(({ metadata }) => metadata.annotations?.[RELAUNCH_ANNOTATION] === key && !metadata.deletionTimestamp)
      .toArray()
      .sort((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1));
  }

  /** Goes on with a build that another replica has begun, if it has not ended. */
  #adoptUnknown(namespace: string, jobName: string): void {
    const { cluster, replicas } = this.#options;
    const job = cluster.cachedJob(namespace, jobName);
    if (!job || !this.#isStarted || this.#stopping.signal.aborted) return;
    // Of ten thousand old Jobs almost all are delivered: reading the whole record of each would take 50 ms.
    if (job.metadata.annotations?.[DELIVERED_ANNOTATION] !== undefined) return;
    const record = readJobRecord(job);
    if (!record || isWrittenDown(job, record) || this.#builds.has(record.number) || this.#isJustDone(job)) return;
    if (replicas.isHolder) this.#adopt(job, record);
    if (!this.#earlyStops.take(record.number)) return;
    const build = this.#builds.get(record.number);
    if (build) build.requestStop();
    else this.#track(this.#answers, this.#cancel(job, record.number));
  }

  /** The cache may still show a Job of ours as it was before its end was written down. */
  #isJustDone({ metadata: { uid } }: Job): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [done, { atMs }] of this.#justDone) {
      if (nowMs - atMs <= CACHE_LAG_MS) break;
      this.#justDone.delete(done);
    }
    return uid !== undefined && this.#justDone.has(uid);
  }

  #adopt(job: Job, record: JobRecord): Build {
    const { buildUrl, worker, logger } = this.#options;
    const jobName = parseFunctionName(record.functionName)?.jobName ?? record.functionName;
    const workData = renderWorkData({ jobName, number: record.number, url: buildUrl(record.number) }, worker);
    logger.info({ build: record.number, job: record.jobName }, "goes on with a build that was under way");
    return this.#run(job, `${record.namespace}/${record.task}`, buildLimits(record.timeouts), workData, record.functionName);
  }

  /** `claim` gives a new build the request that it is made for, before it does anything; one without it goes on with a Job that is there. */
  #run(
    job: Job,
    taskKey: string,
    limits: ReturnType<typeof buildLimits>,
    workData: ReturnType<typeof renderWorkData>,
    functionName: string,
    claim?: (build: Build) => void,
  ): Build {
    const isAdopted = claim === undefined;
    const { cluster, observer, clock, logger, resultStyle, keepJobSeconds, hasRoom, servers } = this.#options;
    const key = job.metadata.annotations?.[RELAUNCH_ANNOTATION];
    const onPlaced = () => this.#countPending(-1);
    this.#countPending(1);
    this.#rush.noteStep();
    const nodeLabel = parseFunctionName(functionName)?.nodeLabel;
    const nodeLabels = nodeLabel === undefined ? [] : [nodeLabel];
    const build = new Build({
      isServerUp: servers.isUp,
      mayBeAskedLater: (server) => !hasRoom(taskKey) && (key !== undefined || servers.handsOutAgain(server)),
      replica: this.#options.replicas.name,
      replicas: this.#options.replicas,
      rush: this.#rush,
      job,
      limits,
      workData,
      nodeLabels,
      taskKey,
      cluster,
      observer,
      clock,
      logger,
      resultStyle,
      keepJobSeconds,
      isAdopted,
      slot: isAdopted ? this.#options.occupySlot(taskKey) : undefined,
      onPlaced,
      onJudged: (verdict) => this.#options.onJudged(taskKey, verdict),
    });
    const record = readJobRecord(job);
    this.#builds.set(build.number, build);
    if (record) this.#byRequest.set(requestKey(record), build);
    const alike = key === undefined ? undefined : (this.#byRelaunchKey.get(key) ?? new Set());
    if (key !== undefined && alike) this.#byRelaunchKey.set(key, alike.add(build));
    this.#countActive(taskKey, 1);
    claim?.(build);
    const run = build.run(this.#stopping.signal).then((outcome) => {
      this.#builds.delete(build.number);
      for (const [request, answering] of this.#byRequest) if (answering === build) this.#byRequest.delete(request);
      const { verdict } = build.report();
      if (build.jobUid !== undefined && outcome === "ended")
        this.#justDone.set(build.jobUid, { atMs: clock.monotonicMs(), hasAnswer: verdict !== undefined && isAnswer(verdict) });
      alike?.delete(build);
      if (key !== undefined && alike?.size === 0) this.#byRelaunchKey.delete(key);
      this.#noteLast(taskKey, build);
      this.#countActive(taskKey, -1);
      // It may have come back to this replica while it was left.
      if (outcome === "left") this.#adoptUnknown(build.namespace, build.jobName);
    });
    this.#track(this.#runs, run);
    return build;
  }

  /** Answers a request that becomes no Job. */
  #refuse(assignment: Assignment, task: string | undefined, workData: ReturnType<typeof renderWorkData>, verdict: Verdict): void {
    const { logger, resultStyle, observer } = this.#options;
    const { rule, message: text } = verdict;
    logger.warn({ build: workData.number, task, function: assignment.functionName, rule, text }, "refuses a request");
    observer.noteVerdict(task, verdict.class);
    assignment.sendData(JSON.stringify(workData));
    assignment.sendStatus(0, STEPS.length);
    const json = JSON.stringify(
      renderFinalWorkData(workData, { result: renderResult(verdict, resultStyle), node: undefined, nodeLabels: [] }),
    );
    assignment.sendData(json);
    this.#track(this.#answers, assignment.complete(json));
    assignment.slot.release();
  }

  #noteLast(taskKey: string, build: Build): void {
    const verdict = build.report().verdict;
    if (!verdict) return;
    if (verdict.class === "configuration") this.#options.onRefused(taskKey, `cannot make a build: ${verdict.message}`);
    this.#last.set(taskKey, {
      number: build.number,
      result: renderResult(verdict, this.#options.resultStyle),
      url: this.#options.buildUrl(build.number),
      finishedAt: this.#options.clock
        .now()
        .toISOString()
        .replace(/\.\d+Z$/, "Z"),
    });
  }

  #countActive(taskKey: string, change: number): void {
    const count = this.activeOf(taskKey) + change;
    if (count > 0) this.#active.set(taskKey, count);
    else this.#active.delete(taskKey);
    this.#options.onTaskActivity(taskKey);
  }

  #countPending(change: number): void {
    this.#pending += change;
    this.#options.onPendingChange(this.#pending);
  }

  /** Keeps a promise until it is settled, so that `stop` can wait for it. */
  #track<T>(set: Set<Promise<T>>, promise: Promise<T>): void {
    set.add(promise);
    const forget = () => {
      set.delete(promise);
      for (const look of [...this.#emptied]) look();
    };
    promise.then(forget, forget);
  }
}

/** A verdict alone is not the end: a Job that was to be deleted has one, too. */
function isWrittenDown({ spec }: Job, { isDelivered, verdict }: JobRecord): boolean {
  return isDelivered || (verdict !== undefined && spec?.ttlSecondsAfterFinished !== undefined);
}

function requestKey({ server, functionName, unique }: RequestIdentity): string {
  return JSON.stringify([server, functionName, unique]);
}
