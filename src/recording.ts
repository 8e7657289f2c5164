import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { ARTIFACT_LIMITS } from "./core/artifacts/artifact-limits.ts";
import { collectorAudience } from "./core/artifacts/collector-audience.ts";
import { readArtifactPaths } from "./core/job/artifact-paths.ts";
import { findJobs } from "./core/job/record.ts";
import { parseDurationMs } from "./core/kubernetes/duration.ts";
import type { Job } from "./core/kubernetes/objects.ts";
import { quantityBytes } from "./core/kubernetes/quantity.ts";
import { INDEX_FILE } from "./core/logs/log-files.ts";
import type { Masker } from "./core/logs/masking.ts";
import { storedPlace } from "./core/logs/stored-record.ts";
import type { KubeClient } from "./kube/client/kube-client.ts";
import type { BuildObjects } from "./kube/objects/build-objects.ts";
import { PodLogs } from "./kube/objects/pod-logs.ts";
import { SecretValues } from "./kube/objects/secret-values.ts";
import { TokenReviews } from "./kube/objects/token-reviews.ts";
import { CheckThread } from "./logs/checking/check-thread.ts";
import { KeptBuilds } from "./logs/checking/kept-builds.ts";
import { LogChecker } from "./logs/checking/log-checker.ts";
import { ArtifactStore } from "./logs/recording/artifact-store.ts";
import { MAX_STORING_MS } from "./logs/recording/build-storing.ts";
import { PageLogs } from "./logs/recording/page-logs.ts";
import { PodReaders } from "./logs/recording/pod-readers.ts";
import { Recorder } from "./logs/recording/recorder.ts";
import type { RecordingCluster } from "./logs/recording/recording-cluster.ts";
import { SpoolRoot } from "./logs/recording/spool-root.ts";
import { SpoolViews } from "./logs/recording/spool-views.ts";
import { userDirectory } from "./logs/recording/user-directory.ts";
import type { LogStore } from "./logs/stores/log-store.ts";
import { Retention } from "./logs/stores/retention.ts";
import { StoredBuildSource } from "./logs/stores/stored-build-source.ts";
import { StoredBuilds } from "./logs/stores/stored-builds.ts";
import type { Clock } from "./runtime/clock.ts";
import type { Logger } from "./runtime/logger.ts";
import type { Service } from "./runtime/service.ts";
import { UploadDesk } from "./uploads/upload-desk.ts";
import { makeUploadHandler, type UploadHandler } from "./web/upload-requests.ts";

export interface RecordingOptions {
  config: Pick<Config, "installation" | "logs" | "keepJobs">;
  /** undefined: nothing is stored, and pages read the logs of pods. */
  store: LogStore | undefined;
  client: KubeClient;
  buildObjects: BuildObjects;
  replicas: { readonly name: string; readonly isHolder: boolean; isAlive(replica: string): boolean };
  /** A build's page here. */
  buildUrl(number: string): string;
  clock: Clock;
  logger: Logger;
}

/** What becomes of logs and artifacts, put together. */
export interface Recording extends Service {
  /** A Job or a pod of it has changed. */
  wake(namespace: string, jobName: string): void;
  /** Who is the holder, or which replicas live, has changed. */
  noteReplicas(): void;
  /** Where people reach what is kept of a build, or is to be, without this program. */
  urlOf(job: Job | undefined): string | undefined;
  /** Of what a pod says that is recorded here; undefined until the Secrets that it names were read. */
  maskerOf(jobUid: string | undefined): Masker | undefined;
  /** For how long the build waits for the store that has waited longest; 0 where none does. */
  longestUnstoredMs(): number;
  /** How long a Job is kept whose build is not stored. */
  readonly keepUnstoredSeconds: number;
  readonly uploads: UploadHandler | undefined;
  readonly pageLogs: PageLogs;
  /** undefined where nothing is kept that could be checked. */
  readonly checker: LogChecker | undefined;
  readonly stored: StoredBuildSource | undefined;
}

export function makeRecording(options: RecordingOptions): Recording {
  const { config, store, client, buildObjects, replicas, buildUrl, clock, logger } = options;
  const directory = spoolDirectory(config);
  const keepJobSeconds = Math.ceil(parseDurationMs(config.keepJobs) / 1000);
  const cluster = recordingCluster(client, buildObjects);
  const readers = new PodReaders({ directory: join(tmpdir(), "turbo-hipster-pages", replicas.name), clock, logger });
  if (!store) {
    return {
      start: () => readers.start(),
      stop: () => readers.stop(),
      wake() {},
      noteReplicas() {},
      urlOf: () => undefined,
      longestUnstoredMs: () => 0,
      keepUnstoredSeconds: keepJobSeconds,
      maskerOf: () => undefined,
      uploads: undefined,
      pageLogs: new PageLogs({ cluster, readers, recorder: undefined, views: undefined }),
      checker: undefined,
      stored: undefined,
    };
  }
  const builds = new StoredBuilds(store);
  const limitBytes = quantityBytes(config.logs.limit);
  const spools = new SpoolRoot(directory);
  const recorder = new Recorder({ cluster, store, builds, spools, limitBytes, replicas, keepJobSeconds, buildUrl, clock, logger });
  const { age, size } = config.logs.retention;
  const limits = { ageMs: parseDurationMs(age), bytes: size === undefined ? undefined : quantityBytes(size) };
  const now = () => cluster.now();
  const retention = new Retention({ store, builds, limits, isHolder: () => replicas.isHolder, now, clock, logger });
  const stored = new StoredBuildSource({ store, builds, clock, logger });
  const thread = new CheckThread({ clock });
  const checker = new LogChecker({ recorder, store, thread, kept: new KeptBuilds(store, builds), limit: config.logs.limit, clock, logger });
  const services: Service[] = [readers, recorder, retention, thread];
  return {
    async start() {
      for (const service of services) await service.start();
    },
    async stop() {
      await Promise.all([...services.map((service) => service.stop()), stored.stop()]);
      store.close();
    },
    wake: (namespace, jobName) => recorder.wake(namespace, jobName),
    noteReplicas() {
      recorder.noteReplicas();
      retention.wake();
    },
    urlOf(job) {
      // Zuul may ask again for one that was stored before.
      const place = recorder.of(job?.metadata.uid)?.place ?? (job && storedPlace(job));
      return place === undefined ? undefined : store.url(`${place}/${INDEX_FILE}`);
    },
    longestUnstoredMs: () => recorder.longestUnstoredMs(),
    // An operator that is started again knows by its Job that it is to be stored.
    keepUnstoredSeconds: keepJobSeconds + MAX_STORING_MS / 1000,
    maskerOf: (uid) => recorder.of(uid)?.masker,
    uploads: makeUploads({ cluster, builds, store }, options),
    pageLogs: new PageLogs({
      cluster,
      readers,
      recorder,
      views: sharedDirectory(config.logs) === undefined ? undefined : new SpoolViews(spools, clock),
    }),
    checker,
    stored,
  };
}

function spoolDirectory({ installation, logs }: RecordingOptions["config"]): string {
  return join(sharedDirectory(logs) ?? userDirectory("turbo-hipster-spool"), installation);
}

/** Beside the store's files, so that other replicas find what is there; undefined: each has its own. */
function sharedDirectory({ store, directory }: Config["logs"]): string | undefined {
  return store === "files" && directory !== undefined ? join(directory, ".spool") : undefined;
}

function recordingCluster(client: KubeClient, buildObjects: BuildObjects): RecordingCluster {
  const secrets = new SecretValues({ client });
  return {
    now: () => buildObjects.now(),
    cachedJob: (namespace, name) => buildObjects.cachedJob(namespace, name),
    cachedJobs: () => buildObjects.cachedJobs(),
    cachedLaunchesOf: (relaunchKey) => buildObjects.cachedLaunchesOf(relaunchKey),
    cachedPods: (namespace, jobName) => buildObjects.cachedPods(namespace, jobName),
    getJob: (namespace, name) => buildObjects.getJob(namespace, name),
    readWholePods: (namespace, jobName) => buildObjects.readWholePods(namespace, jobName),
    annotateJob: (namespace, name, annotations, options) => buildObjects.annotateJob(namespace, name, annotations, options),
    deletePod: (namespace, name, uid) => buildObjects.deletePod(namespace, name, uid),
    secretValues: (namespace, name) => secrets.of(namespace, name),
    logSource: (place) => new PodLogs(client, place),
  };
}

function makeUploads(
  { cluster, builds, store }: { cluster: RecordingCluster; builds: StoredBuilds; store: LogStore },
  { config, client, logger }: RecordingOptions,
): UploadHandler {
  const artifacts = new ArtifactStore({ cluster, store, builds });
  const reviews = new TokenReviews({ client });
  const audience = collectorAudience(config.installation);
  const desk = new UploadDesk({
    podOf: (token, signal) => reviews.podOf(token, audience, signal),
    findBuilds: (number) =>
      findJobs(cluster.cachedJobs(), number).flatMap(({ job, record: { namespace, jobName, roles } }) => {
        if (!roles.collector) return [];
        const pods = cluster.cachedPods(namespace, jobName).flatMap(({ metadata: { uid } }) => (uid === undefined ? [] : [uid]));
        return [{ number, namespace, jobName, pods, junit: readArtifactPaths(job).junit }];
      }),
    sinkOf: (build) => artifacts.sinkOf(build),
    collected: (build, record, signal) => artifacts.collected(build, record, signal),
    limits: ARTIFACT_LIMITS,
    logger,
  });
  return makeUploadHandler(desk, logger);
}
