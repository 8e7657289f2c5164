import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { readProcessUsage } from "../process-usage.ts";

/** Processor time in seconds by the program's name. */
export type ProcessorTimes = Readonly<Record<string, number>>;

/**
 * What each process has used since its start: those of a local cluster, found by the directory of its programs, and those of `others` by
 * their id. On a machine that is busy with other things as well, this tells more than the time that passed.
 */
export async function readProcessorTimes(clusterPrograms: string, others: Readonly<Record<string, number>>): Promise<ProcessorTimes> {
  const found = { ...others };
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    // One that has ended meanwhile is none of the cluster's.
    const [command = ""] = (await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (command.startsWith(`${clusterPrograms}/`)) found[basename(command)] = Number(entry);
  }
  const times = Object.entries(found).map(async ([name, pid]) => [name, (await readProcessUsage(pid)).cpuSeconds] as const);
  return Object.fromEntries(await Promise.all(times));
}

/** What was used between two readings. */
export function subtractTimes(after: ProcessorTimes, before: ProcessorTimes): ProcessorTimes {
  return Object.fromEntries(Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]));
}
