import { globSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/runtime/clock.ts";
import { type Child, startChild } from "../support/child-process.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { type ClusterFlags, configureCluster, openBenchCluster } from "./bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "./bench-world.ts";
import { readProcessUsage } from "./process-usage.ts";
import { type PublishedProgram, stagePublishedProgram, startBenchOperator } from "./published-operator.ts";

const TEST_TASKS = 5;
/** From ready to the end of the measurement, and the part of it that counts for the processor. */
const SETTLE_MS = 60_000;
const WINDOW_MS = 30_000;
const TARGET_MB = 200;
const TARGET_PERCENT = 1;

export const idleBench: Bench = {
  name: "idle",
  description: `memory and processor time of the published operator with ${TEST_TASKS} TestTasks and nothing to do, a minute after it is ready`,
  configure: configureCluster,
  run: (flags, world) => runIdle(flags as unknown as ClusterFlags, world),
};

interface IdleReport {
  rssMb: number;
  /** Of one core. */
  cpuPercent: number;
  /** Share of time that the event loop was not waiting. */
  eventLoopPercent: number;
  /** Resident memory of node doing nothing, and with the operator's imports loaded and nothing done with them. */
  floor: { nodeMb: number; importsMb: number };
}

async function runIdle(flags: ClusterFlags, world: BenchWorld): Promise<BenchReport> {
  const { signal, log } = world;
  await using program = await stagePublishedProgram();
  await using cluster = await openBenchCluster(flags, world);
  for (let index = 0; index < TEST_TASKS; index++) {
    await cluster.applyTestTask(`idle-${index}`, { image: cluster.image, script: "true" });
  }
  await using server = await startGearmand();
  signal.throwIfAborted();
  await using operator = await startBenchOperator({
    ...{ program, namespace: cluster.namespace, server: server.address },
    clusterArgs: cluster.operatorArgs,
    nodeArgs: [`--import=data:text/javascript,${encodeURIComponent(EVENT_LOOP_REPORTER)}`],
    signal,
  });
  await using stack = new AsyncDisposableStack();
  const [node, imports] = await Promise.all([startFloor(["--eval", STAY], stack), startFloor([await writeImports(program)], stack)]);

  log(`the operator is ready; measuring in ${SETTLE_MS / 1000} s`);
  await systemClock.sleep(SETTLE_MS - WINDOW_MS, signal);
  operator.child.kill("SIGUSR2");
  const before = await readProcessUsage(operator.child.pid);
  const beforeMs = performance.now();
  await systemClock.sleep(WINDOW_MS, signal);
  const after = await readProcessUsage(operator.child.pid);
  const windowSeconds = (performance.now() - beforeMs) / 1000;
  const [nodeUsage, importsUsage] = await Promise.all([readProcessUsage(node.pid), readProcessUsage(imports.pid)]);
  operator.child.kill("SIGUSR2");
  await operator.child.logged("event loop 2:", 10_000);

  const report: IdleReport = {
    rssMb: round(after.rssMb),
    cpuPercent: round((100 * (after.cpuSeconds - before.cpuSeconds)) / windowSeconds),
    eventLoopPercent: round(100 * Number(/event loop 2: (\S+)/.exec(operator.child.log())?.[1])),
    floor: { nodeMb: round(nodeUsage.rssMb), importsMb: round(importsUsage.rssMb) },
  };
  const mb = (value: number) => `${value.toFixed(0).padStart(5)} MB`;
  const verdict = (isMet: boolean) => (isMet ? "met" : "MISSED");
  const text = [
    `operator, published build, ${TEST_TASKS} TestTasks, idle for ${SETTLE_MS / 1000} s`,
    `  resident memory      ${mb(after.rssMb)}, of it its own (no mapped files) ${mb(after.anonymousMb)}`,
    `    floor: node alone  ${mb(nodeUsage.rssMb)}, of it its own                   ${mb(nodeUsage.anonymousMb)}`,
    `    floor: its imports ${mb(importsUsage.rssMb)}, of it its own                   ${mb(importsUsage.anonymousMb)}`,
    `  processor            ${report.cpuPercent} % of a core over ${WINDOW_MS / 1000} s; event loop busy ${report.eventLoopPercent} %`,
    `  at most ${TARGET_MB} MB is wanted: ${verdict(report.rssMb <= TARGET_MB)}; well under ${TARGET_PERCENT} %: ${verdict(report.cpuPercent < TARGET_PERCENT / 2)}`,
  ].join("\n");
  return { json: report, text };
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

/** Loads what `turbo-hipster operator` has loaded once it runs; a script beside the program. */
async function writeImports({ directory }: PublishedProgram): Promise<string> {
  const file = join(directory, "imports.mjs");
  const parts = globSync("dist/{operator,client-node}-*.js", { cwd: directory }).map((part) => `import "./${part}";\n`);
  await writeFile(file, `${parts.join("")}${STAY}`);
  return file;
}

const STAY = 'console.log("ready"); setInterval(() => {}, 2 ** 30);';

/** A node process that prints a line when it has loaded what `args` say, and then does nothing. */
async function startFloor(args: readonly string[], stack: AsyncDisposableStack): Promise<Child> {
  const ready = Promise.withResolvers<void>();
  const child = await startChild({
    command: process.execPath,
    args,
    onLine: () => ready.resolve(),
  });
  stack.defer(async () => void (await child.stop()));
  void child.exited.then(() => ready.reject(new Error(`a process for comparison ended: ${child.log()}`)));
  await ready.promise;
  return child;
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
