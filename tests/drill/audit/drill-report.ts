import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import type { BuildPlan } from "../build-plan.ts";
import type { Fault } from "../faults/fault-plan.ts";

/** One process of the drill: from fault `from` of the seed's plan on. `atMs` of what follows counts from here. */
export interface RunEntry {
  type: "run";
  atMs: 0;
  date: string;
  seed: number;
  from: number;
  faults: number;
  replicas: number;
}

export interface FaultEntry {
  type: "fault";
  atMs: number;
  fault: Fault;
  /** What it met: a process id, a pod, how many connections. */
  outcome: string;
}

interface HealedEntry {
  type: "healed";
  atMs: number;
  index: number;
  outcome: string;
}

export interface LaunchRecord {
  uuid: string;
  isSubmitted: boolean;
  number: unknown;
  result: unknown;
  retry: boolean | null;
}

/** A build when it is launched, and again when Zuul has an end of it or the run is over. */
export interface BuildEntry {
  type: "build";
  atMs: number;
  plan: BuildPlan;
  launchedAtMs: number;
  launches: LaunchRecord[];
  /** As Zuul reports it; null while it waits. */
  result: string | null;
  /** Zuul was told to cancel it. */
  isCancelled: boolean;
}

/** What a pod was last seen to be, and what its test itself wrote down. A later entry of the same name replaces an earlier one. */
export interface PodEntry {
  type: "pod";
  atMs: number;
  name: string;
  job: string;
  /** `BuildPlan.id`. */
  build: string;
  /** ZUUL_UUID of the launch it was made for. */
  uuid: string;
  createdAt: string;
  hasStarted: boolean;
  phase: string;
  exitCode: number | null;
  message: string | null;
  isDeleted: boolean;
  /** Lines such as `started`, `term`, `ended 3`. */
  trace: string[];
}

export interface JobEntry {
  type: "job";
  atMs: number;
  name: string;
  build: string;
  verdict: { result: string | null; class: string; rule: string } | null;
  isCancelled: boolean;
  isDelivered: boolean;
  isDeleted: boolean;
  /** Its directory in the log store, once all is there. */
  stored?: string | undefined;
  /** The lines of its test's log there, as they were at the end of the drill. */
  log?: string[] | undefined;
}

/** All that was to be done was done, and every build had time to end. */
export interface OverEntry {
  type: "over";
  atMs: number;
  /** Processes that did not end as they should, and other things that are wrong apart from builds. */
  troubles: string[];
}

export type ReportEntry = RunEntry | FaultEntry | HealedEntry | BuildEntry | PodEntry | JobEntry | OverEntry;

const entrySchema = z.looseObject({ type: z.enum(["run", "fault", "healed", "build", "pod", "job", "over"]) });

/** A file that only grows: whatever ends the drill, what was seen until then can be read. */
export interface DrillReport {
  readonly path: string;
  readonly entries: readonly ReportEntry[];
  add(entry: ReportEntry): void;
}

/** What is in the file already stays; @throws when it is no report. */
export function openReport(path: string): DrillReport {
  mkdirSync(dirname(path), { recursive: true });
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const entries = parseReport(text);
  if (text !== "" && !text.endsWith("\n")) writeFileSync(path, text.slice(0, text.lastIndexOf("\n") + 1));
  return {
    path,
    entries,
    add(entry) {
      entries.push(entry);
      appendFileSync(path, `${JSON.stringify(entry)}\n`);
    },
  };
}

/** The last line may be half of one: its writer was ended. */
export function parseReport(text: string): ReportEntry[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line, index) => {
    try {
      return entrySchema.parse(JSON.parse(line)) as unknown as ReportEntry;
    } catch (error) {
      throw new Error(`line ${index + 1} is no entry of a drill's report`, { cause: error });
    }
  });
}

/** The runs that a seed's report consists of since it was last begun from fault 0, each with its entries. */
export function splitRuns(entries: readonly ReportEntry[]): { run: RunEntry; entries: ReportEntry[] }[] {
  const runs: { run: RunEntry; entries: ReportEntry[] }[] = [];
  for (const entry of entries) {
    if (entry.type !== "run") runs.at(-1)?.entries.push(entry);
    else if (entry.from === 0) runs.splice(0, runs.length, { run: entry, entries: [] });
    else runs.push({ run: entry, entries: [] });
  }
  return runs;
}
