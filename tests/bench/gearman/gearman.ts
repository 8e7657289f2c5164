import type { GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { quantile } from "../overhead/overhead-summary.ts";
import { openBuildsBench } from "./gearman-builds.ts";
import { type CodecRates, measureCodec } from "./gearman-codec.ts";

/** Rates in packets or builds a second, medians of the rounds; the two are measured in turn, so the ratio is the median of the rounds' own. */
interface Comparison<Other extends string> {
  ours: number;
  ratio: number;
  other: Record<Other, number>;
}

const CODEC_ROUNDS = 7;
const SMALL = { bytes: 100, count: 100_000 };
const LARGE = { bytes: 1_000_000, count: 200 };
const BUILD_ROUNDS = 5;
const BUILDS: Record<GearmanServerKind, number> = { gearmand: 4000, geard: 2000 };
const MEMORY_BUILDS = 100_000;

export const gearmanBench: Bench = {
  name: "gearman",
  description: "the Gearman codec in memory beside abraxas', and builds that do nothing over both servers beside the Python worker of gear",
  configure: () => {},
  run: (_, world) => runGearman(world),
};

async function runGearman({ signal, log }: BenchWorld): Promise<BenchReport> {
  log("codec, bodies of 100 bytes");
  const small = await repeatCodec(SMALL, signal);
  log("codec, bodies of 1 MB");
  const large = await repeatCodec(LARGE, signal);
  const builds: Record<string, object> = {};
  const lines: string[] = [];
  let memory = { builds: 0, growthMb: 0, rssGrowthMb: 0 };
  for (const kind of ["gearmand", "geard"] as const) {
    log(`builds over ${kind}`);
    await using bench = await openBuildsBench(kind);
    const run = await bench.compare(BUILD_ROUNDS, BUILDS[kind], signal);
    const compared = compare("gear", run.ours, run.gear);
    const noDelay = compare("gear", run.ours, run.gearNoDelay);
    const serverBusy = Math.round(quantile(run.serverBusy, 0.5) * 100) / 100;
    builds[kind] = { ...flat(compared), gearNoDelay: noDelay.other.gear, ratioNoDelay: noDelay.ratio, serverBusy };
    lines.push(
      `${`builds, ${kind}`.padEnd(16)}${tell(compared, "gear")}`,
      `                with TCP_NODELAY, which gear does not set: ${noDelay.other.gear}/s, ${noDelay.ratio} times`,
      `                the server's one thread was at work for ${Math.round(serverBusy * 100)} % of our time`,
    );
    if (kind !== "gearmand") continue;
    log(`memory over ${MEMORY_BUILDS} builds`);
    memory = await bench.memory(MEMORY_BUILDS, signal);
  }
  return {
    json: {
      decode: flat(small.decode),
      encode: flat(small.encode),
      decodeLarge: flat(large.decode),
      encodeLarge: flat(large.encode),
      builds,
      memoryGrowthMb: memory.growthMb,
      rssGrowthMb: memory.rssGrowthMb,
    },
    text: [
      `decode, 100 B   ${tell(small.decode, "abraxas")}`,
      `encode, 100 B   ${tell(small.encode, "abraxas")}`,
      `decode, 1 MB    ${tell(large.decode, "abraxas")}`,
      `encode, 1 MB    ${tell(large.encode, "abraxas")}`,
      ...lines,
      `memory          ${memory.growthMb} MB more in use after ${memory.builds} builds (resident: ${memory.rssGrowthMb} MB)`,
    ].join("\n"),
  };
}

async function repeatCodec({ bytes, count }: { bytes: number; count: number }, signal: AbortSignal) {
  const rounds: CodecRates[] = [];
  await measureCodec(bytes, Math.ceil(count / 10));
  for (let round = 0; round < CODEC_ROUNDS; round += 1) {
    signal.throwIfAborted();
    rounds.push(await measureCodec(bytes, count));
  }
  const of = (side: "decode" | "encode") => {
    const figures = rounds.map((round) => round[side]);
    return compare(
      "abraxas",
      figures.map(({ ours }) => ours),
      figures.map(({ abraxas }) => abraxas),
    );
  };
  return { decode: of("decode"), encode: of("encode") };
}

function compare<Other extends string>(name: Other, ours: readonly number[], others: readonly number[]): Comparison<Other> {
  const ratios = ours.map((each, round) => each / (others[round] ?? Number.NaN));
  return {
    ours: Math.round(quantile(ours, 0.5)),
    ratio: Math.round(quantile(ratios, 0.5) * 100) / 100,
    other: { [name]: Math.round(quantile(others, 0.5)) } as Record<Other, number>,
  };
}

function flat({ ours, ratio, other }: Comparison<string>): object {
  return { ours, ...other, ratio };
}

function tell<Other extends string>({ ours, ratio, other }: Comparison<Other>, name: Other): string {
  return `${ours}/s, ${name} ${other[name]}/s: ${ratio} times`;
}
