import { InvalidArgumentError } from "commander";
import { systemClock } from "../../../src/runtime/clock.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { clearRecordedJobs, runBareJobs, runBuilds, runHeldBuilds, streamBuilds } from "./scale-load.ts";
import { subtractTimes } from "./scale-processes.ts";
import { openScaleRig, type ScaleRig } from "./scale-rig.ts";
import { findMissedLimits, parseApiCalls, renderScale, type ScaleFacts, type ScaleRun, summarizeScale } from "./scale-summary.ts";

/** Builds at once in the stream: enough that the cluster never waits for us. */
const STREAM_AT_ONCE = 200;
/** The operator's places for each build submitted: one task's builds that wait for a node get half of all at most (decision 13). */
const PLACES_FOR_ONE = 3;
/** Until memory is looked at that nothing uses just then, and for how long it is looked at while all builds are live. */
const SETTLE_MS = 10_000;
const WARM_UP = 50;
const TOLD_EVERY = 1000;

interface ScaleFlags {
  cluster: string;
  builds: number;
  atOnce: number;
  pairs: number;
  cpuProfile?: string;
}

export const scaleBench: Bench = {
  name: "scale",
  description: "1,000 builds at once beside 1,000 bare Jobs on nodes that kwok plays, then a stream: time, requests, memory, event loop",
  configure(command) {
    command
      .option("--cluster <name>", "local cluster: one that is up stays up, else it is brought up and taken down again", "bench")
      .option("--builds <n>", "builds in all: pairs and live builds, then a stream until so many have ended", parseCount, 10_000)
      .option("--at-once <n>", "builds submitted at once, and bare Jobs beside them", parseCount, 1000)
      .option("--pairs <n>", "pairs of bare Jobs and builds; an even number, so that each is first as often", parseCount, 4)
      .option("--cpu-profile <directory>", "write a CPU profile of the operator there");
  },
  run: (flags, world) => runScale(flags as unknown as ScaleFlags, world),
};

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("a number from 1 to 999999, please");
  return Number(text);
}

/** The operator is one process from the first build to the last. */
async function runScale(flags: ScaleFlags, world: BenchWorld): Promise<BenchReport> {
  const { atOnce } = flags;
  const { signal, log } = world;
  await using rig = await openScaleRig({ ...flags, maxBuilds: PLACES_FOR_ONE * atOnce }, world);
  log(`the operator is ready; its memory is looked at in ${SETTLE_MS / 1000} s`);
  await systemClock.sleep(SETTLE_MS, signal);
  const idle = await rig.operator.rssMb();
  await measureBare(rig, WARM_UP, signal);
  await measureBuilds(rig, WARM_UP, signal);
  const pairs = await measurePairs(rig, flags, world);
  const live1000 = await measureLive(rig, atOnce, signal);
  log(`${atOnce} builds live: ${live1000.toFixed(1)} MB`);
  const before = WARM_UP + (flags.pairs + 1) * atOnce;
  await runStream(rig, Math.max(0, flags.builds - before), world);
  await rig.operator.untilIdle(signal);
  await systemClock.sleep(SETTLE_MS, signal);
  const facts: ScaleFacts = {
    pairs,
    calls: parseApiCalls(await rig.operator.metrics()),
    atOnce,
    builds: Math.max(flags.builds, before),
    rssMb: { idle, live1000, after10000: await rig.operator.rssMb() },
    eventLoopP99Ms: rig.operator.eventLoopP99Ms(),
  };
  const report = summarizeScale(facts);
  return { json: report, text: renderScale(report, facts), isFailed: findMissedLimits(report).length > 0 };
}

async function measurePairs(
  rig: ScaleRig,
  { pairs: count, atOnce }: ScaleFlags,
  { signal, log }: BenchWorld,
): Promise<ScaleFacts["pairs"]> {
  const pairs: ScaleFacts["pairs"][number][] = [];
  for (let index = 0; index < count; index++) {
    // Whatever the first of a pair does to the second, it does to both kinds.
    const isBareFirst = index % 2 === 0;
    const first = await (isBareFirst ? measureBare : measureBuilds)(rig, atOnce, signal);
    const second = await (isBareFirst ? measureBuilds : measureBare)(rig, atOnce, signal);
    const [bare, builds] = isBareFirst ? [first, second] : [second, first];
    pairs.push({ bare, builds });
    log(`pair ${index + 1}: ${atOnce} bare Jobs ${bare.seconds.toFixed(2)} s, builds ${builds.seconds.toFixed(2)} s`);
  }
  return pairs;
}

function measureBare(rig: ScaleRig, count: number, signal: AbortSignal): Promise<ScaleRun> {
  return measure(rig, () => runBareJobs(rig.load, count, rig.template, signal));
}

function measureBuilds(rig: ScaleRig, count: number, signal: AbortSignal): Promise<ScaleRun> {
  return measure(rig, () => rig.operator.timed(() => runBuilds(rig.load, count, "bench", signal)));
}

/** Leaves nothing behind that the next run would feel. */
async function measure(rig: ScaleRig, run: () => Promise<number>): Promise<ScaleRun> {
  const before = await rig.processorTimes();
  const seconds = await run();
  const processors = subtractTimes(await rig.processorTimes(), before);
  await rig.settle();
  return { seconds, processors };
}

/** The most memory that the operator had resident while so many builds were live. */
async function measureLive(rig: ScaleRig, count: number, signal: AbortSignal): Promise<number> {
  let mostMb = 0;
  const whenLive = async () => {
    mostMb = await rig.operator.peakRssMb(SETTLE_MS, signal);
  };
  await rig.operator.timed(() => runHeldBuilds(rig.load, count, "held", whenLive, signal));
  await rig.settle();
  return mostMb;
}

/** Its Jobs go a thousand at a time, as with a short `keepJobs`: those that are kept would be memory that is used, not memory that is lost. */
async function runStream(rig: ScaleRig, count: number, { signal, log }: BenchWorld): Promise<void> {
  const startedMs = performance.now();
  const onEnd = async (ended: number) => {
    if (ended % TOLD_EVERY !== 0) return;
    const rate = ended / ((performance.now() - startedMs) / 1000);
    await clearRecordedJobs(rig.load, signal);
    log(`stream: ${ended} of ${count} builds, ${rate.toFixed(1)} a second, ${(await rig.operator.rssMb()).toFixed(1)} MB`);
  };
  const stream = { count, atOnce: STREAM_AT_ONCE, jobName: "bench", onEnd };
  await rig.operator.timed(() => streamBuilds(rig.load, stream, signal));
}
