import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "commander";
import { connectGearmanClient, type GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { JOBS } from "../../../src/kube/client/resource.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { type BenchCluster, type ClusterFlags, configureCluster, openBenchCluster } from "../bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { stagePublishedProgram, startBenchOperator } from "../published-operator.ts";
import { type JobTimes, watchJobTimes } from "./job-times.ts";
import { type BareRun, type BuildRun, isFastEnough, renderOverhead, summarizeOverhead } from "./overhead-summary.ts";
import { runSteps, type StepsFlags } from "./steps.ts";
import { runTimedBuild } from "./timed-build.ts";

const DEFAULT_PAIRS = 30;
const WARM_UP_PAIRS = 3;
/** The kubelet looks every second: a loop in step with it would measure nonsense. */
const MAX_DELAY_MS = 1000;
/** Longer than any single Job or build takes on a machine that works. */
const RUN_LIMIT_MS = 120_000;

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
    return checkout || collect ? runSteps({ checkout, collect, ...others }, world, runAfterDelay) : runOverhead(others, world);
  },
};

function parsePairs(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("a number from 1 to 9999, please");
  return Number(text);
}

interface Rig {
  cluster: BenchCluster;
  gearman: GearmanClient;
  times: JobTimes;
}

async function runOverhead(flags: ClusterFlags & { pairs: number }, world: BenchWorld): Promise<BenchReport> {
  const { signal, log } = world;
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

  signal.throwIfAborted();
  log(`warming up with ${WARM_UP_PAIRS} pairs, then measuring ${flags.pairs}`);
  const bares: BareRun[] = [];
  const builds: BuildRun[] = [];
  for (let pair = -WARM_UP_PAIRS; pair < flags.pairs; pair++) {
    const measureBare = async () => void bares.push(await runAfterDelay((limit) => runBare(rig, limit), signal));
    const measureBuild = async () => void builds.push(await runAfterDelay((limit) => runBuild(rig, limit), signal));
    // Whatever the first of a pair does to the second, it does to both kinds.
    for (const measure of pair % 2 === 0 ? [measureBare, measureBuild] : [measureBuild, measureBare]) await measure();
    if (pair === -1) bares.length = builds.length = 0;
    if (pair > 0 && pair % 10 === 0) log(`${pair} of ${flags.pairs} pairs`);
  }
  const report = summarizeOverhead(bares, builds);
  return { json: report, text: renderOverhead(report, bares, builds), isFailed: !isFastEnough(report) };
}

async function runAfterDelay<T>(run: (limit: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  await systemClock.sleep(Math.random() * MAX_DELAY_MS, signal);
  const limit = AbortSignal.timeout(RUN_LIMIT_MS);
  try {
    return await run(AbortSignal.any([signal, limit]));
  } catch (error) {
    if (error !== limit.reason) throw error;
    throw new TurboHipsterError("TH_BENCH", `no end of a Job of \`true\` within ${RUN_LIMIT_MS / 1000} s; do the nodes have the image?`);
  }
}

async function runBare({ cluster, times }: Rig, limit: AbortSignal): Promise<BareRun> {
  const name = `bare-${randomBytes(4).toString("hex")}`;
  const job = renderBareJob(name, cluster.image);
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

function testContainer(image: string): object {
  return { name: "test", image, imagePullPolicy: "IfNotPresent", command: ["true"] };
}

/** As little as a Job can be. */
function renderBareJob(name: string, image: string): object {
  const spec = {
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    containers: [testContainer(image)],
  };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { backoffLimit: 0, template: { spec } } };
}
