import type { BuildReport } from "../core/report/build-report.ts";
import { readTail, readWindow } from "./logs/log-window.ts";
import type { ReadableLog } from "./logs/readable-log.ts";
import type { PageSources } from "./page-sources.ts";
import type { BuildView } from "./pages/build-page.ts";
import { LINES_A_PAGE, LINES_AT_FIRST, type LogView } from "./pages/log-view.ts";

/** All that the page of a build shows, put together; `home` is the way from there to the root. */
export async function viewBuild(sources: PageSources, report: BuildReport, home: string): Promise<BuildView> {
  const [container, ...others] = sources.logsOf(report);
  const [details, log, attempt] = await Promise.all([
    sources.details(report).then(
      (found) => ({ found, problem: undefined }),
      () => ({
        found: undefined,
        problem: "The API server does not say what the build's Job holds: its parameters are not shown. Load the page again.",
      }),
    ),
    container === undefined ? undefined : viewLog(sources, report, container, home),
    attemptOf(sources, report),
  ]);
  return {
    ...{ report, attempt, log, now: sources.now() },
    details: details.found,
    problem: details.problem,
    otherLogs: others.map((name) => ({ container: name, href: `${home}${logPath(report, name)}` })),
    commits: [],
    artifacts: [],
    junit: undefined,
  };
}

/** The lines from `line` on, or the last ones. */
export async function viewLog(
  sources: PageSources,
  report: BuildReport,
  container: string,
  home: string,
  line?: number,
): Promise<LogView | undefined> {
  const log = sources.log(report, container);
  return log && makeView(log, report, container, home, line);
}

async function makeView(log: ReadableLog, report: BuildReport, container: string, home: string, line?: number): Promise<LogView> {
  const window = line === undefined ? await readTail(log, LINES_AT_FIRST) : await readWindow(log, line, LINES_A_PAGE);
  const path = `${home}${logPath(report, container)}`;
  return { container, window, path, api: `${home}api/v1/${logPath(report, container)}`, raw: `${path}/raw` };
}

function logPath({ number }: BuildReport, container: string): string {
  return `builds/${number}/logs/${container}`;
}

/** Counted among the builds that are known: of earlier launches Zuul says nothing. */
async function attemptOf(sources: PageSources, { launch, times }: BuildReport): Promise<number | undefined> {
  if (launch === undefined) return undefined;
  const began = times[0]?.at ?? "";
  const earlier = (await sources.builds()).filter((build) => build.launch === launch && (build.times[0]?.at ?? "") < began);
  return earlier.length + 1;
}
