import { InvalidArgumentError } from "commander";
import { renderJob } from "../../src/core/job-manifest.ts";
import type { PodTemplate } from "../../src/core/kubernetes-objects.ts";
import { parseParameters } from "../../src/core/parameters.ts";
import { parseTestTask, TEST_TASK_API_VERSION, TEST_TASK_KIND, type TestTaskSpecAsWritten } from "../../src/core/test-task.ts";
import { connectGearmanClient } from "../../src/gearman/gearman-client.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { startGearmand } from "../support/gearmand.ts";
import type { Bench, BenchReport, BenchWorld } from "./bench.ts";
import { openBenchCluster } from "./bench-cluster.ts";
import { readProcessUsage } from "./process-usage.ts";
import { stagePublishedProgram, startPublishedOperator } from "./published-operator.ts";
import { clearJobs, type LoadRig, renderRequest, runBareJobs, runBuilds, runHeldBuilds, streamBuilds } from "./scale-load.ts";
import { HELD_LABEL, PLAYED_NODE_SELECTOR, startPlayedNodes } from "./scale-nodes.ts";
import { WATCHED_NODE_ARGS, watchOperator } from "./scale-operator.ts";
import { findMissedLimits, parseApiCalls, renderScale, type ScaleFacts, type ScalePair, summarizeScale } from "./scale-summary.ts";

const INSTALLATION = "bench";
const GEARMAN_CONNECTIONS = 4;
/** Builds at once in the stream: enough that the cluster never waits for us. */
const STREAM_AT_ONCE = 200;
/** Before memory is looked at that nothing uses just then. */
const SETTLE_MS = 10_000;
const WARM_UP = 50;
/** On no node: kwok runs nothing. */
const IMAGE = "example.invalid/test:1";

interface ScaleFlags {
  cluster: string;
  builds: number;
  atOnce: number;
  pairs: number;
  keepJobs: string;
  cpuProfile?: string;
}

export const scaleBench: Bench = {
  name: "scale",
  description: "1,000 builds at once beside 1,000 bare Jobs on nodes that kwok plays, then a stream: time, requests, memory, event loop",
  configure(command) {
    command
      .option(
        "--cluster <name>",
        "local cluster to measure on: one that is up stays up, else it is brought up and taken down again",
        "bench",
      )
      .option("--builds <n>", "builds in all; a stream follows the pairs and the held builds until so many have ended", parseCount, 10_000)
      .option("--at-once <n>", "builds submitted at once, and bare Jobs beside them", parseCount, 1000)
      .option("--pairs <n>", "pairs of bare Jobs and builds", parseCount, 3)
      .option("--keep-jobs <duration>", "how long the operator keeps the Jobs of ended builds", "1m")
      .option("--cpu-profile <directory>", "write a CPU profile of the operator there");
  },
  run: (flags, world) => runScale(flags as unknown as ScaleFlags, world),
};

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("a number from 1 to 999999, please");
  return Number(text);
}

async function runScale(flags: ScaleFlags, world: BenchWorld): Promise<BenchReport> {
  const { signal, log } = world;
  const { atOnce } = flags;
  await using program = await stagePublishedProgram();
  await using cluster = await openBenchCluster({ cluster: flags.cluster, image: IMAGE }, world);
  const { client, namespace } = cluster;
  await using _nodes = await startPlayedNodes({ client, clusterArgs: cluster.operatorArgs, world });
  await cluster.applyTestTask("bench", taskSpec());
  await cluster.applyTestTask("held", taskSpec({ [HELD_LABEL]: "true" }));
  await using server = await startGearmand();
  signal.throwIfAborted();
  await using stack = new AsyncDisposableStack();
  const gearmen = [];
  for (let index = 0; index < GEARMAN_CONNECTIONS; index++) {
    gearmen.push(stack.use(await connectGearmanClient({ server: server.address, clock: systemClock })));
  }
  const rig: LoadRig = { client, namespace, gearmen };
  // Of a namespace full of Jobs the API server takes minutes to get rid of.
  stack.defer(() => clearJobs(rig, AbortSignal.timeout(300_000)));
  await using operator = await startPublishedOperator({
    program,
    config: {
      installation: INSTALLATION,
      namespaces: [namespace],
      gearman: { servers: [server.address] },
      maxBuilds: Math.max(1000, atOnce) + 100,
      keepJobs: flags.keepJobs,
    },
    clusterArgs: cluster.operatorArgs,
    nodeArgs: [...WATCHED_NODE_ARGS, ...(flags.cpuProfile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${flags.cpuProfile}`])],
    signal,
  });
  const watched = await watchOperator(operator);

  log(`the operator is ready; its memory is looked at in ${SETTLE_MS / 1000} s`);
  await systemClock.sleep(SETTLE_MS, signal);
  const idle = (await readProcessUsage(operator.child.pid)).rssMb;
  const template = renderTemplate(namespace);
  const settle = async () => {
    await watched.untilIdle(signal);
    await clearJobs(rig, signal);
  };
  await runBareJobs(rig, WARM_UP, template, signal);
  await watched.timed(() => runBuilds(rig, WARM_UP, "bench", signal));
  let builds = WARM_UP;
  await settle();

  const pairs: ScalePair[] = [];
  for (let index = 0; index < flags.pairs; index++) {
    const pair: ScalePair = { bareSeconds: 0, buildsSeconds: 0 };
    const measureBare = async () => {
      pair.bareSeconds = await runBareJobs(rig, atOnce, template, signal);
    };
    const measureBuilds = async () => {
      pair.buildsSeconds = await watched.timed(() => runBuilds(rig, atOnce, "bench", signal));
      builds += atOnce;
    };
    // Whatever the first of a pair does to the second, it does to both kinds.
    for (const measure of index % 2 === 0 ? [measureBare, measureBuilds] : [measureBuilds, measureBare]) {
      await measure();
      await settle();
    }
    pairs.push(pair);
    log(`pair ${index + 1}: ${atOnce} bare Jobs ${pair.bareSeconds.toFixed(2)} s, builds ${pair.buildsSeconds.toFixed(2)} s`);
  }

  let live1000 = 0;
  await watched.timed(() =>
    runHeldBuilds(
      rig,
      atOnce,
      "held",
      async () => {
        live1000 = await watched.peakRssMb(SETTLE_MS, signal);
      },
      signal,
    ),
  );
  builds += atOnce;
  log(`${atOnce} builds live: ${live1000.toFixed(1)} MB`);
  await settle();

  const left = Math.max(0, flags.builds - builds);
  const startedMs = performance.now();
  const onEnd = (ended: number) => {
    if (ended % 1000 !== 0) return;
    void readProcessUsage(operator.child.pid).then(({ rssMb }) => {
      const rate = ended / ((performance.now() - startedMs) / 1000);
      log(`stream: ${ended} of ${left} builds, ${rate.toFixed(1)} a second, ${rssMb.toFixed(1)} MB`);
    });
  };
  await watched.timed(() => streamBuilds(rig, { count: left, atOnce: STREAM_AT_ONCE, jobName: "bench", onEnd }, signal));
  builds += left;
  await watched.untilIdle(signal);
  await systemClock.sleep(SETTLE_MS, signal);
  const after10000 = (await readProcessUsage(operator.child.pid)).rssMb;
  const facts: ScaleFacts = {
    pairs,
    calls: parseApiCalls(await watched.metrics()),
    builds,
    rssMb: { idle, live1000, after10000 },
    eventLoopP99Ms: watched.eventLoopP99Ms(),
  };
  const report = summarizeScale(facts);
  return { json: report, text: renderScale(report, facts), isFailed: findMissedLimits(report).length > 0 };
}

function taskSpec(labels: Record<string, string> = {}): TestTaskSpecAsWritten {
  const test = { name: "test", image: IMAGE, command: ["true"] };
  return { template: { metadata: { labels }, spec: { nodeSelector: PLAYED_NODE_SELECTOR, containers: [test] } } };
}

/** The pod template that the operator gives a build, for the bare Jobs. */
function renderTemplate(namespace: string): PodTemplate {
  const metadata = { name: "bench", namespace };
  const parsed = parseTestTask({ apiVersion: TEST_TASK_API_VERSION, kind: TEST_TASK_KIND, metadata, spec: taskSpec() });
  const unique = "0".repeat(32);
  const parameters = parseParameters(Buffer.from(renderRequest("bench", unique)));
  if (!parsed.ok || !parameters.ok) throw new Error("the bench's own TestTask or request is not valid");
  const request = { server: "", unique, number: `bench-${"0".repeat(16)}`, logPath: null, replica: "", since: "" };
  const settings = { installation: INSTALLATION, image: IMAGE, checkout: { allowedUrls: [] } };
  const job = renderJob({ task: parsed.task, functionName: "build:bench", parameters: parameters.parameters, request, settings });
  return job.spec?.template as PodTemplate;
}
