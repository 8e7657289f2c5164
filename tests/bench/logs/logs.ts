import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { makeMasker } from "../../../src/core/logs/masking.ts";
import { PODS } from "../../../src/kube/client/resource.ts";
import { PodLogs } from "../../../src/kube/objects/pod-logs.ts";
import { followLog } from "../../../src/logs/follow/log-follower.ts";
import { LogSpool } from "../../../src/logs/follow/log-spool.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { InputError } from "../../../src/runtime/errors.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { type BenchCluster, type ClusterFlags, configureCluster, openBenchCluster } from "../bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { isGoodEnough, type Reading, renderLogs, summarizeLogs } from "./logs-summary.ts";

const LINE_BYTES = 100;
const LIMIT_BYTES = 2 ** 32;
/** Of the pods that are followed at once: one line each quarter of a second, for so long. */
const LATENCY_MS = 20_000;
const START_MS = 300_000;
const NOTHING_MASKED = makeMasker([]);

interface Flags extends ClusterFlags {
  pairs: number;
  megabytes: number;
  pods: number;
}

export const logsBench: Bench = {
  name: "logs",
  description: "a followed log against kubectl logs -f --timestamps > file, in pairs, and how late its readers are with many at once",
  configure(command: Command) {
    configureCluster(command);
    const count = (text: string) => {
      if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("a whole number from 1 to 9999");
      return Number(text);
    };
    command
      .option("--pairs <n>", "pairs of readings of one log", count, 7)
      .option("--megabytes <n>", "size of that log: short enough that no kubelet rotates it while it is printed", count, 40)
      .option("--pods <n>", "pods that are followed at once", count, 100);
  },
  run: (flags, world) => runLogs(flags as unknown as Flags, world),
};

async function runLogs(flags: Flags, world: BenchWorld): Promise<BenchReport> {
  await using cluster = await openBenchCluster(flags, world);
  const directory = await mkdtemp(join(tmpdir(), "th-bench-logs-"));
  try {
    const { pod, bytes } = await printLog(cluster, flags.megabytes, world);
    const [ours, kubectl]: [Reading[], Reading[]] = [[], []];
    for (let pair = 0; pair < flags.pairs; pair += 1) {
      world.signal.throwIfAborted();
      ours.push(await readOurs(cluster, pod, bytes, join(directory, `${pair}`)));
      kubectl.push(await readWithKubectl(cluster, pod, bytes, join(directory, "kubectl.log")));
      world.log(`pair ${pair + 1}: ${ours.at(-1)?.seconds.toFixed(2)} s, kubectl ${kubectl.at(-1)?.seconds.toFixed(2)} s`);
    }
    const latencies = await measureLatencies(cluster, flags.pods, directory, world);
    const report = summarizeLogs(ours, kubectl, latencies);
    return { json: report, text: renderLogs(report), isFailed: !isGoodEnough(report) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function createPod({ client, namespace, image }: BenchCluster, name: string, command: readonly string[]): Promise<void> {
  const container = { name: "test", image, imagePullPolicy: "IfNotPresent", command };
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, containers: [container] };
  await client.create(PODS, namespace, { apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
}

async function awaitPhase({ client, namespace }: BenchCluster, name: string, phase: string, { signal }: BenchWorld): Promise<void> {
  const deadlineMs = performance.now() + START_MS;
  while ((await client.get<{ status?: { phase?: string } }>(PODS, namespace, name)).status?.phase !== phase) {
    if (performance.now() > deadlineMs) throw new InputError(`pod ${name} is not ${phase} after ${START_MS / 1000} s`);
    await systemClock.sleep(200, signal);
  }
}

/** A pod that has ended and whose log is all there: a kubelet that looks while it is printed would rotate it. */
async function printLog(cluster: BenchCluster, megabytes: number, world: BenchWorld): Promise<{ pod: string; bytes: number }> {
  const bytes = megabytes * 1e6;
  const script = `$line = ("x" x ${LINE_BYTES - 9}) . "\\n"; for ($i = 0; $i < ${bytes / LINE_BYTES}; $i++) { print sprintf("%08d", $i), $line }`;
  for (let round = 1; round <= 10; round += 1) {
    const pod = `prints-${round}`;
    world.log(`printing ${megabytes} MB`);
    await createPod(cluster, pod, ["perl", "-e", script]);
    await awaitPhase(cluster, pod, "Succeeded", world);
    const logs = new PodLogs(cluster.client, { namespace: cluster.namespace, pod, container: "test" });
    if ((await logs.head(40, { previous: false, signal: world.signal })).toString().endsWith(" 00000000x")) return { pod, bytes };
    world.log("the kubelet has rotated it meanwhile: once more");
  }
  throw new InputError("the kubelet has rotated each of ten logs while it was printed: --megabytes N for shorter ones");
}

async function readOurs({ client, namespace }: BenchCluster, pod: string, bytes: number, directory: string): Promise<Reading> {
  const spool = await LogSpool.open(directory, { limitBytes: LIMIT_BYTES });
  const source = new PodLogs(client, { namespace, pod, container: "test" });
  const options = {
    source,
    spool,
    hasEnded: () => true,
    masker: NOTHING_MASKED,
    run: () => undefined,
    clock: systemClock,
    logger: silentLogger,
  };
  const [startedMs, startedCpu] = [performance.now(), process.cpuUsage()];
  await followLog(options, new AbortController().signal);
  const { user, system } = process.cpuUsage(startedCpu);
  const seconds = (performance.now() - startedMs) / 1000;
  const { size, holes } = spool;
  await spool.close();
  await rm(directory, { recursive: true });
  if (size !== bytes || holes.length > 0) throw new InputError(`followed ${size} of ${bytes} bytes, with ${holes.length} holes`);
  return { bytes, seconds, cpuSeconds: (user + system) / 1e6 };
}

/** In a shell, which tells what its children took. */
async function readWithKubectl(cluster: BenchCluster, pod: string, bytes: number, file: string): Promise<Reading> {
  const startedMs = performance.now();
  const cpuSeconds = await cluster.kubectlTo(file, "logs", "-f", "--timestamps", pod);
  return { bytes, seconds: (performance.now() - startedMs) / 1000, cpuSeconds };
}

/** Milliseconds from each line of each of so many pods to its reader. The node's clock must be this machine's: a local cluster's is. */
async function measureLatencies(cluster: BenchCluster, pods: number, directory: string, world: BenchWorld): Promise<number[]> {
  const script = 'use Time::HiRes; $| = 1; while (1) { printf "%.6f\\n", Time::HiRes::time(); Time::HiRes::sleep(0.25) }';
  const names = Array.from({ length: pods }, (_, index) => `ticks-${index}`);
  world.log(`starting ${pods} pods`);
  for (const name of names) await createPod(cluster, name, ["perl", "-e", script]);
  for (const name of names) await awaitPhase(cluster, name, "Running", world);
  const before = await leastMemory(2000, world);
  const leaving = new AbortController();
  const latencies: number[] = [];
  let isMeasuring = false;
  const following = names.map(async (pod) => {
    const spool = await LogSpool.open(join(directory, pod), { limitBytes: LIMIT_BYTES });
    let at = 0;
    let reading: Promise<void> | undefined;
    const read = async () => {
      while (at < spool.size) {
        const { offset, bytes } = await spool.read(at, 65_536);
        const nowMs = performance.timeOrigin + performance.now();
        at = offset + bytes.length;
        if (isMeasuring) for (const line of bytes.toString().trim().split("\n")) latencies.push(nowMs - Number(line) * 1000);
      }
      reading = undefined;
    };
    spool.onGrowth(() => {
      reading ??= read();
    });
    const source = new PodLogs(cluster.client, { namespace: cluster.namespace, pod, container: "test" });
    await followLog(
      { source, spool, hasEnded: () => false, masker: NOTHING_MASKED, run: () => undefined, clock: systemClock, logger: silentLogger },
      leaving.signal,
    );
    await reading;
    await spool.close();
  });
  world.log(`following ${pods} pods`);
  await systemClock.sleep(10_000, world.signal);
  isMeasuring = true;
  const memory = await leastMemory(LATENCY_MS, world);
  isMeasuring = false;
  world.log(
    `memory in use: ${before} MB before, ${memory} MB with ${pods} followed logs; ${megabytesOf(process.memoryUsage().rss)} MB resident`,
  );
  leaving.abort();
  await Promise.all(following);
  return latencies;
}

/** The least that was in use within this time: what the garbage collector leaves, more or less. */
async function leastMemory(forMs: number, { signal }: BenchWorld): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (const untilMs = performance.now() + forMs; performance.now() < untilMs; ) {
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
    await systemClock.sleep(100, signal);
  }
  return megabytesOf(least);
}

function megabytesOf(bytes: number): number {
  return Math.round(bytes / 1e6);
}
