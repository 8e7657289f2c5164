import { randomBytes } from "node:crypto";
import { JOBS } from "../../../src/kube/client/resource.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulLauncher } from "../../support/zuul/zuul-launcher.ts";
import { renderBareJob, testContainer } from "../bare-job.ts";
import { type BenchCluster, type ClusterFlags, configureCluster, openBenchCluster } from "../bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { rejectOnAbort } from "../moments.ts";
import { stagePublishedProgram, startBenchOperator } from "../published-operator.ts";
import { type PodTimes, watchPodTimes } from "./pod-times.ts";
import { isGoodEnough, renderStops, type StoppedBuild, summarizeStops } from "./stop-summary.ts";

/** As a gate's reset stops them: all that is behind the change that failed. */
const AT_ONCE = 20;
const ROUNDS = 5;
const ENDING_ROUNDS = 5;
/** What ignores TERM takes the grace of half a minute. */
const IGNORING_ROUNDS = 1;
/** Longer than so many pods take to start, or to end when they ignore TERM, on a machine that works. */
const ROUND_LIMIT_MS = 180_000;
const COMMAND = "sleep 600";
/** The same for a shell that is PID 1 and ends at TERM, as nobody writes it: the least that this node takes. */
const ENDING_COMMAND = "trap 'exit 143' TERM; sleep 600 & wait";
/** A gate's builds have run for a while: for what has just begun, the kubelet takes another of its looks, of which there is one a second. */
const SETTLE_MS = 3000;
/** Not in step with those looks. */
const MAX_DELAY_MS = 1000;

export const stopBench: Bench = {
  name: "stop",
  description: `how long until ${AT_ONCE} running builds that Zuul stops at once are answered, and their places free, beside bare Jobs that are deleted`,
  configure: configureCluster,
  run: (flags, world) => runStop(flags as unknown as ClusterFlags, world),
};

interface Rig {
  cluster: BenchCluster;
  zuul: ZuulLauncher;
  times: PodTimes;
}

async function runStop(flags: ClusterFlags, world: BenchWorld): Promise<BenchReport> {
  const { signal, log } = world;
  await using program = await stagePublishedProgram();
  await using cluster = await openBenchCluster(flags, world);
  await cluster.applyTestTask("bench", { image: cluster.image, script: COMMAND });
  await using server = await startGearmand();
  signal.throwIfAborted();
  await using _operator = await startBenchOperator({
    ...{ program, namespace: cluster.namespace, server: server.address },
    clusterArgs: cluster.operatorArgs,
    signal,
  });
  await using zuul = await startZuulLauncher({ server: server.address, patient: true });
  await using times = await watchPodTimes(cluster.client, cluster.namespace);
  const rig: Rig = { cluster, zuul, times };

  const builds = await repeat(ROUNDS, async (round) => {
    const stopped = await withinLimit(signal, (limit) => stopBuilds(rig, limit));
    log(
      `round ${round} of ${ROUNDS}: the last of ${AT_ONCE} builds was answered after ${latest(stopped.map(({ answered }) => answered))} s`,
    );
    return stopped;
  });
  const ending = await repeat(ENDING_ROUNDS, async (round) => {
    log(`round ${round} of ${ENDING_ROUNDS}: ${AT_ONCE} bare Jobs that end at TERM, deleted while they run`);
    return withinLimit(signal, (limit) => deleteBareJobs(rig, ENDING_COMMAND, limit));
  });
  const ignoring = await repeat(IGNORING_ROUNDS, async () => {
    log(`${AT_ONCE} bare Jobs of the same command, deleted while they run`);
    return withinLimit(signal, (limit) => deleteBareJobs(rig, COMMAND, limit));
  });
  const report = summarizeStops(builds, { ignoring, ending });
  return { json: report, text: renderStops(report), isFailed: !isGoodEnough(report) };
}

/** Resolves when the places of all are free, so that the next round finds the node empty. */
async function stopBuilds({ zuul, times }: Rig, limit: AbortSignal): Promise<StoppedBuild[]> {
  const builds = await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const build = zuul.launch({ job: "bench", attempts: 1 });
      const number = String((await build.started).number);
      await times.seen(number, "running", limit);
      await build.waitFor("update", ({ numerator }) => numerator === "4");
      return { build, number };
    }),
  );
  await settle(limit);
  const stoppedMs = performance.now();
  return Promise.all(
    builds.map(async ({ build, number }) => {
      await build.cancel();
      await build.waitFor("answered");
      const answered = (performance.now() - stoppedMs) / 1000;
      const free = ((await times.seen(number, "free", limit)) - stoppedMs) / 1000;
      return { answered, free };
    }),
  );
}

/** Seconds until the place of each was free. */
async function deleteBareJobs({ cluster, times }: Rig, command: string, limit: AbortSignal): Promise<number[]> {
  const names = Array.from({ length: AT_ONCE }, () => `bare-${randomBytes(4).toString("hex")}`);
  for (const name of names)
    await cluster.client.create(JOBS, cluster.namespace, renderBareJob(name, testContainer(cluster.image, ["/bin/sh", "-c", command])), {
      signal: limit,
    });
  await Promise.all(names.map((name) => times.seen(name, "running", limit)));
  await settle(limit);
  const deletedMs = performance.now();
  await cluster.kubectl("delete", "--wait=false", ...names.map((name) => `job/${name}`));
  return Promise.all(names.map(async (name) => ((await times.seen(name, "free", limit)) - deletedMs) / 1000));
}

async function settle(limit: AbortSignal): Promise<void> {
  await systemClock.sleep(SETTLE_MS + Math.random() * MAX_DELAY_MS, limit);
}

async function withinLimit<T>(signal: AbortSignal, run: (limit: AbortSignal) => Promise<T>): Promise<T> {
  const limit = AbortSignal.timeout(ROUND_LIMIT_MS);
  const either = AbortSignal.any([signal, limit]);
  try {
    return await Promise.race([run(either), rejectOnAbort(either)]);
  } catch (error) {
    if (error !== limit.reason) throw error;
    throw new TurboHipsterError(
      "TH_BENCH",
      `${AT_ONCE} builds did not start and end within ${ROUND_LIMIT_MS / 1000} s; is there room for them?`,
    );
  }
}

async function repeat<T>(rounds: number, run: (round: number) => Promise<T[]>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 1; round <= rounds; round++) results.push(...(await run(round)));
  return results;
}

function latest(seconds: readonly number[]): string {
  return Math.max(...seconds).toFixed(1);
}
