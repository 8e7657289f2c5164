import type { BuildEntry, FaultEntry, JobEntry, OverEntry, PodEntry, ReportEntry } from "./drill-report.ts";
import { splitRuns } from "./drill-report.ts";

/** The columns of the last line, and after them those that explain it. */
export interface DrillCounts {
  faults: number;
  builds: number;
  /** Zuul gave the build up although nothing but the operator can be the reason. */
  lost: number;
  /** Zuul was told what no pod of the build did. */
  wrong: number;
  /** Zuul still waits. */
  hanging: number;
  /** Pods that started beyond one per build whose predecessor's verdict was neither null nor cancelled. */
  rerun: number;
  /** The same of ref and timer builds that Zuul launched again: nothing tells such a launch from a second build that somebody wants. */
  refRerun: number;
  /** RETRY_LIMIT: the server took the build away, or the drill its pods, more often than Zuul's `attempts` allow. */
  beyondAttempts: number;
  /** Zuul gave the build up itself, before any worker saw it: NOT_REGISTERED, NO_HANDLE, EXCEPTION at a server that was killed. */
  zuulGaveUp: number;
  /** Cancelled by Zuul; their end is CANCELED whatever their pods did. */
  cancelled: number;
  /** Launches by Zuul beyond the first of each build. */
  relaunches: number;
  /** Those of them that nothing explains: no server killed, no null verdict, and on geard, which takes a build away with its link, no link lost. */
  unexplainedRelaunches: number;
  /** Pods that started, of all builds. */
  pods: number;
  /** Pods whose verdict was null, so that Zuul ran the build again. */
  nulls: number;
  /** Those of them that no deletion or reset by the drill and no unclaimed time explains; a clock that was set explains none. */
  unexplainedNulls: number;
  /** Jobs with a verdict that is no end of their test's, is not null, and was not asked for by Zuul: TIMED_OUT, ABORTED, CONFIG_ERROR. */
  unearned: number;
  /** Those that `rerun` counts only because the verdict before them is not written down (yet). */
  unjudged: number;
  /** Pods that still run for nobody. */
  orphans: number;
  /** Builds that are over, whose pod was left alone, and whose log is in no store. */
  unstored: number;
  /** Stored logs that are not what their test printed, and do not say so. */
  maimed: number;
  /** Builds under way when the drill itself was ended from outside; not judged. */
  interrupted: number;
}

interface DrillAudit {
  counts: DrillCounts;
  /** What must not be, each with all that is known of its build. */
  problems: string[];
  /** Not wrong, but to be looked at. */
  remarks: string[];
}

/** Columns that must be 0. */
const MUST_BE_ZERO = ["lost", "wrong", "hanging", "rerun", "unexplainedNulls", "unearned", "orphans", "unstored", "maimed"] as const;
const LINE_COLUMNS = ["faults", "builds", "lost", "wrong", "hanging", "rerun", "refRerun", "beyondAttempts"] as const;

/** How Zuul's launcher ends a build that it could not submit (`zuul/launcher/gearman.py`, `launch`). */
const ZUULS_OWN_RESULTS = new Set(["EXCEPTION", "NOT_REGISTERED", "NO_HANDLE"]);

export function isPassed({ counts, problems }: DrillAudit): boolean {
  return problems.length === 0 && MUST_BE_ZERO.every((column) => counts[column] === 0);
}

/** The drill's last line. */
export function renderLastLine(counts: DrillCounts): string {
  return LINE_COLUMNS.map((column) => `${column}=${counts[column]}`).join(" ");
}

/** What is said before it. */
export function renderOtherColumns(counts: DrillCounts): string {
  return Object.entries(counts)
    .filter(([column]) => !(LINE_COLUMNS as readonly string[]).includes(column))
    .map(([column, count]) => `${column}=${count}`)
    .join(" ");
}

/** Compares what Zuul was told with what each pod did, over all runs of a seed's report. */
export function auditReport(entries: readonly ReportEntry[]): DrillAudit {
  const counts: DrillCounts = {
    ...{ faults: 0, builds: 0, lost: 0, wrong: 0, hanging: 0, rerun: 0, refRerun: 0, beyondAttempts: 0 },
    ...{
      zuulGaveUp: 0,
      cancelled: 0,
      relaunches: 0,
      unexplainedRelaunches: 0,
      pods: 0,
      nulls: 0,
      unexplainedNulls: 0,
      unearned: 0,
      unjudged: 0,
      orphans: 0,
      unstored: 0,
      maimed: 0,
      interrupted: 0,
    },
  };
  const audit: DrillAudit = { counts, problems: [], remarks: [] };
  const runs = splitRuns(entries);
  runs.forEach(({ entries: own }, index) => {
    // A run that went on from an earlier fault again has made those anew.
    const until = runs[index + 1]?.run.from ?? Number.POSITIVE_INFINITY;
    counts.faults += own.filter((entry) => entry.type === "fault" && entry.fault.index < until).length;
    auditRun(own, audit);
  });
  return audit;
}

interface BuildEvidence {
  build: BuildEntry;
  /** In the order of their making; only those that started. */
  pods: PodEntry[];
  allPods: readonly PodEntry[];
  jobs: ReadonlyMap<string, JobEntry>;
  deletedByDrill: ReadonlySet<string>;
  /** From shortly before its launch until its end. */
  faults: readonly FaultEntry[];
  /** Those, and what came while a Job of it went on for nobody. */
  faultsOfJobs: readonly FaultEntry[];
}

/** What was done just before Zuul's launch may still be at work. */
const AFTERMATH_MS = 3000;

/** What the end of a kubelet, or its silence, does to pods that it is just starting. */
const KUBELET_RULES = new Set(["start-failed", "node-refused", "node-lost"]);

/** Limits of ten minutes and more, which nothing that the drill does lasts for: only a clock that was set makes them seem over. */
const TIME_RULES = new Set(["pull-timeout", "schedule-timeout", "service-not-ready", "no-pod", "pod-deadline"]);

function auditRun(entries: readonly ReportEntry[], audit: DrillAudit): void {
  const { counts } = audit;
  const over = entries.find((entry): entry is OverEntry => entry.type === "over");
  const pods = latest(entries.filter((entry): entry is PodEntry => entry.type === "pod"));
  const jobs = latest(entries.filter((entry): entry is JobEntry => entry.type === "job"));
  const builds = new Map<string, BuildEntry>();
  for (const entry of entries) if (entry.type === "build") builds.set(entry.plan.id, entry);
  const deletedByDrill = new Set(
    entries.flatMap((entry) => (entry.type === "fault" && entry.fault.kind === "pod-deleted" ? [deletedPod(entry)] : [])),
  );
  const faults = entries.filter((entry): entry is FaultEntry => entry.type === "fault");

  for (const build of builds.values()) {
    if (build.result === null && !over) {
      counts.interrupted += 1;
      continue;
    }
    const ofBuild = [...pods.values()].filter((pod) => pod.build === build.plan.id);
    const jobsOfBuild = new Map([...jobs].filter(([, job]) => job.build === build.plan.id));
    const since = faults.filter(({ atMs }) => atMs > build.launchedAtMs - AFTERMATH_MS);
    const endMs = Math.max(build.atMs, ...[...jobsOfBuild.values()].map(({ atMs }) => atMs));
    const evidence: BuildEvidence = {
      build,
      allPods: ofBuild,
      pods: ofBuild.filter(({ hasStarted }) => hasStarted).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1)),
      jobs: jobsOfBuild,
      deletedByDrill,
      faults: since.filter(({ atMs }) => atMs < build.atMs),
      faultsOfJobs: since.filter(({ atMs }) => atMs < endMs),
    };
    auditBuild(evidence, audit);
    if (over) {
      auditOrphans(evidence, audit);
      auditLogs(evidence, audit);
    }
  }
  for (const trouble of over?.troubles ?? []) audit.problems.push(trouble);
}

function auditBuild(evidence: BuildEvidence, audit: DrillAudit): void {
  const { build, pods } = evidence;
  const { plan, result, launches } = build;
  const { counts } = audit;
  counts.builds += 1;
  counts.pods += pods.length;
  counts.relaunches += Math.max(0, launches.length - 1);
  const note = (column: keyof DrillCounts, text: string) => {
    counts[column] += 1;
    audit.problems.push(`${column}: ${text}\n${describeBuild(evidence)}`);
  };
  auditReruns(evidence, audit, note);
  const nulls = [...evidence.jobs.values()].filter(({ verdict }) => verdict?.result === null);
  const unexplained = nulls.filter(({ name, verdict }) => !isExplained(name, verdict?.rule ?? "", evidence));
  const surplus = launches.length - 1 - nulls.length - faultsThatTakeAway(evidence);
  if (surplus > 0) {
    counts.unexplainedRelaunches += surplus;
    audit.remarks.push(`launched again ${surplus} times more than anything explains\n${describeBuild(evidence)}`);
  }
  counts.nulls += nulls.length;
  for (const { name, verdict } of unexplained)
    note("unexplainedNulls", `${name} was given back for ${verdict?.rule}, which nothing explains`);
  for (const job of evidence.jobs.values()) {
    if (!isEarned(job, evidence)) note("unearned", `${job.name} is recorded as "${job.verdict?.result}" by ${job.verdict?.rule}`);
  }

  if (result === null) note("hanging", "Zuul still waits");
  else if (build.isCancelled && result === "CANCELED") counts.cancelled += 1;
  else if (ZUULS_OWN_RESULTS.has(result)) counts.zuulGaveUp += 1;
  else if (result === "RETRY_LIMIT") {
    if (unexplained.length > 0) note("lost", `given back by the operator: ${unexplained.map(({ verdict }) => verdict?.rule).join(", ")}`);
    else counts.beyondAttempts += 1;
  } else if (result !== plan.result) note("wrong", `reported as "${result}" instead of "${plan.result}"`);
  else if (!pods.some((pod) => hasRunToItsEnd(pod, build))) note("wrong", `reported as "${result}", which no pod did`);
}

/** What is written down of a Job, whether Zuul has heard it or not. */
function isEarned({ name, verdict }: JobEntry, { build, pods }: BuildEvidence): boolean {
  if (!verdict || verdict.result === null) return true;
  if (verdict.class === "cancelled") return build.plan.cancelAfterMs !== null;
  return verdict.result === build.plan.result && pods.some((pod) => pod.job === name && hasRunToItsEnd(pod, build));
}

function auditReruns(evidence: BuildEvidence, { counts }: DrillAudit, note: (column: keyof DrillCounts, text: string) => void): void {
  const { build, pods } = evidence;
  pods.slice(1).forEach((pod, index) => {
    const before = pods[index] as PodEntry;
    if (wasInVain(before, evidence)) return;
    // A launch of Zuul's own; the same launch must find its Job whatever it is for.
    if (build.plan.item.kind !== "change" && pod.uuid !== before.uuid) counts.refRerun += 1;
    else {
      const job = evidence.jobs.get(before.job);
      if (job?.verdict === null && !job.isDeleted) counts.unjudged += 1;
      note("rerun", `pod ${pod.name} runs again what ${before.name} ran`);
    }
  });
}

function auditOrphans(evidence: BuildEvidence, audit: DrillAudit): void {
  const running = evidence.allPods.filter(({ phase, isDeleted }) => !isDeleted && (phase === "Running" || phase === "Pending"));
  if (running.length === 0) return;
  audit.counts.orphans += running.length;
  const names = running.map(({ name }) => name).join(", ");
  audit.problems.push(`orphans: ${names} still runs\n${describeBuild(evidence)}`);
}

/** How our own words begin in a stored log; see `layLogFile`. */
const OUR_WORDS = "[turbo-hipster ";

/** What was taken from the node with its pods is nobody's to keep. */
function auditLogs(evidence: BuildEvidence, audit: DrillAudit): void {
  const { pods, jobs, deletedByDrill, faultsOfJobs } = evidence;
  if (faultsOfJobs.some(({ fault }) => fault.kind === "node-reset")) return;
  const note = (column: "unstored" | "maimed", text: string) => {
    audit.counts[column] += 1;
    audit.problems.push(`${column}: ${text}\n${describeBuild(evidence)}`);
  };
  for (const job of jobs.values()) {
    const pod = pods.findLast((each) => each.job === job.name);
    if (!pod || !job.verdict || job.isDeleted || deletedByDrill.has(pod.name)) continue;
    const { name, trace } = pod;
    if (job.stored === undefined) note("unstored", `the log of ${name} is not stored`);
    else if (!job.log?.some((line) => line.startsWith(OUR_WORDS)) && job.log?.join("\n") !== trace.join("\n"))
      note("maimed", `the log of ${name} is stored as ${JSON.stringify(job.log ?? null)}`);
  }
}

/** Its verdict is null or cancelled; where the verdict is not known, it was to be. */
function wasInVain(pod: PodEntry, { build, jobs, deletedByDrill }: BuildEvidence): boolean {
  const job = jobs.get(pod.job);
  if (job?.isCancelled || build.isCancelled) return true;
  if (job?.verdict) return job.verdict.result === null || job.verdict.class === "cancelled";
  return deletedByDrill.has(pod.name) && !hasRunToItsEnd(pod, build);
}

function isExplained(jobName: string, rule: string, { allPods, deletedByDrill, build, faultsOfJobs }: BuildEvidence): boolean {
  if (rule === "unclaimed") return true;
  if (TIME_RULES.has(rule)) return false;
  const pods = allPods.filter(({ job }) => job === jobName);
  if (pods.some(({ name }) => deletedByDrill.has(name))) return true;
  // What a container did without its kubelet's having seen it is known to nobody then.
  if (faultsOfJobs.some(({ fault }) => fault.kind === "node-reset")) return true;
  const wasKubeletDown = faultsOfJobs.some(({ fault }) => fault.kind === "kubelet-down");
  // A kubelet that was away did not see who ended the test.
  if (rule === "unwatched") return wasKubeletDown;
  // One that goes while its runtime starts the test has not seen whether it did.
  return KUBELET_RULES.has(rule) && wasKubeletDown && (rule === "start-failed" || !pods.some((pod) => hasRunToItsEnd(pod, build)));
}

/** How many faults may each have cost the build a launch. */
function faultsThatTakeAway({ build: { plan }, faults }: BuildEvidence): number {
  return faults.filter(({ fault }) => {
    if (fault.kind === "server-killed") return fault.server === plan.server;
    if (plan.server !== "geard") return false;
    return (
      fault.kind === "replica-killed" || fault.kind === "replica-terminated" || (fault.kind === "link-cut" && fault.server === "geard")
    );
  }).length;
}

/** Not ended by anybody else before. */
function hasRunToItsEnd({ trace, exitCode, message }: PodEntry, { plan }: BuildEntry): boolean {
  return trace.includes(`ended ${plan.exitCode}`) || (exitCode === plan.exitCode && message?.trim() === plan.text);
}

function deletedPod({ outcome }: FaultEntry): string {
  return /^pod ([^\s,]+)/.exec(outcome)?.[1] ?? "";
}

function latest<T extends { name: string }>(entries: readonly T[]): Map<string, T> {
  return new Map(entries.map((entry) => [entry.name, entry]));
}

function describeBuild({ build, allPods, jobs, deletedByDrill }: BuildEvidence): string {
  const { plan, launches, result, launchedAtMs, atMs } = build;
  return [
    `  build ${plan.index}: ${JSON.stringify(plan)}`,
    `  launched at ${launchedAtMs} ms, at ${atMs} ms: ${result}`,
    ...launches.map((launch) => `  zuul ${JSON.stringify(launch)}`),
    ...[...jobs.values()].map((job) => `  job ${JSON.stringify(job)}`),
    ...allPods.map((pod) => `  pod ${deletedByDrill.has(pod.name) ? "(deleted by the drill) " : ""}${JSON.stringify(pod)}`),
  ].join("\n");
}
