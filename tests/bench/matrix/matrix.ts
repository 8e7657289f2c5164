import { randomBytes } from "node:crypto";
import { connectGearmanClient, type GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { CONFIG_MAPS, JOBS } from "../../../src/kube/client/resource.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { renderBareJob, testContainer } from "../bare-job.ts";
import { type BenchCluster, type ClusterFlags, configureCluster, openBenchCluster } from "../bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { measureInTurn } from "../overhead/in-turn.ts";
import { type JobTimes, watchJobTimes } from "../overhead/job-times.ts";
import { parsePairs } from "../overhead/overhead.ts";
import { stagePublishedProgram, startBenchOperator } from "../published-operator.ts";
import { runTimedBuild } from "../timed-build.ts";
import { isFastEnough, renderMatrix, summarizeMatrix } from "./matrix-summary.ts";

const DATASETS = ["one", "two", "three", "four", "five"];
const DEFAULT_PAIRS = 20;
const WARM_UP_PAIRS = 2;
const DIRECTORY = "/dataset";

export const matrixBench: Bench = {
  name: "matrix",
  description: `a build over ${DATASETS.length} datasets beside as many bare Jobs with the same volumes`,
  configure(command) {
    configureCluster(command);
    command.option("--pairs <n>", "pairs of bare Jobs and a build to measure", parsePairs, DEFAULT_PAIRS);
  },
  run: (flags, world) => runMatrix(flags as unknown as ClusterFlags & { pairs: number }, world),
};

interface Rig {
  cluster: BenchCluster;
  gearman: GearmanClient;
  times: JobTimes;
}

async function runMatrix(flags: ClusterFlags & { pairs: number }, world: BenchWorld): Promise<BenchReport> {
  const { signal } = world;
  await using program = await stagePublishedProgram();
  await using cluster = await openBenchCluster(flags, world);
  for (const name of DATASETS) {
    const data = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { name } };
    await cluster.client.create(CONFIG_MAPS, cluster.namespace, data, { signal });
  }
  const datasets = DATASETS.map((name) => ({ name, path: DIRECTORY, configMap: { name } }));
  await cluster.applyTestTask("bench", { template: { spec: { containers: [testContainer(cluster.image)] } }, datasets });
  await using server = await startGearmand();
  signal.throwIfAborted();
  await using _operator = await startBenchOperator({
    ...{ program, namespace: cluster.namespace, server: server.address },
    clusterArgs: cluster.operatorArgs,
    signal,
  });
  await using gearman = await connectGearmanClient({ server: server.address, clock: systemClock });
  await using times = await watchJobTimes(cluster.client, cluster.namespace);
  const rig: Rig = { cluster, gearman, times };

  const bares: number[] = [];
  const builds: number[] = [];
  const forget = () => {
    bares.length = builds.length = 0;
  };
  const kinds = [
    async (limit: AbortSignal) => void bares.push(await runBares(rig, limit)),
    async (limit: AbortSignal) => void builds.push(await runBuild(rig, limit)),
  ];
  await measureInTurn(kinds, { pairs: flags.pairs, warmUp: WARM_UP_PAIRS, forget }, world);
  const report = summarizeMatrix(bares, builds);
  return { json: report, text: renderMatrix(report, bares, builds), isFailed: !isFastEnough(report) };
}

/** All at once; from the first request until the last test was seen to have ended. */
async function runBares({ cluster, times }: Rig, limit: AbortSignal): Promise<number> {
  const run = randomBytes(4).toString("hex");
  const sentMs = performance.now();
  const ends = DATASETS.map(async (dataset) => {
    const name = `bare-${run}-${dataset}`;
    await cluster.client.create(JOBS, cluster.namespace, renderJobOver(dataset, name, cluster.image), { signal: limit });
    return times.seen(name, "terminated", limit);
  });
  const endMs = Math.max(...(await Promise.all(ends)));
  // Its aftermath must not fall into the next run.
  await Promise.all(DATASETS.map((dataset) => times.seen(`bare-${run}-${dataset}`, "finished", limit)));
  return endMs - sentMs;
}

async function runBuild({ gearman, times }: Rig, limit: AbortSignal): Promise<number> {
  const { number, submittedMs, completedMs } = await runTimedBuild(gearman, { jobName: "bench" }, limit);
  await Promise.all([...DATASETS.keys()].map((index) => times.seen(`${number}-${index}`, "finished", limit)));
  return completedMs - submittedMs;
}

/** With the volume that a build over the dataset has. */
function renderJobOver(dataset: string, name: string, image: string): object {
  const container = { ...testContainer(image), volumeMounts: [{ name: "dataset", mountPath: DIRECTORY, readOnly: true }] };
  return renderBareJob(name, container, { volumes: [{ name: "dataset", configMap: { name: dataset } }] });
}
