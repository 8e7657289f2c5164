import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectGearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { BUCKET, S3_CREDENTIALS, startS3Server } from "../../support/s3/s3-server.ts";
import { wholeNumber } from "../../support/whole-number.ts";
import { type BenchCluster, type ClusterFlags, configureCluster, openLocalBenchCluster } from "../bench-cluster.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import {
  containerNodeArgs,
  type PublishedProgram,
  reachableConfig,
  stagePublishedProgram,
  startPublishedOperator,
} from "../published-operator.ts";
import { recordBuild } from "./recorded-build.ts";
import { isFlat, type Recorded, renderRecorded } from "./recording-summary.ts";

interface Flags extends ClusterFlags {
  megabytes: number;
  artifacts: number;
}

/** For one build. */
const LIMIT_MS = 900_000;
const SIZES = [
  ["small", 0.05],
  ["large", 1],
] as const;

export const recordingBench: Bench = {
  name: "recording",
  description: "a large log and large artifacts through the whole operator to both stores: seconds, and memory of operator and collector",
  configure(command) {
    configureCluster(command);
    command
      .option("--megabytes <n>", "of the log", wholeNumber(1), 100)
      .option("--artifacts <n>", "megabytes of artifacts", wholeNumber(1), 1000);
  },
  run: (flags, world) => runRecording(flags as unknown as Flags, world),
};

async function runRecording(flags: Flags, world: BenchWorld): Promise<BenchReport> {
  const root = await mkdtemp(join(tmpdir(), "th-bench-recording-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const program = stack.use(await stagePublishedProgram());
  const cluster = stack.use(await openLocalBenchCluster(flags, world));
  await applyTasks(cluster, flags);
  const [files, credentials] = [join(root, "files"), join(root, "credentials")];
  for (const path of [files, credentials]) await mkdir(path);
  for (const [name, value] of Object.entries(S3_CREDENTIALS)) await writeFile(join(credentials, name), value);
  const s3 = stack.use(await startS3Server());
  const shared = { cluster, program, world };
  const ofS3 = { store: "s3", bucket: BUCKET, endpoint: s3.endpoint, credentialsDirectory: credentials };
  const recorded = [
    ...(await measureStore({ ...shared, logs: { store: "files", directory: files }, directory: files })),
    ...(await measureStore({ ...shared, logs: ofS3, directory: s3.directory })),
  ];
  return { json: { recorded }, text: recorded.map(renderRecorded).join("\n"), isFailed: !recorded.every(isFlat) };
}

/** One that prints and one that leaves artifacts, and both with a twentieth of that. */
async function applyTasks({ image, applyTestTask }: BenchCluster, flags: Flags): Promise<void> {
  for (const [size, part] of SIZES) {
    const lines = Math.ceil(flags.megabytes * 10_000 * part);
    const bytes = Math.ceil(flags.artifacts * 1_000_000 * part);
    const line = `("x" x 90) . "\\n"`;
    const prints = `perl -e '$line = ${line}; for ($i = 0; $i < ${lines}; $i++) { print sprintf("%08d ", $i), $line }'`;
    const leaves = `head -c ${bytes} /dev/urandom > "$TH_ARTIFACTS_DIR/random"`;
    await applyTestTask(`log-${size}`, { image, script: prints });
    await applyTestTask(`artifacts-${size}`, { image, script: leaves, artifacts: { paths: ["reports/"] } });
  }
}

interface StoreParts {
  cluster: BenchCluster & { hostAddress: string };
  program: PublishedProgram;
  world: BenchWorld;
  /** Of the configuration. */
  logs: { readonly store: string; readonly [field: string]: string };
  /** Where what it stores are files. */
  directory: string;
}

/** All builds, by an operator of their own. */
async function measureStore({ cluster, program, world: { signal, log }, logs, directory }: StoreParts): Promise<Recorded[]> {
  const { hostAddress, namespace, image } = cluster;
  await using server = await startGearmand();
  await using operator = await startPublishedOperator({
    ...{ program, clusterArgs: cluster.operatorArgs, nodeArgs: containerNodeArgs(), signal },
    config: {
      ...{ installation: `bench-${logs.store}`, namespaces: [namespace], image, gearman: { servers: [server.address] }, logs },
      ...(await reachableConfig(hostAddress)),
    },
  });
  await using gearman = await connectGearmanClient({ server: server.address, clock: systemClock });
  const recorded: Recorded[] = [];
  for (const what of ["log", "artifacts"] as const) {
    const record = (size: (typeof SIZES)[number][0]) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
      return recordBuild({ cluster, gearman, directory, pid: operator.child.pid }, { task: `${what}-${size}`, what }, limit);
    };
    const small = await record("small");
    const { operatorPeakMb, ...large } = await record("large");
    const one: Recorded = { store: logs.store, what, ...large, operatorMb: { small: small.operatorPeakMb, large: operatorPeakMb } };
    recorded.push(one);
    log(renderRecorded(one));
  }
  return recorded;
}
