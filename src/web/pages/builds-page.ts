import type { BuildReport } from "../../core/report/build-report.ts";
import { badgeOf, sentenceOf } from "../../core/report/build-words.ts";
import type { BuildList, BuildQuery } from "../build-query.ts";
import { RESULTS, renderQuery } from "../build-query.ts";
import { sayDuration, sayTime } from "../words.ts";
import { renderBadge } from "./build-words.ts";
import { homeOf, type PageFrame, renderPage } from "./layout.ts";
import { type Markup, markup } from "./markup.ts";

export function renderBuildsPage(frame: PageFrame, list: BuildList, now: Date): Markup {
  const { query, builds, total, page, pages, counts } = list;
  const rows = builds.map((build) => renderRow(build, now, homeOf(frame)));
  const body = markup`<h1>Builds</h1>
<p class="counts">${counts.running} running, ${counts.waiting} waiting, ${counts.ended} ended and still known</p>
${renderFilter(query, homeOf(frame))}
<p role="status">${total === 0 ? "No build is like that." : `${total} ${total === 1 ? "build" : "builds"}, page ${page} of ${pages}`}</p>
${total > 0 && markup`<ul class="builds">${rows}</ul>`}
${renderPages(list, homeOf(frame))}`;
  return renderPage(frame, { title: "Builds", section: "builds", body });
}

function renderRow(build: BuildReport, now: Date, home: string): Markup {
  const { number, task, item, times } = build;
  const subject = [item.project, item.branch, item.change === undefined ? undefined : `${item.change},${item.patchset ?? "?"}`];
  const begun = times[0];
  const ended = times.find(({ step }) => step === "ended");
  const ms = begun && Math.max(0, (ended ? Date.parse(ended.at) : now.getTime()) - Date.parse(begun.at));
  return markup`<li>${renderBadge(badgeOf(build))} <a href="${home}builds/${number}">${number}</a>
<span class="what"><b>${task}</b> ${subject.filter((word) => word !== undefined).join(", ")}${item.pipeline !== undefined && ` (${item.pipeline})`}</span>
<span class="why">${sentenceOf(build)}</span>
${begun && markup`<span class="quiet when">${sayTime(begun.at)}${ms !== undefined && `, ${sayDuration(ms)}`}</span>`}</li>`;
}

function renderFilter(query: BuildQuery, home: string): Markup {
  const field = (name: "task" | "project" | "change", label: string) =>
    markup`<span><label for="by-${name}">${label}</label> <input id="by-${name}" name="${name}" value="${query[name] ?? ""}" maxlength="255" autocomplete="off"></span>`;
  const option = (value: string, word: string, chosen: string | undefined) =>
    markup`<option value="${value}"${chosen === value && markup` selected`}>${word}</option>`;
  return markup`<form class="filter" action="${home}builds" method="get" role="search" aria-label="Builds">
<span><label for="by-standing">Standing</label> <select id="by-standing" name="standing">${option("", "any", query.standing ?? "")}${["running", "waiting", "ended"].map((each) => option(each, each, query.standing))}</select></span>
<span><label for="by-result">Result</label> <select id="by-result" name="result">${option("", "any", query.result ?? "")}${Object.entries(RESULTS).map(([value, word]) => option(value, word, query.result))}</select></span>
${field("task", "Task")}${field("project", "Project")}${field("change", "Change")}
<button>Show</button> <a href="${home}builds">All</a></form>`;
}

function renderPages({ query, page, pages }: BuildList, home: string): Markup {
  const link = (to: number, rel: string, word: string) =>
    markup`<a class="button" rel="${rel}" href="${home}builds${renderQuery({ ...query, page: to })}">${word}</a>`;
  return markup`<nav class="pager" aria-label="Pages of builds">${page > 1 && link(page - 1, "prev", "Newer")}${page < pages && link(page + 1, "next", "Older")}</nav>`;
}
