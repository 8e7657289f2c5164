import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CANCELLED_ANNOTATION,
  DELIVERED_ANNOTATION,
  PARAMETERS_ANNOTATION,
  STORED_ANNOTATION,
  VERDICT_ANNOTATION,
} from "../../../src/core/kubernetes/labels.ts";
import type { KubeObject } from "../../../src/core/kubernetes/objects.ts";
import { type KubeClient, loadKubeClient } from "../../../src/kube/client/kube-client.ts";
import { JOBS, PODS } from "../../../src/kube/client/resource.ts";
import { type ListWatch, makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import type { Logger } from "../../../src/runtime/logger.ts";
import type { DrillReport, JobEntry, PodEntry } from "./drill-report.ts";

/** What Zuul's parameters tell the test; `id` finds the build of a pod again. */
export const BUILD_PARAMETER = "DRILL_BUILD";

/** Reasons of a container's end whose program did not begin. */
const NEVER_RAN = new Set(["StartError", "ContainerCannotRun", "ContainerStatusUnknown"]);

/** As far as it is looked at here. */
interface SeenPod extends KubeObject {
  status?: {
    phase?: string;
    containerStatuses?: {
      name: string;
      state?: { running?: object; terminated?: { exitCode: number; reason?: string; message?: string } };
    }[];
  };
}

interface SeenJob extends KubeObject {
  spec?: { template?: { metadata?: { annotations?: Record<string, string> } } };
}

/** Says nothing: a watch through an API server that is stopped again and again has much to say. */
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

/**
 * What Jobs and pods really did: watched past the faults of the replicas' connections, and written down by each test itself in a file of
 * the node, which no API server is needed for.
 */
export interface ClusterTruth extends AsyncDisposable {
  readonly client: KubeClient;
  /** Directory of the node and of this machine that tests write to, named as their pod. */
  readonly traces: string;
  /** Those that were made for a build and are neither over nor deleted. */
  activePods(): PodEntry[];
  /** Those that have a pod that began, and whose log is not stored yet; the verdict of one that has just been answered may still be on its way. */
  unstoredJobs(): JobEntry[];
  /** Writes all that the tests have written down to the report. */
  reportTraces(): void;
  /** Writes what a log store in this directory holds of the tests' logs to the report. */
  reportLogs(directory: string): void;
}

interface ClusterTruthOptions {
  kubeconfig: string;
  namespace: string;
  directory: string;
  report: DrillReport;
  nowMs(): number;
}

export async function watchCluster({ kubeconfig, namespace, directory, report, nowMs }: ClusterTruthOptions): Promise<ClusterTruth> {
  await using stack = new AsyncDisposableStack();
  const traces = join(directory, "traces");
  mkdirSync(traces);
  chmodSync(directory, 0o711);
  chmodSync(traces, 0o777);
  const client = await loadKubeClient({ kubeconfig });
  stack.defer(() => client.close());
  const pods = new Map<string, PodEntry>();
  const jobs = new Map<string, JobEntry>();

  /** Adds what has changed. */
  function note<T extends PodEntry | JobEntry>(known: Map<string, T>, entry: T): void {
    const before = known.get(entry.name);
    known.set(entry.name, entry);
    if (before === undefined || JSON.stringify({ ...before, atMs: 0 }) !== JSON.stringify({ ...entry, atMs: 0 })) report.add(entry);
  }

  const watch = <T extends KubeObject>(resource: typeof PODS, onChange: (name: string, object: T | undefined) => void): ListWatch<T> =>
    makeListWatch<T>({
      ...{ client, resource, namespaces: [namespace], logger: SILENT, times: { relistMs: 60_000, backoffMaxMs: 1000, idleMs: 90_000 } },
      onChange: (key, object) => onChange(key.slice(key.indexOf("/") + 1), object),
    });
  const podWatch = watch<SeenPod>(PODS, (name, pod) => {
    const known = pods.get(name);
    const entry = pod ? readPod(pod, nowMs()) : known && { ...known, atMs: nowMs(), isDeleted: true };
    const trace = readTrace(traces, name);
    if (entry) note(pods, { ...entry, trace, hasStarted: entry.hasStarted || trace.length > 0 || (known?.hasStarted ?? false) });
  });
  const jobWatch = watch<SeenJob>(JOBS, (name, job) => {
    const known = jobs.get(name);
    const entry = job ? readJob(job, nowMs()) : known && { ...known, atMs: nowMs(), isDeleted: true };
    if (entry) note(jobs, entry);
  });
  for (const each of [podWatch, jobWatch]) {
    stack.defer(() => each.stop());
    await each.start();
  }
  await Promise.all([podWatch.synced(), jobWatch.synced()]);
  const owned = stack.move();
  return {
    client,
    traces,
    activePods: () => [...pods.values()].filter(({ phase, isDeleted }) => !isDeleted && (phase === "Pending" || phase === "Running")),
    unstoredJobs() {
      const begun = new Set([...pods.values()].filter(({ hasStarted, isDeleted }) => hasStarted && !isDeleted).map(({ job }) => job));
      return [...jobs.values()].filter(({ name, stored, isDeleted }) => stored === undefined && !isDeleted && begun.has(name));
    },
    reportTraces() {
      for (const name of readdirSync(traces)) {
        const trace = readTrace(traces, name);
        const known = pods.get(name) ?? strangePod(name, trace, nowMs());
        note(pods, { ...known, trace, hasStarted: true });
      }
    },
    reportLogs(logs) {
      for (const job of [...jobs.values()]) {
        if (job.stored === undefined) continue;
        const log = readLines(join(logs, job.stored, "console.log"));
        note(jobs, { ...job, ...(log === undefined ? {} : { log }) });
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function readPod(pod: SeenPod, atMs: number): PodEntry {
  const { name, annotations, labels, creationTimestamp } = pod.metadata;
  const parameters = readParameters(annotations);
  const state = pod.status?.containerStatuses?.find((status) => status.name === "test")?.state;
  return {
    type: "pod",
    atMs,
    name,
    job: labels?.["batch.kubernetes.io/job-name"] ?? "",
    build: String(parameters[BUILD_PARAMETER] ?? ""),
    uuid: String(parameters.ZUUL_UUID ?? ""),
    createdAt: creationTimestamp ?? "",
    hasStarted: state?.running !== undefined || (state?.terminated !== undefined && !NEVER_RAN.has(state.terminated.reason ?? "")),
    phase: pod.status?.phase ?? "Pending",
    exitCode: state?.terminated?.exitCode ?? null,
    message: state?.terminated?.message ?? null,
    isDeleted: false,
    trace: [],
  };
}

/** One that came and went while nobody could look; its test's first line says whose it was. */
function strangePod(name: string, trace: readonly string[], atMs: number): PodEntry {
  const [, build = "", uuid = ""] = (trace[0] ?? "").split(" ");
  return {
    ...{ type: "pod", atMs, name, job: name.replace(/-[^-]*$/, ""), build, uuid, createdAt: "", hasStarted: true, phase: "Unknown" },
    ...{ exitCode: null, message: null, isDeleted: true, trace: [] },
  };
}

function readJob(job: SeenJob, atMs: number): JobEntry {
  const { name, annotations } = job.metadata;
  const verdict = annotations?.[VERDICT_ANNOTATION];
  const stored = annotations?.[STORED_ANNOTATION];
  return {
    type: "job",
    atMs,
    name,
    build: String(readParameters(job.spec?.template?.metadata?.annotations)[BUILD_PARAMETER] ?? ""),
    verdict: verdict === undefined ? null : pickVerdict(JSON.parse(verdict)),
    isCancelled: annotations?.[CANCELLED_ANNOTATION] !== undefined,
    isDelivered: annotations?.[DELIVERED_ANNOTATION] !== undefined,
    isDeleted: false,
    ...(stored === undefined ? {} : { stored: JSON.parse(stored).directory }),
  };
}

function pickVerdict({ result, class: verdictClass, rule }: { result: string | null; class: string; rule: string }): JobEntry["verdict"] {
  return { result, class: verdictClass, rule };
}

function readParameters(annotations: Readonly<Record<string, string>> | undefined): Record<string, unknown> {
  return JSON.parse(annotations?.[PARAMETERS_ANNOTATION] ?? "{}");
}

function readTrace(traces: string, pod: string): string[] {
  return readLines(join(traces, pod)) ?? [];
}

/** undefined where there is no such file. */
function readLines(path: string): string[] | undefined {
  try {
    return readFileSync(path, "utf8").trim().split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
