import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseBuildFile } from "../../../src/core/logs/build-file.ts";
import type { GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { awaitStored } from "../await-stored.ts";
import type { BenchCluster } from "../bench-cluster.ts";
import { readProcessUsage } from "../process-usage.ts";
import { runTimedBuild } from "../timed-build.ts";
import type { Recorded } from "./recording-summary.ts";

export interface BuildParts {
  cluster: BenchCluster;
  gearman: GearmanClient;
  /** Where what the operator stores are files. */
  directory: string;
  /** The operator's. */
  pid: number;
}

/** Where it lies in the build's directory. */
const FILES = { log: "console.log", artifacts: "artifacts/random" } as const;

const OPERATOR_LOOK_MS = 200;
/** Each look is a process of kubectl. */
const COLLECTOR_LOOK_MS = 1000;

/** Runs a build of a TestTask until all of it is stored, and looks at what operator and collector have resident meanwhile, in MB. */
export async function recordBuild(
  { cluster, gearman, directory, pid }: BuildParts,
  { task, what }: { task: string; what: Recorded["what"] },
  limit: AbortSignal,
): Promise<Omit<Recorded, "store" | "what" | "operatorMb"> & { operatorPeakMb: number }> {
  let operatorPeakMb = 0;
  let collectorMb = 0;
  let running: string | undefined;
  const onNumber = (number: string) => {
    running = number;
  };
  const over = new AbortController();
  const looks = [
    repeat(OPERATOR_LOOK_MS, over.signal, async () => {
      operatorPeakMb = Math.max(operatorPeakMb, await residentMb(pid));
    }),
    repeat(COLLECTOR_LOOK_MS, over.signal, async () => {
      if (what === "artifacts") collectorMb = Math.max(collectorMb, await collectorPeakMb(cluster, running));
    }),
  ];
  try {
    const { number, submittedMs, completedMs } = await runTimedBuild(gearman, { jobName: task, onNumber }, limit);
    const stored = join(directory, await awaitStored(cluster, number, limit));
    const seconds = { answered: (completedMs - submittedMs) / 1000, stored: (performance.now() - submittedMs) / 1000 };
    const build = parseBuildFile(await readFile(join(stored, "build.json"), "utf8"));
    const holes = build?.logs.reduce((sum, log) => sum + log.holes.length, 0) ?? 0;
    const { size: bytes } = await stat(join(stored, FILES[what]));
    return { bytes, holes, seconds, operatorPeakMb, ...(what === "artifacts" ? { collectorMb } : {}) };
  } finally {
    over.abort();
    await Promise.all(looks);
  }
}

/** Until `signal` aborts. */
async function repeat(pauseMs: number, signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await look();
    await systemClock.sleep(pauseMs, signal).catch(() => {});
  }
}

async function residentMb(pid: number): Promise<number> {
  return Math.round((await readProcessUsage(pid)).rssMb);
}

/** At most so far, as the kernel has counted for its first process; 0 where that can't be asked, as there is none yet or no more. */
async function collectorPeakMb({ kubectl }: BenchCluster, number: string | undefined): Promise<number> {
  if (number === undefined) return 0;
  const status = await kubectl("exec", `job/${number}`, "--container", "collector", "--", "cat", "/proc/1/status").catch(() => "");
  return Math.round((Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024) / 1e6);
}
