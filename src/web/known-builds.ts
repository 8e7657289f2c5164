import type { CheckoutRecord } from "../core/checkout/record.ts";
import type { CheckResult } from "../core/checks/check-result.ts";
import type { BuildFile } from "../core/logs/build-file.ts";
import type { BuildDetails } from "../core/report/build-details.ts";
import type { BuildReport } from "../core/report/build-report.ts";
import type { ReadableLog } from "./logs/readable-log.ts";
import type { PageSources, StoredBuildView } from "./page-sources.ts";

/** A build by its Job, by what is stored of it, or by both. */
export interface KnownBuild {
  report: BuildReport;
  /** undefined where there is no Job. */
  live: BuildReport | undefined;
  stored: StoredBuildView | undefined;
  /** Of the store, which did not answer. */
  problem: string | undefined;
}

/** undefined where nobody knows it. Rejects where only the store could know, and does not answer. */
export async function findBuild(sources: PageSources, number: string): Promise<KnownBuild | undefined> {
  const live = sources.build(number);
  if (live && live.standing !== "ended") return { report: live, live, stored: undefined, problem: undefined };
  try {
    const stored = await sources.stored?.find(number);
    if (!live) return stored && { report: stored.file.build, live, stored, problem: undefined };
    // Another Job may have had its number.
    const isIts = stored?.file.build.jobName === live.jobName;
    return { report: live, live, stored: isIts ? stored : undefined, problem: undefined };
  } catch (error) {
    if (!live) throw error;
    return { report: live, live, stored: undefined, problem: "The log store does not answer: what it keeps of the build is not shown." };
  }
}

export interface BuildFacts {
  attempt: number | undefined;
  details: BuildDetails | undefined;
  commits: readonly CheckoutRecord[];
  containers: readonly BuildFile["containers"][number][];
  artifacts: BuildFile["artifacts"];
  /** What the task's checks have found. */
  checks: readonly CheckResult[] | undefined;
  /** Names of the containers of which there is a log, the test's first. */
  logs: readonly string[];
  /** Sentences on what is not shown, or was not kept. */
  problems: readonly string[];
}

const NO_FACTS = { details: undefined, commits: [], containers: [], artifacts: undefined, checks: undefined, logs: [], problems: [] };

export async function readFacts(sources: PageSources, build: KnownBuild): Promise<BuildFacts> {
  const { live, stored, report } = build;
  // Of several datasets each has its own.
  if (report.members) return { ...NO_FACTS, attempt: stored?.file.attempt ?? (await attemptOf(sources, report)) };
  const problems = [build.problem, ...(stored?.file.problems ?? [])].filter((problem) => problem !== undefined);
  const [details, attempt, logs] = await Promise.all([
    stored?.file.details ?? readDetails(sources, live, problems),
    stored?.file.attempt ?? attemptOf(sources, report),
    logsOf(sources, build),
  ]);
  const seen = live ? sources.commits(live) : [];
  return {
    ...{ attempt, details, logs, problems },
    commits: seen.length > 0 ? seen : (stored?.file.commits ?? []),
    containers: stored?.file.containers ?? details?.containers ?? [],
    artifacts: stored?.file.artifacts,
    checks: stored?.file.checks ?? report.verdict?.checks,
  };
}

async function readDetails(sources: PageSources, live: BuildReport | undefined, problems: string[]): Promise<BuildDetails | undefined> {
  if (!live) return undefined;
  try {
    return await sources.details(live);
  } catch {
    problems.push("The API server does not say what the build's Job holds: its parameters are not shown. Load the page again.");
    return undefined;
  }
}

async function logsOf(sources: PageSources, { live, stored }: KnownBuild): Promise<readonly string[]> {
  const kept = stored?.file.logs.map(({ container }) => container) ?? [];
  return [...new Set([...(live ? await sources.logsOf(live) : []), ...kept])];
}

/** What is followed is there first, and stays what its readers have begun with. */
export async function openLog(sources: PageSources, { live, stored }: KnownBuild, container: string): Promise<ReadableLog | undefined> {
  return (live && (await sources.log(live, container))) ?? stored?.log(container);
}

/** Those that have not ended first, the newest of each first; without what is only in the store where that does not answer. */
export async function listBuilds(sources: PageSources): Promise<readonly BuildReport[]> {
  const stored = sources.stored?.recent().catch(() => []) ?? [];
  const live = await sources.builds();
  const numbers = new Set(live.map(({ number }) => number));
  const gone = (await stored).filter(({ number }) => {
    if (numbers.has(number)) return false;
    numbers.add(number);
    return true;
  });
  if (gone.length === 0) return live;
  const under = live.filter(({ standing }) => standing !== "ended");
  const ended = [...live.filter(({ standing }) => standing === "ended"), ...gone];
  return [...under, ...ended.sort((one, other) => (endOf(one) > endOf(other) ? -1 : 1))];
}

function endOf({ endedAt, times }: BuildReport): string {
  return endedAt ?? times.at(-1)?.at ?? "";
}

/** Counted among the builds that are known: of earlier launches Zuul says nothing. */
async function attemptOf(sources: PageSources, { launch, times }: BuildReport): Promise<number | undefined> {
  if (launch === undefined) return undefined;
  const began = times[0]?.at ?? "";
  const earlier = (await listBuilds(sources)).filter((build) => build.launch === launch && (build.times[0]?.at ?? "") < began);
  return earlier.length + 1;
}
