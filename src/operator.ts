import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type Config, servedPlaces } from "./config.ts";
import { Builds } from "./controllers/builds/builds.ts";
import { drainBuilds } from "./controllers/builds/drain-builds.ts";
import { KeptJobs } from "./controllers/builds/kept-jobs.ts";
import { Tallies } from "./controllers/builds/tallies.ts";
import { HolderTerm } from "./controllers/replicas/holder-term.ts";
import { Replicas } from "./controllers/replicas/replicas.ts";
import { TaskEvents } from "./controllers/test-tasks/task-events.ts";
import { TemplateReviews } from "./controllers/test-tasks/template-reviews.ts";
import { TestTasks } from "./controllers/test-tasks/test-tasks.ts";
import { parseDurationMs } from "./core/kubernetes/duration.ts";
import { readReadiness } from "./core/task-status/conditions.ts";
import { MAX_PARAMETERS_BYTES } from "./core/zuul/parameters.ts";
import { managerName } from "./core/zuul/stop-request.ts";
import type { WorkerIdentity } from "./core/zuul/work-data.ts";
import { makeGearmanLink } from "./gearman/worker/gearman-link.ts";
import { makeSlotPool } from "./gearman/worker/slot-pool.ts";
import type { KubeClient } from "./kube/client/kube-client.ts";
import { BuildObjects } from "./kube/objects/build-objects.ts";
import { FunctionNames } from "./kube/objects/function-names.ts";
import { LeaseObjects } from "./kube/objects/lease-objects.ts";
import { TaskEventObjects } from "./kube/objects/task-event-objects.ts";
import { TemplateReviewer } from "./kube/objects/template-reviewer.ts";
import { TestTaskObjects } from "./kube/objects/test-task-objects.ts";
import { ServedNamespaces } from "./kube/watch/served-namespaces.ts";
import type { LogStore } from "./logs/stores/log-store.ts";
import { type Metrics, makeMetrics } from "./metrics/metrics.ts";
import { makePages } from "./pages.ts";
import { makeRecording } from "./recording.ts";
import type { Clock } from "./runtime/clock.ts";
import { coerceError } from "./runtime/errors.ts";
import { localAddresses } from "./runtime/local-addresses.ts";
import type { Logger } from "./runtime/logger.ts";
import type { Service } from "./runtime/service.ts";
import { within } from "./runtime/within.ts";
import { VERSION } from "./version.ts";
import { renderReadiness } from "./web/pages/readiness.ts";

/** How long writes to the API server and to the log store that are under way may still take when the operator stops. */
const STOP_GRACE_MS = 3000;

export interface OperatorOptions {
  config: Config;
  client: KubeClient;
  /** Where logs and artifacts are kept, as the configuration says; it is closed with the operator. Default: nowhere. */
  store?: LogStore | undefined;
  clock: Clock;
  /** Of the Leases that it shares with other replicas; default: `clock`. A test that skips time can't skip that of others. */
  leaseClock?: Clock;
  logger: Logger;
  /** Those that the client's calls are counted in; default: new ones. */
  metrics?: Metrics;
}

export interface Operator extends Service {
  /** Ports in use, once started. */
  readonly ports: { public: number; internal: number };
  /** Resolves once the TestTasks, Jobs and pods are known and the functions are on their way to the Gearman servers. */
  ready(): Promise<void>;
  /**
   * Before `stop`: hands the taking of builds to another replica at once, and stays registered until the builds that are answered here have
   * ended, the configured time is over, they can't be seen any more, or `signal` aborts. Resolves to how many are left.
   */
  drain(signal: AbortSignal): Promise<number>;
}

/**
 * The composition root. One replica of an installation, the holder, takes builds; any other keeps their functions registered, answers
 * `stop:`, and ends what it still answers for.
 *
 *   Gearman servers --JOB_ASSIGN--> gearman/ --assignment--> controllers/Builds --one Build each--> kube/BuildObjects --> API server
 *        ^                             ^                        ^        ^                             |
 *        +-- WORK_DATA/STATUS/... -----+                        |        +------ Job, pod changed -----+
 *                                      |                        |
 *                                      +-- registrations -- controllers/TestTasks <-- TestTask changed -- kube/TestTaskObjects
 *                                                               ^
 *                                                               +-- holder or not -- controllers/Replicas <-- kube/LeaseObjects
 *
 *   Jobs, pods, their logs --> logs/Recorder --> logs/LogStore --> pages       pods' collectors --> uploads/ --> logs/LogStore
 */
export function makeOperator(options: OperatorOptions): Operator {
  const { config, store, client, clock, leaseClock = clock, logger, metrics = makeMetrics({ version: VERSION }) } = options;
  const { installation } = config;
  const { namespaces, own } = servedPlaces(config);
  const host = hostname();
  // A process that was started again is another replica: it holds nothing of what the one before held.
  const replica = `${host}-${randomBytes(3).toString("hex")}`;
  const manager = managerName(installation);
  const worker: WorkerIdentity = {
    manager,
    name: `turbo-hipster/${installation}/${replica}`,
    hostname: host,
    fqdn: host,
    program: "turbo-hipster",
    version: VERSION,
    ips: localAddresses(),
  };
  const pool = makeSlotPool({ capacity: config.maxBuilds });

  const served = new ServedNamespaces({ namespaces, logger });
  // Before buildObjects tells of its Jobs: they count against its tasks' limits.
  served.onKnown(() => testTasks.noteNamespace());
  const buildObjects = new BuildObjects({
    client,
    namespaces,
    served,
    installation,
    clock,
    logger,
    onChange(namespace, jobName) {
      builds.wake(namespace, jobName);
      recording.wake(namespace, jobName);
    },
  });
  const taskObjects = new TestTaskObjects({ client, namespaces, served, clock, logger, onChange: () => testTasks.wake() });
  const link = makeGearmanLink({
    servers: config.gearman.servers,
    clientId: worker.name,
    managerName: manager,
    onAssignment: (assignment) => builds.assign(assignment),
    isAwaited: (server, serves) => builds.isAwaited(server, serves),
    // More than this is refused anyway: it need not be held.
    limits: { payloadBytes: MAX_PARAMETERS_BYTES, clientGoneAfterMs: parseDurationMs(config.gearman.clientGoneAfter) },
    onStop: (payload) => builds.requestStop(payload),
    logger,
    clock,
  });
  const leases = new LeaseObjects({ client, namespace: own, installation, clock: leaseClock, logger });
  const replicas = new Replicas({ leases, installation, replica, clock: leaseClock, logger, onChange: () => term.noteReplicas() });
  const term = new HolderTerm({
    replica,
    replicas,
    refresh: () => buildObjects.refresh(),
    onChange() {
      builds.noteReplicas();
      testTasks.wake();
      keptJobs.wake();
      recording.noteReplicas();
    },
    logger,
  });
  // Asked once it listens: the configured port may be any free one.
  const addressOf = (port: "public" | "internal", configured: string | undefined) =>
    configured?.replace(/\/+$/, "") ?? `http://${host}:${pages.ports[port]}`;
  const buildUrl = (number: string) => `${addressOf("public", config.publicUrl)}/builds/${number}`;
  const recording = makeRecording({ ...{ config, store, client, buildObjects, clock, logger }, replicas: term, buildUrl });
  const settings = {
    ...{ installation, image: config.image, checkout: config.checkout, podUser: config.podUser, keepsArtifacts: store !== undefined },
    get internalUrl() {
      return addressOf("internal", config.internalUrl);
    },
  };
  const tallies = new Tallies({
    onActivity: () => {
      testTasks.noteActivity();
      keptJobs.wake();
    },
    onPending(count) {
      // First: a pool that is not paused offers its slots at once.
      testTasks.noteShares();
      pool.setPaused(count >= (config.maxPending ?? Number.POSITIVE_INFINITY));
    },
  });
  const keptJobs = new KeptJobs({ cluster: buildObjects, isHolder: () => term.isHolder, maxKept: config.maxKeptJobs, clock, logger });
  const events = new TaskEvents({ writer: new TaskEventObjects({ client }), clock, logger });
  const reviews = new TemplateReviews({
    reviewer: new TemplateReviewer({ client }),
    settings,
    clock,
    logger,
    onReviewed: () => testTasks.wake(),
  });
  const testTasks = new TestTasks({
    cluster: {
      tasks: taskObjects,
      namespaces: served,
      names: new FunctionNames({ client, namespace: own, installation }),
    },
    gearman: {
      link,
      pools: { installation: pool, make: (capacity, parent) => makeSlotPool(parent ? { capacity, parent } : { capacity }) },
    },
    reviews,
    events,
    builds: tallies,
    limits: { maxPending: config.maxPending ?? config.maxBuilds, maxBuilds: config.maxBuilds },
    isHolder: () => term.isHolder,
    clock,
    logger,
  });

  const builds = new Builds({
    cluster: buildObjects,
    tasks: testTasks,
    servers: link,
    replicas: term,
    keptJobs,
    stored: recording,
    tallies,
    observer: metrics,
    settings: {
      manifest: settings,
      worker,
      buildUrl,
      resultStyle: config.results,
      keepJobSeconds: recording.keepUnstoredSeconds,
    },
    clock,
    logger,
  });

  const pages = makePages({
    ...{ config, reports: builds.reports, buildObjects, taskObjects, recording, clock, logger },
    internal: {
      failure: () => failure,
      readiness: () => renderReadiness({ isReady, isHolder: replicas.isHolder, servers: link.servers, unserved: served.report() }),
      metrics,
    },
  });

  metrics.connect({
    isHolder: () => replicas.isHolder,
    activeBuilds: () => tallies.active,
    pendingBuilds: () => tallies.pending,
    undeliveredBuilds: () => builds.undelivered,
    longestUnstoredMs: () => recording.longestUnstoredMs(),
    pools: () => testTasks.pools,
    servers: () => link.servers,
    watchAgesMs: () => ({
      testtasks: taskObjects.lastHeardMsAgo(),
      ...buildObjects.lastHeardMsAgo(),
      leases: leases.lastHeardMsAgo(),
    }),
    testTaskReadiness: () => Iterator.from(taskObjects.cachedTestTasks()).map(readReadiness),
  });

  let isReady = false;
  let failure: string | undefined;
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});

  /** Builds are taken only when what is running already is known. */
  async function begin(): Promise<void> {
    await Promise.all([taskObjects.synced(), buildObjects.synced()]);
    await Promise.all([events.start(), reviews.start()]);
    await testTasks.start();
    await builds.start();
    await keptJobs.start();
    await recording.start();
    await link.start();
    isReady = true;
    logger.info({ namespaces: config.namespaces, servers: config.gearman.servers, installation, replica, version: VERSION }, "is ready");
    ready.resolve();
    await replicas.start();
  }

  let isStopping = false;
  let beginning: Promise<void> = Promise.resolve();
  const unsubscribe = link.onChange(() => {
    builds.noteServers();
    testTasks.wake();
  });
  return {
    get ports() {
      return pages.ports;
    },
    ready: () => ready.promise,
    async start() {
      await pages.start();
      await Promise.all([taskObjects.start(), buildObjects.start(), leases.start()]);
      beginning = begin().catch((error) => {
        ready.reject(error);
        if (isStopping) return;
        failure = `could not begin to take builds: ${coerceError(error).message}`;
        logger.error({ err: coerceError(error) }, "could not begin to take builds");
      });
    },
    drain(signal) {
      link.stopGrabbing();
      return drainBuilds({ builds, replicas, cluster: buildObjects, limit: config.drain, clock, logger }, signal);
    },
    /** First takes nothing more, then lets go of everything; Jobs that run are left to whoever comes next. */
    async stop() {
      isStopping = true;
      term.noteStop();
      unsubscribe();
      link.stopGrabbing();
      const buildsEnded = builds.stop();
      // A log store's disk may hang, which no signal ends: what is not stored is the next replica's, and that one waits for nothing here.
      const recordingEnded = recording.stop().catch((thrown) => logger.error({ err: coerceError(thrown) }, "could not stop recording"));
      await within(
        STOP_GRACE_MS,
        Promise.all([buildsEnded, recordingEnded]).then(() => {}),
        clock,
      );
      await replicas.stop();
      await Promise.all([taskObjects.stop(), buildObjects.stop(), keptJobs.stop(), leases.stop()]);
      await beginning;
      await testTasks.stop();
      await Promise.all([events.stop(), reviews.stop()]);
      await Promise.all([buildsEnded, builds.stop(), link.stop()]);
      await pages.stop();
    },
  };
}
