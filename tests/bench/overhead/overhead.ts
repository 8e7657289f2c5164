import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "commander";
import { connectGearmanClient, type GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { JOBS } from "../../../src/kube/client/resource.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { renderBareJob, testContainer } from "../bare-job.ts";
import { type BenchCluster, type ClusterFlags, configureCluster, openBenchCluster } from "../bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { stagePublishedProgram, startBenchOperator } from "../published-operator.ts";
import { runTimedBuild } from "../timed-build.ts";
import { type Measure, measureInTurn } from "./in-turn.ts";
import { type JobTimes, watchJobTimes } from "./job-times.ts";
import { type BareRun, type BuildRun, isFastEnough, renderOverhead, summarizeOverhead } from "./overhead-summary.ts";
import { runSteps, type StepsFlags } from "./steps.ts";

const DEFAULT_PAIRS = 30;
const WARM_UP_PAIRS = 3;

export const overheadBench: Bench = {
  name: "overhead",
  description: "what the operator adds to the time of a bare Job, on a real kubelet with a real gearmand",
  configure(command) {
    configureCluster(command);
    command
      .option("--pairs <n>", "pairs of a bare Job and a build to measure", parsePairs, DEFAULT_PAIRS)
      .option("--checkout", "builds check a change out, and bare Jobs do so by hand; needs a local cluster", false)
      .option("--collect", "builds leave artifacts, and bare Jobs send them by hand; needs a local cluster", false);
  },
  run: (flags, world) => {
    const { checkout, collect, ...others } = flags as unknown as StepsFlags;
    return checkout || collect ? runSteps({ checkout, collect, ...others }, world) : runOverhead(others, world);
  },
};

export function parsePairs(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("a number from 1 to 9999, please");
  return Number(text);
}

interface Rig {
  cluster: BenchCluster;
  gearman: GearmanClient;
  times: JobTimes;
}

async function runOverhead(flags: ClusterFlags & { pairs: number }, world: BenchWorld): Promise<BenchReport> {
  const { signal } = world;
  await using program = await stagePublishedProgram();
  await using cluster = await openBenchCluster(flags, world);
  await cluster.applyTestTask("bench", { template: { spec: { containers: [testContainer(cluster.image)] } } });
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

  const bares: BareRun[] = [];
  const builds: BuildRun[] = [];
  const kinds: Measure[] = [
    async (limit) => void bares.push(await runBare(rig, limit)),
    async (limit) => void builds.push(await runBuild(rig, limit)),
  ];
  const forget = () => {
    bares.length = builds.length = 0;
  };
  await measureInTurn(kinds, { pairs: flags.pairs, warmUp: WARM_UP_PAIRS, forget }, world);
  const report = summarizeOverhead(bares, builds);
  return { json: report, text: renderOverhead(report, bares, builds), isFailed: !isFastEnough(report) };
}

async function runBare({ cluster, times }: Rig, limit: AbortSignal): Promise<BareRun> {
  const name = `bare-${randomBytes(4).toString("hex")}`;
  const job = renderBareJob(name, testContainer(cluster.image));
  const sentMs = performance.now();
  await cluster.client.create(JOBS, cluster.namespace, job, { signal: limit });
  const addedMs = await times.seen(name, "added", limit);
  const terminatedMs = await times.seen(name, "terminated", limit);
  // Its aftermath must not fall into the next run.
  await times.seen(name, "finished", limit);
  return { createToAdded: addedMs - sentMs, addedToTerminated: terminatedMs - addedMs };
}

async function runBuild({ gearman, times }: Rig, limit: AbortSignal): Promise<BuildRun> {
  const { number, submittedMs, dataMs, completedMs } = await runTimedBuild(gearman, { jobName: "bench" }, limit);
  const addedMs = await times.seen(number, "added", limit);
  const terminatedMs = await times.seen(number, "terminated", limit);
  await times.seen(number, "finished", limit);
  return {
    submitToData: dataMs - submittedMs,
    submitToAdded: addedMs - submittedMs,
    addedToTerminated: terminatedMs - addedMs,
    terminatedToComplete: completedMs - terminatedMs,
  };
}
