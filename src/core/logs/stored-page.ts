import type { BuildDetails } from "../report/build-details.ts";
import { CLASSES } from "../verdict/classes.ts";
import { findRule } from "../verdict/rules.ts";
import { ARTIFACTS_FOLDER } from "./build-directory.ts";
import { BUILD_FILE, type BuildFile } from "./build-file.ts";
import { type Html, html } from "./html-text.ts";

/** Nothing is loaded and nothing runs, whoever serves the file. */
export const STORED_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;border-inline-start:.4rem solid gray;padding-inline-start:.6rem}h1.success{border-color:#2a7d2a}h1.failure,h1.configuration{border-color:#b3261e}
h2{font-size:1.1rem}h3{font-size:1rem}table{border-collapse:collapse}th{text-align:start;font-weight:600;padding-inline-end:1rem;vertical-align:top}
pre{background:#8882;padding:.6rem;overflow:auto;white-space:pre-wrap}.quiet{opacity:.8}`;

/** The end of the log that stands in the page; the whole is a file of its own. */
export interface LogTail {
  text: string;
  /** There is more before it. */
  isCut: boolean;
}

/** `index.html`: what `build.json` says, for people, with links to what lies beside it. It needs no program to be looked at. */
export function renderStoredPage(file: BuildFile, tail: LogTail | undefined): string {
  const { build, details, logs, commits, containers, problems } = file;
  const { number, task, item, verdict } = build;
  const subject = [
    item.project,
    item.branch,
    item.change && `change ${item.change},${item.patchset ?? "?"}`,
    item.pipeline && `in ${item.pipeline}`,
  ];
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${STORED_PAGE_POLICY}"><meta name="referrer" content="no-referrer">
<title>${verdict ? `${verdict.result ?? "No result"}: ${number}` : `Build ${number}`}</title><style>${STYLE_TEXT}</style></head><body><main>
${renderVerdict(build)}
<p><b>${task}</b> ${subject.filter((word) => word).join(", ")}</p>
${problems.map((problem) => html`<p><strong>${problem}</strong></p>`)}
${section("Datasets", renderMembers(build))}
${section("Logs", logs.map(renderLog))}
${tail && renderTail(tail)}
${renderChecks(file)}
${renderJunit(file)}
${renderArtifacts(file)}
${section(
  "Checked out",
  commits.map(
    ({ project, ref, commit, subject: first }) => html`<b>${project}</b> <code>${commit}</code> of <code>${ref}</code>: ${first}`,
  ),
)}
${section(
  "Steps",
  build.times.map(({ step, at }) => html`${at} ${step}`),
)}
${section(
  "Containers",
  containers.map(
    ({ name, image, imageId, exitCode, reason }) =>
      html`<b>${name}</b>: <code>${imageId ?? image}</code>${exitCode !== undefined && html` ended with ${exitCode} ${reason}`}`,
  ),
)}
${table(
  "Parameters of the request",
  (details?.parameters ?? []).map(({ name, value }) => [name, value ?? "not shown: it looks like a secret"]),
)}
${details && renderAgain(details)}
${table("Where it ran", [
  ["Build", number],
  ["Function", build.functionName],
  ["Namespace", build.namespace],
  ["Pod", build.pod],
  ["Node", build.node],
])}
<p class="quiet">The same for programs: <a href="${BUILD_FILE}">${BUILD_FILE}</a></p>
</main></body></html>
`.text;
}

const STYLE_TEXT = trusted(STYLE);

/** Our own constant: what stands in `style` is no text of HTML. */
function trusted(text: string): Html {
  return html([text] as unknown as TemplateStringsArray);
}

function renderVerdict({ verdict, number }: BuildFile["build"]): Html {
  if (!verdict) return html`<h1>Build ${number}: how it ended is not known</h1>`;
  const { result, class: kind, rule, message, evidence = {} } = verdict;
  const seen = findRule(rule)?.seen;
  return html`<h1 class="${kind}">${message === "" ? (result ?? "No result") : message}</h1>
<p>Zuul was told ${result === null ? "nothing: no result" : html`<code>${result}</code>`}. That means: ${CLASSES[kind].meaning}. Rule <code>${rule}</code>${seen !== undefined && html`: ${seen}`}</p>
${table(
  "What was seen",
  Object.entries(evidence).map(([name, value]) => [name, String(value)]),
)}`;
}

/** The directory of each is below that of the whole, but for what an earlier launch of the build has found out. */
function renderMembers({ number, members = [] }: BuildFile["build"]): Html[] {
  return members.map(({ dataset, number: own, verdict }) => {
    const name = own.startsWith(`${number}-`) ? html`<a href="${dataset}/index.html">${dataset}</a>` : html`${dataset}`;
    const words = verdict ? (verdict.message === "" ? (verdict.result ?? "no result") : verdict.message) : "how it ended is not known";
    return html`<b>${name}</b>: ${words} <span class="quiet">${own}</span>`;
  });
}

function renderLog({ container, file, bytes, holes, cut }: BuildFile["logs"][number]): Html {
  const notKept = cut && html`. <strong>${cut.to - cut.from} bytes in the middle are not kept</strong>, from byte ${cut.from} on`;
  const missing = holes.map(
    ({ offset, after, before }) =>
      html`. <strong>Lines may be missing at byte ${offset}</strong>, between ${after || "the beginning"} and ${before ?? "the end"}: the node had thrown them away before they could be read`,
  );
  return html`<a href="${file}">${file}</a> <span class="quiet">of ${container}, ${bytes} bytes</span>${notKept}${missing}`;
}

function renderTail({ text, isCut }: LogTail): Html {
  return html`<section><h2>${isCut ? "The end of the log" : "The log"}</h2><pre tabindex="0">${text}</pre></section>`;
}

/** The lines that the live page shows as well; secrets are in them by name alone. */
function renderAgain({ again: { docker, kubectl, needs } }: BuildDetails): Html {
  const line = (heading: string, text: string) => html`<h3>${heading}</h3><pre tabindex="0">${text}</pre>`;
  const needed =
    needs.length > 0 &&
    html`<p>These are not written out: the Job takes them from where they are, docker from your own environment.</p><ul>${needs.map((need) => html`<li><code>${need}</code></li>`)}</ul>`;
  return html`<section><h2>Run it again</h2>${needed}${docker !== undefined && line("On your machine", docker)}${line("In the cluster, as a Job of your own", kubectl)}</section>`;
}

function renderChecks({ checks = [] }: BuildFile): Html | undefined {
  const items = checks.map(({ name, outcome, message, findings, more }) => {
    const rows = findings.map(
      ({ line, text, isBad }) => html`<li>${line !== undefined && `line ${line}: `}${isBad ? html`<strong>${text}</strong>` : text}</li>`,
    );
    return html`<b>${name}</b> ${outcome}: ${message}${rows.length > 0 && html`<ul>${rows}</ul>`}${more > 0 && html`<span class="quiet">and ${more} more</span>`}`;
  });
  return section("Checks", items);
}

function renderJunit({ artifacts }: BuildFile): Html | undefined {
  const junit = artifacts?.junit;
  if (!junit) return undefined;
  const failed = junit.failed.map(
    ({ name, file, message }) => html`<b>${name}</b> <span class="quiet">${file}</span><pre>${message}</pre>`,
  );
  const unread = junit.unread.map(({ file, why }) => html`${file} could not be counted: ${why}`);
  const summary = html`${junit.tests} tests, ${junit.failures + junit.errors} failed, ${junit.skipped} were skipped`;
  return section("Tests", [summary, ...failed, ...unread]);
}

function renderArtifacts({ artifacts }: BuildFile): Html | undefined {
  if (!artifacts) return undefined;
  const files = artifacts.files.map(({ path, bytes, isChanged }) => {
    const href = [ARTIFACTS_FOLDER, ...path.split("/")].map(encodeURIComponent).join("/");
    return html`<a href="${href}">${path}</a> <span class="quiet">${bytes} bytes${isChanged && ", changed while it was read"}</span>`;
  });
  const leftOut = artifacts.leftOut.map(({ name, why }) => html`${name} was left out: ${why}`);
  const more = artifacts.leftOutCount - artifacts.leftOut.length;
  return section("Artifacts", [...files, ...leftOut, ...(more > 0 ? [html`${more} more were left out`] : [])]);
}

function section(heading: string, items: readonly Html[]): Html | undefined {
  return items.length === 0
    ? undefined
    : html`<section><h2>${heading}</h2><ul>${items.map((item) => html`<li>${item}</li>`)}</ul></section>`;
}

function table(heading: string, rows: readonly (readonly [string, string | undefined])[]): Html | undefined {
  const shown = rows.filter(([, value]) => value !== undefined);
  if (shown.length === 0) return undefined;
  const cells = shown.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<section><h2>${heading}</h2><table><tbody>${cells}</tbody></table></section>`;
}
