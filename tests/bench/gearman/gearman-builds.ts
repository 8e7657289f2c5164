import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { connectGearmanClient, type GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { type Child, startChild } from "../../support/child-process.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { adminStatus, type GearmanServer, type GearmanServerKind } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { ensurePythonVenv } from "../../support/zuul/python-venv.ts";

const OURS = "build:ours";
const GEAR = "build:gear";
const GEAR_NO_DELAY = "build:gear-nodelay";
/** The worker of gear does about 22 a second as it is. */
const SLOW_BUILDS = 50;
/** The client keeps so many requests waiting, so that the worker never waits for it. */
const OUTSTANDING = 200;

interface BuildsRun {
  /** Builds in a second, one figure for each round. */
  ours: number[];
  gear: number[];
  /** With TCP_NODELAY, which gear does not set. */
  gearNoDelay: number[];
  /** Share of the time in which the server's one thread was at work, for each round of ours. */
  serverBusy: number[];
}

interface MemoryRun {
  builds: number;
  /** Of the worker's heap and buffers after a collection, between the first tenth and the end. */
  growthMb: number;
  rssGrowthMb: number;
}

/** One real server with the workers, of which only one has work at a time, and a client. */
interface BuildsBench extends AsyncDisposable {
  readonly kind: GearmanServerKind;
  /** In turn, the same number of builds for each, fewer for gear as it is. */
  compare(rounds: number, builds: number, signal: AbortSignal): Promise<BuildsRun>;
  memory(builds: number, signal: AbortSignal): Promise<MemoryRun>;
}

export async function openBuildsBench(kind: GearmanServerKind): Promise<BuildsBench> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await (kind === "gearmand" ? startGearmand() : startGeard()));
  const { python } = await ensurePythonVenv();
  const [host = "", port = ""] = server.address.split(":");
  const memoryLines: ((line: string) => void)[] = [];
  const ours = await startChild({
    command: process.execPath,
    args: ["--expose-gc", fileURLToPath(new URL("gearman-worker.ts", import.meta.url)), server.address, OURS],
    onLine: (line) => memoryLines.shift()?.(line),
  });
  stack.defer(() => stopChild(ours));
  const script = fileURLToPath(new URL("gear_worker.py", import.meta.url));
  for (const args of [[GEAR], [GEAR_NO_DELAY, "nodelay"]]) {
    const gear = await startChild({ command: python, args: ["-I", script, host, port, ...args] });
    stack.defer(() => stopChild(gear));
  }
  while (!(await hasWorkers(server))) await systemClock.sleep(100);
  const client = stack.use(await connectGearmanClient({ server: server.address, clock: systemClock }));
  for (const name of [OURS, GEAR_NO_DELAY]) await runBuilds(client, name, 1000);

  const usedMemory = () =>
    new Promise<{ heapBytes: number; rssBytes: number }>((resolve) => {
      memoryLines.push((line) => resolve(JSON.parse(line)));
      ours.writeLine("");
    });
  const owned = stack.move();
  return {
    kind,
    async compare(rounds, builds, signal) {
      const run: BuildsRun = { ours: [], gear: [], gearNoDelay: [], serverBusy: [] };
      for (let round = 0; round < rounds; round += 1) {
        signal.throwIfAborted();
        const before = await cpuSeconds(server.pid);
        const seconds = await runBuilds(client, OURS, builds, signal);
        run.serverBusy.push(((await cpuSeconds(server.pid)) - before) / seconds);
        run.ours.push(builds / seconds);
        run.gearNoDelay.push(builds / (await runBuilds(client, GEAR_NO_DELAY, builds, signal)));
        run.gear.push(SLOW_BUILDS / (await runBuilds(client, GEAR, SLOW_BUILDS, signal)));
      }
      return run;
    },
    async memory(builds, signal) {
      await runBuilds(client, OURS, Math.ceil(builds / 10), signal);
      const before = await usedMemory();
      await runBuilds(client, OURS, builds, signal);
      const after = await usedMemory();
      const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;
      return { builds, growthMb: megabytes(after.heapBytes - before.heapBytes), rssGrowthMb: megabytes(after.rssBytes - before.rssBytes) };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function stopChild(child: Child): Promise<void> {
  await child.stop(0);
}

async function hasWorkers(server: GearmanServer): Promise<boolean> {
  const status = await adminStatus(server.address);
  // Our registrar registers it before the lane does.
  return (status.get(OURS)?.workers ?? 0) > 1 && [GEAR, GEAR_NO_DELAY].every((name) => (status.get(name)?.workers ?? 0) > 0);
}

/** Resolves with the seconds from the first request to the last end; rejects when one ends otherwise than complete. */
async function runBuilds(client: GearmanClient, functionName: string, builds: number, signal?: AbortSignal): Promise<number> {
  const startMs = performance.now();
  let submitted = 0;
  const submitInTurn = async () => {
    while (submitted < builds) {
      submitted += 1;
      signal?.throwIfAborted();
      const { kind } = await client.submit({ functionName, unique: `${functionName}-${submitted}`, payload: PAYLOAD }).ended;
      if (kind !== "complete") throw new Error(`a build of ${functionName} ended with ${kind}`);
    }
  };
  await Promise.all(Array.from({ length: OUTSTANDING }, submitInTurn));
  return (performance.now() - startMs) / 1000;
}

/** As many bytes as Zuul's request for a change has, about. */
const PAYLOAD = JSON.stringify({ ZUUL_UUID: "0123456789abcdef0123456789abcdef", ZUUL_PROJECT: "openstack/nova", padding: "x".repeat(600) });

/** Of the process, user and system. */
async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // utime and stime, in clock ticks; Linux shows 100 of them a second to user space.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
