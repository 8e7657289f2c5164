import type { BuildReport, Standing } from "../core/report/build-report.ts";
import type { VerdictClass } from "../core/verdict/rules/verdict-rule.ts";

/** Which builds somebody asks for. */
export interface BuildQuery {
  standing?: Standing | undefined;
  result?: VerdictClass | undefined;
  task?: string | undefined;
  project?: string | undefined;
  change?: string | undefined;
  page: number;
}

export const RESULTS: Record<VerdictClass, string> = {
  success: "passed",
  failure: "failed",
  cancelled: "stopped",
  infrastructure: "no result",
  configuration: "misconfigured",
};

const STANDINGS: readonly string[] = ["waiting", "running", "ended"] satisfies Standing[];
const NAMES: readonly string[] = ["standing", "result", "task", "project", "change", "page"];
const MAX_LENGTH = 255;
const MAX_PAGE = 100_000;
export const BUILDS_A_PAGE = 50;

/** `problem` is a sentence that names the parameter and what it may be. */
export type ParsedQuery = { ok: true; query: BuildQuery } | { ok: false; problem: string };

export function parseBuildQuery(parameters: URLSearchParams): ParsedQuery {
  const query: BuildQuery = { page: 1 };
  for (const [name, value] of parameters) {
    if (!NAMES.includes(name)) return refuse(`there is no parameter ${quote(name)}; there are ${NAMES.join(", ")}`);
    if (value === "") continue;
    if (value.length > MAX_LENGTH) return refuse(`${name} is longer than ${MAX_LENGTH} characters`);
    if (name === "standing") {
      if (!STANDINGS.includes(value)) return refuse(`standing must be one of ${STANDINGS.join(", ")}`);
      query.standing = value as Standing;
    } else if (name === "result") {
      if (!Object.hasOwn(RESULTS, value)) return refuse(`result must be one of ${Object.keys(RESULTS).join(", ")}`);
      query.result = value as VerdictClass;
    } else if (name === "page") {
      if (!/^[1-9][0-9]{0,5}$/.test(value) || Number(value) > MAX_PAGE) return refuse(`page must be a number from 1 to ${MAX_PAGE}`);
      query.page = Number(value);
    } else query[name as "task" | "project" | "change"] = value;
  }
  return { ok: true, query };
}

function refuse(problem: string): ParsedQuery {
  return { ok: false, problem };
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}

/** With its question mark; "" where everything is asked for. */
export function renderQuery({ page, ...others }: BuildQuery): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(others)) if (value !== undefined) parameters.set(name, value);
  if (page > 1) parameters.set("page", String(page));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

export interface BuildList {
  query: BuildQuery;
  builds: readonly BuildReport[];
  total: number;
  page: number;
  pages: number;
  /** Of all builds that are known. */
  counts: Record<Standing, number>;
}

/** A page of those of `builds` that are asked for, in their order. */
export function selectBuilds(builds: readonly BuildReport[], query: BuildQuery): BuildList {
  const found = builds.filter((build) => matches(build, query));
  const pages = Math.max(1, Math.ceil(found.length / BUILDS_A_PAGE));
  const page = Math.min(query.page, pages);
  const counts = { waiting: 0, running: 0, ended: 0 };
  for (const { standing } of builds) counts[standing] += 1;
  return { query, builds: found.slice((page - 1) * BUILDS_A_PAGE, page * BUILDS_A_PAGE), total: found.length, page, pages, counts };
}

/** A task is named alone or with its namespace, a change with or without its patchset. */
function matches({ standing, verdict, namespace, task, item }: BuildReport, query: BuildQuery): boolean {
  return (
    (query.standing === undefined || standing === query.standing) &&
    (query.result === undefined || verdict?.class === query.result) &&
    (query.task === undefined || task === query.task || `${namespace}/${task}` === query.task) &&
    (query.project === undefined || item.project === query.project) &&
    (query.change === undefined || item.change === query.change || `${item.change},${item.patchset}` === query.change)
  );
}
