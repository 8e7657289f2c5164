import { Counter, Gauge, Histogram, type MetricObject, Registry } from "prom-client";
import { registerProcessMetrics } from "./process-metrics.ts";

/** TestTasks come and go; so many of them get series of their own, builds of later ones are counted under `OTHER_TASK`. */
const MAX_TASKS = 1000;
const OTHER_TASK = "other";

/** From a pod that starts at once to a test that takes all day. */
const PHASE_BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200];
const CALL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Numbers that are asked for at each scrape; every method must be cheap and must not throw. */
export interface MetricSources {
  isHolder(): boolean;
  /** Builds under way by TestTask (`namespace/name`); those without any may be left out. */
  activeBuilds(): Iterable<readonly [taskKey: string, count: number]>;
  /** Builds that wait for room in the cluster. */
  pendingBuilds(): number;
  /** Builds with a verdict that no Gearman server has read yet. */
  undeliveredBuilds(): number;
  /** For how long the build waits for the log store that has waited longest; 0 where none does. */
  longestUnstoredMs(): number;
  pools(): Iterable<{ name: string; used: number; capacity: number }>;
  servers(): Iterable<{ server: string; isConnected: boolean; isRegistered: boolean }>;
  /** Milliseconds since each watch last heard of the API server, by resource. */
  watchAgesMs(): Readonly<Record<string, number>>;
  /** Status of the condition Ready of each TestTask; undefined where there is none yet. */
  testTaskReadiness(): Iterable<string | undefined>;
}

/**
 * What the operator tells Prometheus: counted as it happens, or read from the sources at each scrape. Nothing that a request holds becomes a
 * label: values are names of TestTasks, configured servers, and words of ours or of the Kubernetes API.
 */
export interface Metrics {
  /** Each call to the API server; `KubeClient`'s `onCall`. */
  noteCall(call: { verb: string; resource: string; code: number; ms: number }): void;
  /** A build, or a request that became none, was judged; undefined for one that no TestTask serves. */
  noteVerdict(taskKey: string | undefined, verdictClass: string): void;
  /** A build has left a phase after so many milliseconds. */
  notePhase(phase: string, ms: number): void;
  /** The answer of a build was read by its Gearman server, or nobody asked for it any more. */
  noteAnswer(isDelivered: boolean): void;
  /** Where the numbers come from that are asked for at each scrape. */
  connect(sources: MetricSources): void;
  render(): Promise<{ contentType: string; body: string }>;
  /** All that is registered, for the documentation. */
  describe(): { name: string; type: string; labels: readonly string[]; help: string }[];
}

export function makeMetrics(options: { version: string }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const buildsTotal = new Counter({
    name: "turbo_hipster_builds_total",
    help: "Builds judged, refused requests included, by TestTask and class of the verdict.",
    labelNames: ["task", "class"],
    registers,
  });
  const phaseSeconds = new Histogram({
    name: "turbo_hipster_build_phase_seconds",
    help: "Time that builds spent in each phase: pending, preparing, running, answer.",
    labelNames: ["phase"],
    buckets: PHASE_BUCKETS,
    registers,
  });
  const answersTotal = new Counter({
    name: "turbo_hipster_answers_total",
    help: "Answers of builds by outcome: delivered (its Gearman server has read it), undelivered (nobody asked for it any more).",
    labelNames: ["outcome"],
    registers,
  });
  const callsTotal = new Counter({
    name: "turbo_hipster_api_calls_total",
    help: "Calls to the API server by verb, resource and HTTP status (0: no answer).",
    labelNames: ["verb", "resource", "code"],
    registers,
  });
  const callSeconds = new Histogram({
    name: "turbo_hipster_api_call_seconds",
    help: "Time of calls to the API server by verb and resource; of watches, until they were answered.",
    labelNames: ["verb", "resource"],
    buckets: CALL_BUCKETS,
    registers,
  });
  let sources: MetricSources | undefined;
  registerSourceGauges(registry, () => sources);
  registerProcessMetrics(registry, options.version);
  const boundedTask = makeBound(MAX_TASKS, OTHER_TASK);

  return {
    noteCall({ verb, resource, code, ms }) {
      callsTotal.inc({ verb, resource, code });
      callSeconds.observe({ verb, resource }, ms / 1000);
    },
    noteVerdict: (taskKey, verdictClass) =>
      buildsTotal.inc({ task: taskKey === undefined ? "" : boundedTask(taskKey), class: verdictClass }),
    notePhase: (phase, ms) => phaseSeconds.observe({ phase }, Math.max(0, ms) / 1000),
    noteAnswer: (isDelivered) => answersTotal.inc({ outcome: isDelivered ? "delivered" : "undelivered" }),
    connect(given) {
      sources = given;
    },
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    describe: () =>
      (registry.getMetricsAsArray() as unknown as (MetricObject & { labelNames: string[]; type: string })[]).map(
        ({ name, type, labelNames, help }) => ({ name, type, labels: labelNames, help }),
      ),
  };
}

type Sample = readonly [labels: Record<string, string>, value: number];

/** Gauges that are made anew at each scrape, so that what is gone is not told any more. */
function registerSourceGauges(registry: Registry, sources: () => MetricSources | undefined): void {
  const gauge = (name: string, labelNames: string[], help: string, read: (from: MetricSources) => Iterable<Sample>) =>
    new Gauge({
      ...{ name: `turbo_hipster_${name}`, help, labelNames, registers: [registry] },
      collect() {
        this.reset();
        const from = sources();
        if (!from) return;
        for (const [labels, value] of read(from)) this.set(labels, value);
      },
    });
  gauge("held_leases", [], "1 while this replica holds the installation's Lease and takes builds, else 0.", (from) => [
    [{}, Number(from.isHolder())],
  ]);
  gauge("active_builds", ["task"], "Builds under way by TestTask.", (from) => bounded(from.activeBuilds()));
  gauge("pending_builds", [], "Builds under way that wait for room in the cluster.", (from) => [[{}, from.pendingBuilds()]]);
  gauge("undelivered_builds", [], "Builds judged whose answer no Gearman server has read yet.", (from) => [[{}, from.undeliveredBuilds()]]);
  gauge(
    "unstored_seconds",
    [],
    "Time that the build which has waited longest waits for the log store to take it; 0 where none does.",
    (from) => [[{}, from.longestUnstoredMs() / 1000]],
  );
  gauge("pool_used_slots", ["pool"], "Builds that hold a place, by pool: the installation's, each TestTask's with maxConcurrent.", (from) =>
    [...from.pools()].map(({ name, used }) => [{ pool: name }, used]),
  );
  gauge("pool_capacity_slots", ["pool"], "Builds that may hold a place at once, by pool.", (from) =>
    [...from.pools()].map(({ name, capacity }) => [{ pool: name }, capacity]),
  );
  gauge("gearman_connected_links", ["server"], "1 while the Gearman server answers on the registering connection, else 0.", (from) =>
    [...from.servers()].map(({ server, isConnected }) => [{ server }, Number(isConnected)]),
  );
  gauge("gearman_registered_links", ["server"], "1 while the Gearman server has read every function that is served, else 0.", (from) =>
    [...from.servers()].map(({ server, isRegistered }) => [{ server }, Number(isRegistered)]),
  );
  gauge("watch_age_seconds", ["resource"], "Time since the API server was last heard on the watch of each resource.", (from) =>
    Object.entries(from.watchAgesMs()).map(([resource, ms]) => [{ resource }, ms / 1000]),
  );
  gauge("test_tasks", ["ready"], "TestTasks by the status of their condition Ready: True, False or Unknown.", (from) =>
    countReadiness(from.testTaskReadiness()),
  );
}

/** The first so many tasks, and the sum of all others. */
function* bounded(counts: Iterable<readonly [string, number]>): Iterable<Sample> {
  let others = 0;
  let tasks = 0;
  for (const [task, count] of counts) {
    if (tasks >= MAX_TASKS) others += count;
    else yield [{ task }, count];
    tasks += 1;
  }
  if (others > 0) yield [{ task: OTHER_TASK }, others];
}

function countReadiness(statuses: Iterable<string | undefined>): Sample[] {
  const counts = { True: 0, False: 0, Unknown: 0 };
  for (const status of statuses) counts[status === "True" || status === "False" ? status : "Unknown"] += 1;
  return Object.entries(counts).map(([ready, count]) => [{ ready }, count]);
}

/** Lets through the first `max` different values; every later one becomes `other`. */
function makeBound(max: number, other: string): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (!seen.has(value) && seen.size >= max) return other;
    seen.add(value);
    return value;
  };
}
