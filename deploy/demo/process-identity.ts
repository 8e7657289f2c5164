import { readdirSync, readFileSync } from "node:fs";
import { WaitError, waitUntil } from "../../tools/machine/wait-until.ts";

/** A process that can't be mistaken for a later one with the same id. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks from the machine's start to the process's (proc(5), /proc/PID/stat, field 22). */
  startTime: string;
}

const TERM_LIMIT_MS = 20_000;
const KILL_LIMIT_MS = 10_000;

/** Null when there is no such process. One that has ended and waits to be collected is none. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const fields = readStat(pid);
  return fields === null || fields.state === "Z" ? null : { pid, startTime: fields.startTime };
}

export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  return identifyProcess(pid)?.startTime === startTime;
}

/** Ends a process with SIGTERM, or SIGKILL if that takes long; resolves when it is gone. */
export async function endProcess(identity: ProcessIdentity): Promise<void> {
  const hasEnded = () => !isRunning(identity);
  for (const [signal, limitMs] of [
    ["SIGTERM", TERM_LIMIT_MS],
    ["SIGKILL", KILL_LIMIT_MS],
  ] as const) {
    if (hasEnded()) return;
    try {
      process.kill(identity.pid, signal);
      await waitUntil(`the end of process ${identity.pid}`, limitMs, hasEnded);
    } catch (error) {
      const isLate = error instanceof WaitError && signal === "SIGTERM";
      if (!isLate && (error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/**
 * Sends SIGTERM to the commands that this process has started and waits for, as Ctrl-C in a terminal does: its children in its own
 * process group. What was started to live longer is in a group of its own.
 */
export function interruptCommands(): void {
  const group = readStat(process.pid)?.group;
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const fields = readStat(Number(pid));
    if (fields === null || fields.parent !== `${process.pid}` || fields.group !== group) continue;
    try {
      process.kill(Number(pid), "SIGTERM");
    } catch {
      // Gone meanwhile.
    }
  }
}

function readStat(pid: number): { state: string; parent: string; group: string; startTime: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the command in parentheses, may hold anything.
    const [state = "", parent = "", group = "", ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, parent, group, startTime: rest[16] ?? "" };
  } catch {
    return null;
  }
}
