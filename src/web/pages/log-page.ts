import type { BuildReport } from "../../core/report/build-report.ts";
import { badgeOf, sentenceOf } from "../../core/report/build-words.ts";
import type { SearchResult } from "../logs/log-search.ts";
import { renderPosition } from "../logs/log-window.ts";
import { renderBadge } from "./build-words.ts";
import { homeOf, type PageFrame, renderPage } from "./layout.ts";
import { type LogView, renderLog, renderLogLines, renderSearchField } from "./log-view.ts";
import { type Markup, markup } from "./markup.ts";

/** A part of a log, for those without a script, and to be linked to. */
export function renderLogPage(frame: PageFrame, build: BuildReport, view: LogView, { isLive }: { isLive: boolean }): Markup {
  const body = markup`${renderHead(build, homeOf(frame))}${renderLog(view, { isLive })}`;
  return renderPage(frame, { title: `Log of ${build.number}`, section: "builds", body });
}

/** What a search of the whole log found, one step of it for a long one. */
export function renderSearchPage(
  frame: PageFrame,
  build: BuildReport,
  { path, query, result, isFromStart }: { path: string; query: string; result: SearchResult; isFromStart: boolean },
): Markup {
  const { lines, next } = result;
  const window = { lines, notes: [], next: next ?? { offset: 0, line: 1, isInside: false }, bytes: 0, isEnded: true, total: 0 };
  const more = next && `${path}?q=${encodeURIComponent(query)}&from=${renderPosition(next)}`;
  const body = markup`${renderHead(build, homeOf(frame))}<h2>Lines with <q>${query}</q></h2>
<div class="tools" role="group" aria-label="Log">${renderSearchField(path, query)}</div>
<p role="status">${lines.length === 0 ? "None" : lines.length}${next ? " in the part of the log that was searched" : isFromStart ? " in the whole log" : " in the rest of the log"}.</p>
<section class="log" aria-label="Lines found"><div class="lines">${renderLogLines({ window, path })}</div></section>
${more !== undefined && markup`<nav class="pager" aria-label="Search"><a class="button" rel="next" href="${more}">Search on</a></nav>`}`;
  return renderPage(frame, { title: `${query} in the log of ${build.number}`, section: "builds", body });
}

function renderHead(build: BuildReport, home: string): Markup {
  return markup`<h1>${renderBadge(badgeOf(build))} <a href="${home}builds/${build.number}">${build.number}</a></h1><p>${sentenceOf(build)}</p>`;
}
