import type { BuildReport } from "../core/report/build-report.ts";
import { BusyError } from "../runtime/errors.ts";
import { type KnownBuild, openLog, readFacts } from "./known-builds.ts";
import { readTail, readWindow } from "./logs/log-window.ts";
import type { ReadableLog } from "./logs/readable-log.ts";
import type { PageSources } from "./page-sources.ts";
import type { BuildView } from "./pages/build-page.ts";
import { LINES_A_PAGE, LINES_AT_FIRST, type LogView } from "./pages/log-view.ts";

/** All that the page of a build shows, put together; `home` is the way from there to the root. */
export async function viewBuild(sources: PageSources, build: KnownBuild, home: string): Promise<BuildView> {
  const { report, stored } = build;
  const { logs, artifacts, ...facts } = await readFacts(sources, build);
  const [container, ...others] = logs;
  const problems = [...facts.problems];
  const log = container === undefined ? undefined : await viewUnlessBusy(sources, build, container, { home, problems });
  return {
    ...{ report, ...facts, problems, now: sources.now() },
    evidence: stored?.file.build.verdict?.evidence ?? report.verdict?.evidence,
    hasJob: build.live !== undefined,
    log,
    otherLogs: others.map((name) => ({ container: name, href: `${home}${logPath(report, name)}` })),
    artifacts: artifacts && { record: artifacts, folder: `${home}builds/${report.number}/artifacts/` },
  };
}

/** The page shows what else there is. */
async function viewUnlessBusy(
  sources: PageSources,
  build: KnownBuild,
  container: string,
  { home, problems }: { home: string; problems: string[] },
): Promise<LogView | undefined> {
  try {
    const log = await openLog(sources, build, container);
    return log && (await viewLog(log, build.report, container, home));
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    problems.push(`The log is not shown: ${error.message}. Load the page again.`);
    return undefined;
  }
}

/** The lines from `line` on, or the last ones. */
export async function viewLog(log: ReadableLog, report: BuildReport, container: string, home: string, line?: number): Promise<LogView> {
  const window = line === undefined ? await readTail(log, LINES_AT_FIRST) : await readWindow(log, line, LINES_A_PAGE);
  const path = `${home}${logPath(report, container)}`;
  return { container, window, path, api: `${home}api/v1/${logPath(report, container)}`, raw: `${path}/raw` };
}

function logPath({ number }: BuildReport, container: string): string {
  return `builds/${number}/logs/${container}`;
}
