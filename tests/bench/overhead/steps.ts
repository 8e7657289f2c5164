import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectGearmanClient, type GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { JOBS } from "../../../src/kube/client/resource.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { startGitDaemon } from "../../support/git/git-daemon.ts";
import { awaitStored } from "../await-stored.ts";
import { type BenchCluster, type ClusterFlags, openLocalBenchCluster } from "../bench-cluster.ts";
import type { BenchReport, BenchWorld } from "../bench-world.ts";
import { makeLargeRepository } from "../checkout/large-repository.ts";
import { containerNodeArgs, reachableConfig, stagePublishedProgram, startPublishedOperator } from "../published-operator.ts";
import { runTimedBuild } from "../timed-build.ts";
import type { MergedChange } from "../zuul-request.ts";
import { type HandSteps, renderHandJob } from "./by-hand-job.ts";
import { startHandReceiver } from "./hand-receiver.ts";
import { type Measure, measureInTurn } from "./in-turn.ts";
import { type JobTimes, watchJobTimes } from "./job-times.ts";
import { isFastEnough, renderSteps, type StepRuns, type StepTimes, summarizeSteps } from "./steps-summary.ts";

export interface StepsFlags extends ClusterFlags {
  pairs: number;
  checkout: boolean;
  collect: boolean;
}

const WARM_UP_PAIRS = 2;
const TASK = "steps";
const ARTIFACT_BYTES = 1_000_000;
const LEAVES = `head -c ${ARTIFACT_BYTES} /dev/urandom > "$TH_ARTIFACTS_DIR/random"
echo '<testsuite name="t"><testcase name="passes"/></testsuite>' > "$TH_ARTIFACTS_DIR/results.xml"`;

interface Rig {
  cluster: BenchCluster;
  gearman: GearmanClient;
  times: JobTimes;
  script: string;
  /** Each is of a build set of its own: for another request of the same one the operator has an answer already. */
  nextChange: (() => Promise<MergedChange>) | undefined;
  /** Where bare Jobs send what they leave, and where that lies then. */
  byHand: { url: string; directory: string } | undefined;
  /** Where the operator stores it. */
  stored: string;
}

/** Builds with a checkout, artifacts or both beside bare Jobs that do the same, one at a time. */
export async function runSteps(flags: StepsFlags, world: BenchWorld): Promise<BenchReport> {
  await using stack = new AsyncDisposableStack();
  const rig = await openRig(flags, world, stack);
  const runs: StepRuns = { build: [], bare: [], bareInTest: [] };
  const kinds: Measure[] = [
    async (limit) => void runs.bare.push(await runBare(rig, flags.collect ? "sidecar" : undefined, limit)),
    async (limit) => void runs.build.push(await runBuild(rig, flags, limit)),
  ];
  if (flags.collect) kinds.push(async (limit) => void runs.bareInTest.push(await runBare(rig, "test", limit)));
  const forget = () => {
    for (const times of Object.values(runs)) times.length = 0;
  };
  await measureInTurn(kinds, { pairs: flags.pairs, warmUp: WARM_UP_PAIRS, forget }, world);
  const report = summarizeSteps(runs);
  return { json: report, text: renderSteps(report, runs), isFailed: !isFastEnough(report) };
}

async function openRig(flags: StepsFlags, world: BenchWorld, stack: AsyncDisposableStack): Promise<Rig> {
  const { signal, log } = world;
  const root = await mkdtemp(join(tmpdir(), "th-bench-steps-"));
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const program = stack.use(await stagePublishedProgram());
  const cluster = stack.use(await openLocalBenchCluster(flags, world));
  const { hostAddress, namespace, image } = cluster;
  const nextChange = flags.checkout ? await serveChanges(join(root, "git"), hostAddress, world, stack) : undefined;
  const [handDirectory, stored] = [join(root, "by-hand"), join(root, "stored")];
  for (const directory of [handDirectory, stored]) await mkdir(directory);
  const receiver = flags.collect ? stack.use(await startHandReceiver(hostAddress, handDirectory)) : undefined;
  const script = flags.collect ? LEAVES : "true";
  await cluster.applyTestTask(TASK, {
    ...{ image, script, checkout: { enabled: flags.checkout } },
    ...(flags.collect ? { artifacts: { paths: ["reports/"], junit: ["*.xml"] } } : {}),
  });
  const server = stack.use(await startGearmand());
  signal.throwIfAborted();
  stack.use(
    await startPublishedOperator({
      ...{ program, clusterArgs: cluster.operatorArgs, nodeArgs: containerNodeArgs(), signal },
      config: {
        ...{ installation: "bench", namespaces: [namespace], image, gearman: { servers: [server.address] } },
        ...(await reachableConfig(hostAddress)),
        ...(flags.collect ? { logs: { store: "files", directory: stored } } : {}),
      },
    }),
  );
  const gearman = stack.use(await connectGearmanClient({ server: server.address, clock: systemClock }));
  const times = stack.use(await watchJobTimes(cluster.client, namespace));
  signal.throwIfAborted();
  log("the operator takes builds");
  return { cluster, gearman, times, script, nextChange, byHand: receiver && { url: receiver.url, directory: handDirectory }, stored };
}

/** Of a repository of some hundred commits and files, from a git daemon of this machine. */
async function serveChanges(
  root: string,
  host: string,
  { log }: BenchWorld,
  stack: AsyncDisposableStack,
): Promise<() => Promise<MergedChange>> {
  log("making a repository");
  await mkdir(root);
  const { repository } = await makeLargeRepository(root, { commits: 300, files: 200 });
  const daemon = await startGitDaemon(root, { host });
  stack.defer(() => daemon.stop());
  return async () => {
    const { project, ref, commit } = await repository.change("master", "Change", { "new.txt": "new\n" });
    return { zuulUrl: daemon.url, project, ref, commit };
  };
}

async function runBare({ cluster, times, script, nextChange, byHand }: Rig, by: "sidecar" | "test" | undefined, limit: AbortSignal) {
  const change = await nextChange?.();
  const name = `bare-${randomBytes(4).toString("hex")}`;
  const steps: HandSteps = { image: cluster.image, script, change, upload: byHand && by && { url: byHand.url, by } };
  const job = renderHandJob(name, steps);
  const sentMs = performance.now();
  await cluster.client.create(JOBS, cluster.namespace, job, { signal: limit });
  const endedMs = await times.seen(name, "allTerminated", limit);
  // Its aftermath must not fall into the next run.
  await times.seen(name, "finished", limit);
  if (byHand && by) await requireArtifact(join(byHand.directory, name, "random"));
  return readTimes({ times, name, sentMs, endedMs, hasCheckout: change !== undefined }, limit);
}

async function runBuild({ cluster, gearman, times, nextChange, stored }: Rig, { collect }: StepsFlags, limit: AbortSignal) {
  const change = await nextChange?.();
  const { number, submittedMs, completedMs } = await runTimedBuild(gearman, { jobName: TASK, change }, limit);
  await times.seen(number, "finished", limit);
  if (collect) await requireArtifact(join(stored, await awaitStored(cluster, number, limit), "artifacts/random"));
  return readTimes({ times, name: number, sentMs: submittedMs, endedMs: completedMs, hasCheckout: change !== undefined }, limit);
}

interface Watched {
  times: JobTimes;
  name: string;
  sentMs: number;
  endedMs: number;
  hasCheckout: boolean;
}

async function readTimes({ times, name, sentMs, endedMs, hasCheckout }: Watched, limit: AbortSignal): Promise<StepTimes> {
  const since = async (moment: Parameters<JobTimes["seen"]>[1]) => (await times.seen(name, moment, limit)) - sentMs;
  return {
    added: await since("added"),
    ...(hasCheckout ? { checkedOut: await since("checkedOut") } : {}),
    begun: await since("begun"),
    terminated: await since("terminated"),
    ended: endedMs - sentMs,
  };
}

async function requireArtifact(path: string): Promise<void> {
  const { size } = await stat(path);
  if (size !== ARTIFACT_BYTES) throw new TurboHipsterError("TH_BENCH", `${path} has ${size} of ${ARTIFACT_BYTES} bytes`);
}
