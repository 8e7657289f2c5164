import { systemClock } from "../../../src/runtime/clock.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { readProcessUsage } from "../process-usage.ts";
import type { PublishedOperator } from "../published-operator.ts";

const IDLE_LIMIT_MS = 300_000;
const ANSWER_LIMIT_MS = 10_000;
const LOOK_MS = 250;
const TIMER_MS = 20;

/** What is looked at of an operator under load, from outside it. */
export interface WatchedOperator {
  /** The text of its `/metrics`. */
  metrics(): Promise<string>;
  /** Does the work and counts its time for the event loop's figure; one at a time. */
  timed<T>(work: () => Promise<T>): Promise<T>;
  /** How late the event loop was for a timer of 20 ms, at p99 over all that was timed. */
  eventLoopP99Ms(): number;
  /** What it has resident, in MB. */
  rssMb(): Promise<number>;
  /** The most that it has resident within so many milliseconds from now, in MB. */
  peakRssMb(forMs: number, signal: AbortSignal): Promise<number>;
  /** Resolves when no build is under way: each answer was read and the Job says so. */
  untilIdle(signal: AbortSignal): Promise<void>;
}

/** Runs in the operator: each SIGHUP begins or ends the timing of the event loop, and is answered with a line. Costs nothing in between. */
const EVENT_LOOP_TIMER = `
import { monitorEventLoopDelay } from "node:perf_hooks";
const delay = monitorEventLoopDelay({ resolution: ${TIMER_MS} });
let count = 0;
process.on("SIGHUP", () => {
  if (++count % 2 === 1) delay.enable();
  else delay.disable();
  process.stderr.write("event loop " + count + ": p99 " + delay.percentile(99) / 1e6 + " ms\\n");
});`;

/** What node needs to be started with. */
export const WATCHED_NODE_ARGS = [`--import=data:text/javascript,${encodeURIComponent(EVENT_LOOP_TIMER)}`];

/** `operator` was started with WATCHED_NODE_ARGS and takes builds. */
export async function watchOperator({ child, lines }: PublishedOperator): Promise<WatchedOperator> {
  const findPort = () => lines.map(({ ports }) => (ports as { internal: number } | undefined)?.internal).find((port) => port !== undefined);
  await waitUntil("the operator to tell its ports", ANSWER_LIMIT_MS, () => findPort() !== undefined);
  const url = `http://127.0.0.1:${findPort()}/metrics`;
  let toggles = 0;
  const toggle = async () => {
    toggles += 1;
    child.kill("SIGHUP");
    await child.logged(`event loop ${toggles}:`, ANSWER_LIMIT_MS);
  };
  const metrics = async () => (await fetch(url)).text();
  const rssMb = async () => (await readProcessUsage(child.pid)).rssMb;
  return {
    metrics,
    async timed(work) {
      await toggle();
      try {
        return await work();
      } finally {
        if (!child.hasExited) await toggle();
      }
    },
    eventLoopP99Ms: () => Math.max(0, Number(new RegExp(`event loop ${toggles}: p99 (\\S+) ms`).exec(child.log())?.[1]) - TIMER_MS),
    rssMb,
    async peakRssMb(forMs, signal) {
      let peak = 0;
      for (const endMs = performance.now() + forMs; performance.now() < endMs; await systemClock.sleep(LOOK_MS, signal)) {
        peak = Math.max(peak, await rssMb());
      }
      return peak;
    },
    async untilIdle(signal) {
      await waitUntil("the operator to have recorded every build", IDLE_LIMIT_MS, async () => {
        await systemClock.sleep(LOOK_MS, signal);
        return !/^turbo_hipster_active_builds\{[^}]*\} [1-9]/m.test(await metrics());
      });
    },
  };
}
