import { readFile } from "node:fs/promises";

/** USER_HZ, which Linux fixes at 100 for all that user programs see. */
const TICKS_PER_SECOND = 100;

interface ProcessUsage {
  /** Resident memory, in MB of a million bytes, and of that what is its own: no mapped file, so not the text of node itself. */
  rssMb: number;
  anonymousMb: number;
  /** Processor time of all its threads since its start. */
  cpuSeconds: number;
}

/** Reads Linux' /proc. Rejects when there is no such process. */
export async function readProcessUsage(pid: number): Promise<ProcessUsage> {
  const [status, stat] = await Promise.all([readFile(`/proc/${pid}/status`, "utf8"), readFile(`/proc/${pid}/stat`, "utf8")]);
  return parseProcessUsage(status, stat);
}

/** The texts of /proc/PID/status and /proc/PID/stat. Throws for others. */
export function parseProcessUsage(status: string, stat: string): ProcessUsage {
  // The command's name, in parentheses, may hold anything, blanks and parentheses too.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  const usage = { rssMb: readKilobytes(status, "VmRSS"), anonymousMb: readKilobytes(status, "RssAnon"), cpuSeconds };
  if (Object.values(usage).some(Number.isNaN)) throw new Error(`no usage in the process's status ${status} and stat ${stat}`);
  return usage;
}

function readKilobytes(status: string, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return (Number(kilobytes ?? Number.NaN) * 1024) / 1e6;
}
