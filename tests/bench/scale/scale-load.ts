import { randomBytes } from "node:crypto";
import { RECORDED_LABEL } from "../../../src/core/kubernetes/labels.ts";
import type { Job, Pod, PodTemplate } from "../../../src/core/kubernetes/objects.ts";
import { STEPS } from "../../../src/core/observation/steps.ts";
import type { GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { isNotFound } from "../../../src/kube/client/kube-error.ts";
import { JOBS, PODS } from "../../../src/kube/client/resource.ts";
import { listAll } from "../../../src/kube/watch/list-all.ts";
import { makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";
import { HELD_LABEL } from "../../support/cluster/kwok.ts";
import { rejectOnAbort } from "../moments.ts";
import { renderZuulRequest } from "../zuul-request.ts";

/** Requests of the bench's own to the API server at once. */
const CONCURRENCY = 32;
const RUN_LABEL = "bench.turbo-hipster.io/run";
const LOOK_MS = 250;

export interface LoadRig {
  client: KubeClient;
  namespace: string;
  /** The builds are spread over these. */
  gearmen: readonly GearmanClient[];
}

/**
 * As little as a program can do that runs so many Jobs and wants to know when each test is over: one client with one connection creates them
 * one by one, 32 requests at once, and one watch of their pods tells of the ends. It writes nothing more. Resolves with the seconds from the
 * first create until the last pod's container was seen terminated: that is where a build's answer is due, and 1 to 2 s before the last Job's
 * own condition Complete. Nothing of these Jobs is the operator's to watch.
 */
export async function runBareJobs(rig: LoadRig, count: number, template: PodTemplate, signal: AbortSignal): Promise<number> {
  const { client, namespace } = rig;
  const run = randomBytes(4).toString("hex");
  const over = new Set<string>();
  const allOver = Promise.withResolvers<void>();
  const pods = makeListWatch<Pod>({
    ...{ client, resource: PODS, namespaces: [namespace], labelSelector: `${RUN_LABEL}=${run}`, logger: makeLogger("error") },
    onChange(name, pod) {
      if (pod?.status?.containerStatuses?.some(({ state }) => state?.terminated)) over.add(name);
      if (over.size >= count) allOver.resolve();
    },
  });
  try {
    await pods.start();
    await pods.synced();
    const startedMs = performance.now();
    const labelled = { ...template, metadata: { ...template.metadata, labels: { [RUN_LABEL]: run } } };
    const names = Array.from({ length: count }, (_, index) => `bare-${run}-${index}`);
    await inParallel(names, (name) => client.create(JOBS, namespace, renderBareJob(name, labelled), { signal }));
    await Promise.race([allOver.promise, rejectOnAbort(signal)]);
    return (performance.now() - startedMs) / 1000;
  } finally {
    await pods.stop();
  }
}

function renderBareJob(name: string, template: PodTemplate): object {
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { backoffLimit: 0, template } };
}

/** Submits so many builds of the job at once; resolves with the seconds from the first SUBMIT_JOB to the last WORK_COMPLETE. */
export async function runBuilds(rig: LoadRig, count: number, jobName: string, signal: AbortSignal): Promise<number> {
  const startedMs = performance.now();
  const ends = Array.from({ length: count }, (_, index) => runBuild(rig, index, jobName));
  await Promise.race([Promise.all(ends), rejectOnAbort(signal)]);
  return (performance.now() - startedMs) / 1000;
}

/** Builds without a pause, each submitted when one before it has ended, so many at once. `onEnd` is told how many have ended. */
export async function streamBuilds(
  rig: LoadRig,
  { count, atOnce, jobName, onEnd }: { count: number; atOnce: number; jobName: string; onEnd(ended: number): Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  let submitted = 0;
  let ended = 0;
  const keepOn = async () => {
    while (submitted < count && !signal.aborted) {
      await runBuild(rig, submitted++, jobName);
      await onEnd(++ended);
    }
  };
  await Promise.race([Promise.all(Array.from({ length: atOnce }, keepOn)), rejectOnAbort(signal)]);
}

/** So many builds whose pods are held: `whenLive` is called once all of them run, and they are let go after it. */
export async function runHeldBuilds(
  rig: LoadRig,
  count: number,
  jobName: string,
  whenLive: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { client, namespace } = rig;
  const live = new Set<number>();
  const allLive = Promise.withResolvers<void>();
  const onStep = (index: number, step: number) => {
    if (step >= STEPS.indexOf("running")) live.add(index);
    if (live.size >= count) allLive.resolve();
  };
  const ends = Promise.all(Array.from({ length: count }, (_, index) => runBuild(rig, index, jobName, (step) => onStep(index, step))));
  const failed = ends.then(() => {
    if (live.size < count) throw new Error(`${count - live.size} builds ended that were to be held`);
  });
  failed.catch(() => {});
  await Promise.race([allLive.promise, failed, rejectOnAbort(signal)]);
  await whenLive();
  const pods = await listAll<Pod>(client, PODS, namespace, { labelSelector: HELD_LABEL, signal });
  const release = { metadata: { labels: { [HELD_LABEL]: null } } };
  await inParallel(pods.items, ({ metadata }) => client.mergePatch(PODS, namespace, metadata.name, release, { signal }));
  await Promise.race([failed, rejectOnAbort(signal)]);
}

async function runBuild({ gearmen }: LoadRig, index: number, jobName: string, onStep: (step: number) => void = () => {}): Promise<void> {
  const unique = randomBytes(16).toString("hex");
  const gearman = gearmen[index % gearmen.length] as GearmanClient;
  let lastData = "";
  const submission = gearman.submit({
    functionName: `build:${jobName}`,
    unique,
    payload: renderZuulRequest(unique, jobName),
    onEvent(event) {
      if (event.kind === "data") lastData = event.payload.toString();
      if (event.kind === "status") onStep(event.numerator);
    },
  });
  const end = await submission.ended;
  const { result } = JSON.parse(lastData || "{}") as { result?: string };
  if (end.kind !== "complete" || result !== "SUCCESS")
    throw new Error(`a build that succeeds ended with ${end.kind} and the data ${lastData || "(none)"}`);
}

/** Deletes every Job of the namespace and resolves when the last pod is gone, so that no run feels the one before it. */
export async function clearJobs({ client, namespace }: LoadRig, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { items: jobs } = await listAll<Job>(client, JOBS, namespace, { signal });
    await deleteJobs({ client, namespace }, jobs, signal);
    const pods = await client.list(PODS, namespace, { limit: 1, signal });
    if (jobs.length === 0 && pods.items.length === 0) return;
    await systemClock.sleep(LOOK_MS, signal);
  }
}

/** Deletes the Jobs of builds that are over, as their time to live does. */
export async function clearRecordedJobs({ client, namespace }: LoadRig, signal: AbortSignal): Promise<void> {
  const { items: jobs } = await listAll<Job>(client, JOBS, namespace, { labelSelector: RECORDED_LABEL, signal });
  await deleteJobs({ client, namespace }, jobs, signal);
}

function deleteJobs(
  { client, namespace }: Pick<LoadRig, "client" | "namespace">,
  jobs: readonly Job[],
  signal: AbortSignal,
): Promise<void> {
  return inParallel(
    jobs.filter(({ metadata }) => !metadata.deletionTimestamp),
    ({ metadata }) => client.delete(JOBS, namespace, metadata.name, { propagationPolicy: "Background", signal }),
  );
}

/** Rejects with the first failure, when all that was begun has ended. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const failures: unknown[] = [];
  const take = async () => {
    for (const item of queue) {
      if (failures.length > 0) return;
      await work(item).catch((error) => {
        if (!isNotFound(error)) failures.push(error);
      });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, take));
  if (failures.length > 0) throw failures[0];
}
