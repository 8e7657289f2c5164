import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { systemClock } from "../../src/runtime/clock.ts";
import { type Child, startChild, untilReady } from "../support/child-process.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type ClusterFlags, configureCluster, openBenchCluster } from "./bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "./bench-world.ts";
import { readProcessUsage } from "./process-usage.ts";
import { containerNodeArgs, type PublishedProgram, stagePublishedProgram, startBenchOperator } from "./published-operator.ts";

const TEST_TASKS = 5;
/** From ready to the end of the measurement, and the part of it that counts for the processor. */
const SETTLE_MS = 60_000;
const WINDOW_MS = 30_000;
/** Starts of `turbo-hipster --version`, of which the median counts. */
const STARTS = 11;
const TARGET_MB = 105;
const TARGET_START_MS = 100;
const TARGET_PERCENT = 1;

export const idleBench: Bench = {
  name: "idle",
  description:
    `memory and processor time of the published operator with ${TEST_TASKS} TestTasks and nothing to do, a minute after it is ready, and how long ` +
    "its program takes to tell its version; beside the same with its packages in node_modules",
  configure: configureCluster,
  run: (flags, world) => runIdle(flags as unknown as ClusterFlags, world),
};

interface IdleReport {
  /** Resident memory. */
  idleMb: number;
  /** Of `turbo-hipster --version`. */
  startMs: number;
  /** Of one core. */
  cpuPercent: number;
  /** Share of time that the event loop was not waiting. */
  eventLoopPercent: number;
  /** Of the program with its packages in node_modules. */
  unbundled: { idleMb: number; startMs: number };
  /** Resident memory of node doing nothing. */
  nodeMb: number;
}

async function runIdle(flags: ClusterFlags, world: BenchWorld): Promise<BenchReport> {
  const { signal } = world;
  await using cluster = await openBenchCluster(flags, world);
  for (let index = 0; index < TEST_TASKS; index++) {
    await cluster.applyTestTask(`idle-${index}`, { image: cluster.image, script: "true" });
  }
  await using server = await startGearmand();
  await using node = await startIdleNode();
  const measure = async (packages: "bundle" | "external") => {
    signal.throwIfAborted();
    await using program = await stagePublishedProgram(packages);
    const startMs = await measureStart(program, signal);
    await using operator = await startBenchOperator({
      ...{ program, namespace: cluster.namespace, server: server.address, signal },
      clusterArgs: cluster.operatorArgs,
      nodeArgs: [...containerNodeArgs(), `--import=data:text/javascript,${encodeURIComponent(EVENT_LOOP_REPORTER)}`],
    });
    return { startMs, ...(await measureIdle(operator.child, packages, world)) };
  };
  const bundled = await measure("bundle");
  const unbundled = await measure("external");
  const nodeUsage = await readProcessUsage(node.pid);

  const report: IdleReport = {
    ...{ idleMb: round(bundled.rssMb), startMs: round(bundled.startMs) },
    ...{ cpuPercent: round(bundled.cpuPercent), eventLoopPercent: round(bundled.eventLoopPercent) },
    unbundled: { idleMb: round(unbundled.rssMb), startMs: round(unbundled.startMs) },
    nodeMb: round(nodeUsage.rssMb),
  };
  const isMet = report.idleMb <= TARGET_MB && report.startMs < TARGET_START_MS;
  return { json: report, text: renderIdle(report, bundled.anonymousMb), isFailed: !isMet };
}

/** From when it is ready on. */
async function measureIdle(child: Child, packages: string, { signal, log }: BenchWorld) {
  log(`the operator is ready (packages: ${packages}); measuring in ${SETTLE_MS / 1000} s`);
  await systemClock.sleep(SETTLE_MS - WINDOW_MS, signal);
  child.kill("SIGUSR2");
  const before = await readProcessUsage(child.pid);
  const beforeMs = performance.now();
  await systemClock.sleep(WINDOW_MS, signal);
  const { rssMb, anonymousMb, cpuSeconds } = await readProcessUsage(child.pid);
  const windowSeconds = (performance.now() - beforeMs) / 1000;
  child.kill("SIGUSR2");
  await child.logged("event loop 2:", 10_000);
  return {
    ...{ rssMb, anonymousMb, cpuPercent: (100 * (cpuSeconds - before.cpuSeconds)) / windowSeconds },
    eventLoopPercent: 100 * Number(/event loop 2: (\S+)/.exec(child.log())?.[1]),
  };
}

async function measureStart({ bin }: PublishedProgram, signal: AbortSignal): Promise<number> {
  const times: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    const beganMs = performance.now();
    await promisify(execFile)(process.execPath, [bin, "--version"], { signal });
    times.push(performance.now() - beganMs);
  }
  return times.sort((one, other) => one - other)[Math.floor(STARTS / 2)] ?? 0;
}

function renderIdle({ idleMb, startMs, cpuPercent, eventLoopPercent, unbundled, nodeMb }: IdleReport, anonymousMb: number): string {
  const verdict = (isMet: boolean) => (isMet ? "met" : "MISSED");
  return [
    `operator, published program, ${TEST_TASKS} TestTasks, idle for ${SETTLE_MS / 1000} s`,
    `  resident memory  ${idleMb} MB, of it its own (no mapped files) ${Math.round(anonymousMb)}; with node_modules ${unbundled.idleMb}; node alone ${nodeMb}`,
    `  --version        ${startMs} ms; with node_modules ${unbundled.startMs}`,
    `  processor        ${cpuPercent} % of a core over ${WINDOW_MS / 1000} s; event loop busy ${eventLoopPercent} %`,
    `  at most ${TARGET_MB} MB is wanted: ${verdict(idleMb <= TARGET_MB)}; below ${TARGET_START_MS} ms: ${verdict(startMs < TARGET_START_MS)}; ` +
      `well under ${TARGET_PERCENT} %: ${verdict(cpuPercent < TARGET_PERCENT / 2)}`,
  ].join("\n");
}

/** Runs in the operator: at every SIGUSR2 it says how busy the event loop was since the last one. Costs nothing in between. */
const EVENT_LOOP_REPORTER = `
let count = 0;
let last = performance.eventLoopUtilization();
process.on("SIGUSR2", () => {
  const now = performance.eventLoopUtilization();
  process.stderr.write("event loop " + ++count + ": " + performance.eventLoopUtilization(now, last).utilization + "\\n");
  last = now;
});`;

/** A node process that does nothing. */
async function startIdleNode(): Promise<Child & AsyncDisposable> {
  const ready = Promise.withResolvers<void>();
  const child = await startChild({
    command: process.execPath,
    args: ["--eval", 'console.log("ready"); setInterval(() => {}, 2 ** 30);'],
    onLine: () => ready.resolve(),
  });
  await untilReady(child, ready.promise, { name: "node", timeoutMs: 60_000 });
  return Object.assign(child, { [Symbol.asyncDispose]: async () => void (await child.stop()) });
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
