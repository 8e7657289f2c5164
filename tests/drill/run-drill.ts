import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificatePaths } from "../../deploy/local/certificates.ts";
import { clusterPaths } from "../../deploy/local/cluster-paths.ts";
import { downCluster, findCluster, type LocalCluster, loadImage, upCluster } from "../../deploy/local/local-cluster.ts";
import { applyTestTaskDefinition } from "../../deploy/local/test-task-definition.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { ensureImage } from "../../tools/image.ts";
import { ensureDebianPackages } from "../../tools/machine/debian-packages.ts";
import { runCommand } from "../../tools/machine/run-command.ts";
import { startGeard } from "../support/gearman/geard.ts";
import { adminStatus, type GearmanServer, type GearmanServerKind } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { makeRandom } from "../support/random.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";
import { type ClusterTruth, watchCluster } from "./audit/cluster-truth.ts";
import { auditReport } from "./audit/drill-audit.ts";
import type { DrillReport } from "./audit/drill-report.ts";
import { BuildFlow } from "./build-flow.ts";
import { DRILL_JOBS } from "./build-plan.ts";
import { makeDrillTasks } from "./drill-tasks.ts";
import { FaultMaker } from "./faults/fault-maker.ts";
import { type FaultKind, type FaultPlanOptions, planFaults } from "./faults/fault-plan.ts";
import { Replica } from "./faults/replica.ts";

interface DrillOptions {
  plan: FaultPlanOptions;
  /** Index of the first fault to make; those before it are left out. */
  from: number;
  /** Kinds of faults to make; the others of the plan are left out. */
  kinds?: readonly FaultKind[];
  /** Time between two launches by Zuul. */
  buildEveryMs: number;
  /** Its own, brought up and taken down again. */
  clusterName: string;
  report: DrillReport;
  /** Directory for the replicas' logs. */
  logs: string;
  /** Ends the drill before its time; its report says so by having no end. */
  signal: AbortSignal;
  log(line: string): void;
}

const NAMESPACE = "drill";
const INSTALLATION = "drill";
/** Seconds; a dead peer is found after five. Zuul 2.6 runs its geard without, which then never learns of a replica that hangs. */
const KEEPALIVE = { idle: 2, interval: 1, count: 3 };
/** Zuul launches no more while it waits for so many builds. */
const MOST_BUILDS = 40;
/** For the replicas to serve all functions, at first and after the last fault. */
const SERVED_LIMIT_MS = 120_000;
/** After the last fault each build must end: launched again, run, or stopped for want of a claim after two minutes. */
const END_LIMIT_MS = 240_000;
/** Then each pod must be over, and the verdict of each that was followed by another written down. */
const SETTLE_LIMIT_MS = 150_000;
const LOOK_EVERY_MS = 250;

/** What the drill is made of, once it stands. */
interface Scene {
  cluster: LocalCluster;
  servers: ReadonlyMap<GearmanServerKind, GearmanServer>;
  launchers: ReadonlyMap<GearmanServerKind, ZuulLauncher>;
  replicas: readonly Replica[];
  truth: ClusterTruth;
  /** Directory of the replicas' log store. */
  store: string;
}

/** Plays a seed's plan from fault `from` on; what it sees is in the report. Takes away all that it made. */
export async function runDrill(options: DrillOptions): Promise<void> {
  const { from, report, signal, log } = options;
  const { seed, faults, replicas } = options.plan;
  await using stack = new AsyncDisposableStack();
  const plan = planFaults(options.plan);
  const startMs = from === 0 ? 0 : (plan[from]?.atMs ?? 0);
  report.add({ type: "run", atMs: 0, date: new Date().toISOString(), seed, from, faults, replicas });
  const zeroMs = performance.now();
  let beganMs = zeroMs;
  const nowMs = () => Math.round(performance.now() - beganMs);

  const scene = await setScene(options, stack, nowMs);
  signal.throwIfAborted();
  const flow = new BuildFlow({
    ...{ seed, first: Math.floor(startMs / options.buildEveryMs), everyMs: options.buildEveryMs, most: MOST_BUILDS },
    ...{ launchers: scene.launchers, report, nowMs },
  });
  const maker = new FaultMaker({ ...scene, namespace: NAMESPACE, report, nowMs, log });
  log(`all is up after ${Math.round((performance.now() - zeroMs) / 1000)} s; seed ${seed}, faults ${from} to ${plan.length - 1}`);
  beganMs = performance.now();

  const flowing = new AbortController();
  const launching = flow.run(AbortSignal.any([signal, flowing.signal]));
  const made = plan.slice(from).filter(({ kind }) => options.kinds?.includes(kind) ?? true);
  await maker.run(made, startMs, signal);
  flowing.abort();
  await launching;
  signal.throwIfAborted();
  log(`the last fault was made; ${flow.launchedCount} builds were launched, ${flow.openCount} of them are under way`);
  await maker.healAll();
  await waitForServed(scene.servers, signal);
  log("everything is well again");
  await settle(scene.truth, flow, report, signal, log);
  await flow.end();
  scene.truth.reportTraces();
  scene.truth.reportLogs(scene.store);
  for (const replica of scene.replicas) await replica.stop();
  report.add({ type: "over", atMs: nowMs(), troubles: [...maker.troubles, ...scene.replicas.flatMap(({ troubles }) => troubles)] });
}

async function setScene(options: DrillOptions, stack: AsyncDisposableStack, nowMs: () => number): Promise<Scene> {
  const { clusterName, logs, plan, signal, log, report } = options;
  const directory = mkdtempSync(join(tmpdir(), "th-drill-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(logs, { recursive: true });
  await ensureDebianPackages(["gearman-job-server", "libfaketime", "util-linux"], log);
  const image = await ensureImage({ log });
  signal.throwIfAborted();
  // Another drill's, perhaps: what is not this one's must not be taken down.
  if ((await findCluster(clusterName, log)) !== null) {
    throw new InputError(
      `cluster ${clusterName} is up already; give another name with --cluster, or take it down: npm run cluster -- down --name ${clusterName}`,
    );
  }
  stack.defer(() => downCluster({ name: clusterName, log }));
  const cluster = await upCluster({ name: clusterName, log });
  signal.throwIfAborted();
  await loadImage(clusterName, image.archive);
  const kubectl = (...args: string[]) => runCommand(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, ...args]);
  await applyTestTaskDefinition(kubectl);
  await kubectl("create", "namespace", NAMESPACE);
  const truth = stack.use(await watchCluster({ kubeconfig: cluster.kubeconfig, namespace: NAMESPACE, directory, report, nowMs }));
  const tasks = JSON.stringify({ apiVersion: "v1", kind: "List", items: makeDrillTasks(image.tag, truth.traces) });
  await runCommand(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, "apply", "--namespace", NAMESPACE, "-f", "-"], { input: tasks });

  const servers = new Map<GearmanServerKind, GearmanServer>();
  servers.set("gearmand", stack.use(await startKeptGearmand()));
  servers.set("geard", stack.use(await startGeard({ keepalive: KEEPALIVE })));
  const { certificate, key } = certificatePaths(clusterPaths(clusterName).pki, "api-server");
  // As on a claim that all replicas mount.
  const store = join(directory, "store");
  mkdirSync(store);
  const logStore = { store: "files", directory: store };
  const replicas: Replica[] = [];
  for (let index = 0; index < plan.replicas; index += 1) {
    const replica = await Replica.make({
      ...{ index, directory, logs, kubeconfig: cluster.kubeconfig, random: makeRandom(plan.seed + index) },
      certificate: { key: readFileSync(key, "utf8"), cert: readFileSync(certificate, "utf8") },
      servers: [...servers.values()].map(({ kind, port }) => ({ kind, port })),
      config: {
        installation: INSTALLATION,
        namespaces: [NAMESPACE],
        image: image.tag,
        maxBuilds: MOST_BUILDS,
        keepJobs: "24h",
        logs: logStore,
      },
    });
    replicas.push(stack.use(replica));
    await replica.start();
  }
  await waitForServed(servers, signal);
  const launchers = new Map<GearmanServerKind, ZuulLauncher>();
  for (const [kind, { address }] of servers) launchers.set(kind, stack.use(await startZuulLauncher({ server: address, patient: true })));
  return { cluster, servers, launchers, replicas, truth, store };
}

function startKeptGearmand(): Promise<GearmanServer> {
  const { idle, interval, count } = KEEPALIVE;
  return startGearmand({
    extraArgs: ["--keepalive", `--keepalive-idle=${idle}`, `--keepalive-interval=${interval}`, `--keepalive-count=${count}`],
  });
}

/** Resolves when each server has a worker for each job. */
async function waitForServed(servers: ReadonlyMap<GearmanServerKind, GearmanServer>, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + SERVED_LIMIT_MS;
  for (const { kind, address } of servers.values()) {
    for (;;) {
      const status = await adminStatus(address).catch(() => undefined);
      if (DRILL_JOBS.every((job) => (status?.get(`build:${job}`)?.workers ?? 0) > 0)) break;
      if (performance.now() > untilMs) throw new Error(`the replicas do not serve all functions at ${kind}`);
      await systemClock.sleep(LOOK_EVERY_MS, signal);
    }
  }
}

/** Until every build, every pod and every record has its end, or the time for that is over. */
async function settle(
  truth: ClusterTruth,
  flow: BuildFlow,
  report: DrillReport,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const waitWhile = async (what: string, limitMs: number, count: () => number) => {
    const sinceMs = performance.now();
    while (count() > 0 && performance.now() - sinceMs < limitMs) await systemClock.sleep(LOOK_EVERY_MS, signal);
    log(`${count()} ${what} after ${Math.round((performance.now() - sinceMs) / 1000)} s`);
  };
  await waitWhile("builds without an end", END_LIMIT_MS, () => flow.openCount);
  await waitWhile("pods still active", SETTLE_LIMIT_MS, () => truth.activePods().length);
  // A verdict that nobody has asked for is written down when nobody has asked for two minutes.
  await waitWhile("pods that may have run again", SETTLE_LIMIT_MS, () => auditReport(report.entries).counts.unjudged);
  await waitWhile("builds whose log is not stored", SETTLE_LIMIT_MS, () => truth.unstoredJobs().length);
}
