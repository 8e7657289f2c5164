import type { LogNote } from "../logs/log-notes.ts";
import { MAX_QUERY_LENGTH } from "../logs/log-search.ts";
import { type LogWindow, renderPosition } from "../logs/log-window.ts";
import type { ShownLine } from "../logs/shown-line.ts";
import { sayBytes } from "../words.ts";
import { type Markup, markup } from "./markup.ts";

/** Of one container's log, what a page shows and where the rest is. */
export interface LogView {
  container: string;
  window: LogWindow;
  /** Where its pages are, `builds/NUMBER/logs/CONTAINER`; undefined where nothing but the page is there. */
  path: string | undefined;
  /** The same in the API. */
  api: string | undefined;
  /** The whole of it, as it was printed. */
  raw: string;
}

export function renderLogLines({ window, path }: Pick<LogView, "window" | "path">): Markup {
  const notes = [...window.notes];
  const rows: Markup[] = [];
  for (const line of window.lines) {
    while (notes[0] && notes[0].offset <= line.offset) rows.push(renderNote(notes.shift() as LogNote));
    rows.push(renderLine(line, path));
  }
  rows.push(...notes.map(renderNote));
  return markup`${rows}`;
}

/** A line's own text stands in one element, whatever it holds; notes are elements of another kind, that no text can make. */
function renderLine({ number, pieces, isError, omitted }: ShownLine, path: string | undefined): Markup {
  const href = path === undefined ? "" : `${path}?line=${number}`;
  const text = pieces.map(([part, style]) => (style === undefined ? part : markup`<i class="${style}">${part}</i>`));
  const label = `Line ${number}${isError ? ", looks like an error" : ""}`;
  return markup`<div class="line${isError && " is-error"}" id="L${number}" data-line="${number}"><a class="number" href="${href}#L${number}" tabindex="-1" aria-label="${label}">${number}</a><code>${text}</code>${
    omitted > 0 && markup`<span class="omitted">and ${sayBytes(omitted)} more: see the raw log</span>`
  }</div>`;
}

function renderNote({ kind, text, offset }: LogNote): Markup {
  return markup`<p class="note is-${kind}" role="note" data-note="${offset}">${text}</p>`;
}

/** A log with what one does with it. */
export function renderLog(view: LogView, { isLive }: { isLive: boolean }): Markup {
  const { container, window, path, api, raw } = view;
  const [first, last] = [window.lines[0]?.number ?? 1, window.lines.at(-1)?.number ?? 0];
  const isAll = first <= 1 && last >= window.total;
  const shown = last === 0 ? "nothing yet" : isAll ? `all ${last} lines` : `lines ${first} to ${last} of ${window.total}`;
  const state = window.isEnded ? sayBytes(window.bytes) : `${sayBytes(window.bytes)} so far`;
  return markup`<section class="log" aria-labelledby="log-heading" ${
    api !== undefined &&
    markup`data-api="${api}" data-path="${path}" data-position="${renderPosition(window.next)}" data-live="${isLive ? "yes" : "no"}" data-total="${window.total}"`
  }>
<h2 id="log-heading">Log of ${container}</h2>
<p class="quiet"><span data-shown>${shown}</span>, ${state}. <a href="${raw}">Raw log</a></p>
${path !== undefined && renderTools(path, { first, last, total: window.total })}
<p class="status" role="status" data-status></p>
<div class="found" data-found hidden></div>
<div class="lines" data-lines role="region" aria-label="Lines of the log of ${container}" tabindex="0">${renderLogLines(view)}</div>
${path !== undefined && renderPager(path, { first, last, total: window.total })}
</section>`;
}

interface Range {
  first: number;
  last: number;
  total: number;
}

export const LINES_A_PAGE = 500;
/** Of the end of a log, on the page of its build. */
export const LINES_AT_FIRST = 200;

/** `query` is what was searched for. */
export function renderSearchField(path: string, query = ""): Markup {
  return markup`<form action="${path}" method="get" role="search" data-search><label for="search">Search the log</label> <input id="search" name="q" type="search" value="${query}" required maxlength="${MAX_QUERY_LENGTH}" autocomplete="off"> <button>Search</button></form>`;
}

function renderTools(path: string, _range: Range): Markup {
  return markup`<div class="tools" role="group" aria-label="Log">
${renderSearchField(path)}
<form action="${path}" method="get" data-go><label for="line">Line</label> <input id="line" name="line" inputmode="numeric" pattern="[0-9]{1,12}(-[0-9]{1,12})?" size="9" required autocomplete="off"> <button>Show</button></form>
<a class="button" href="${path}/first-error" data-first-error>First error</a>
<a class="button" href="${path}?line=1" data-begin>Beginning</a>
<a class="button" href="${path}" data-end>End</a>
<label class="follow" hidden data-follow><input type="checkbox" checked> Follow</label>
</div>`;
}

function renderPager(path: string, { first, last, total }: Range): Markup {
  return markup`<nav class="pager" aria-label="Parts of the log" data-pager>${
    first > 1 && markup`<a class="button" rel="prev" href="${path}?line=${Math.max(1, first - LINES_A_PAGE)}">Earlier lines</a>`
  }${last < total && last > 0 && markup`<a class="button" rel="next" href="${path}?line=${last + 1}">Later lines</a>`}</nav>`;
}
