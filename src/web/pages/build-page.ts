import type { CheckoutRecord } from "../../core/checkout/record.ts";
import type { CheckResult } from "../../core/checks/check-result.ts";
import type { DatasetRecord } from "../../core/job/dataset-record.ts";
import type { BuildFile } from "../../core/logs/build-file.ts";
import type { BuildDetails } from "../../core/report/build-details.ts";
import type { BuildReport, MemberReport } from "../../core/report/build-report.ts";
import { badgeOf, evidenceWords, explainBuild, sentenceOf } from "../../core/report/build-words.ts";
import { shellWord } from "../../core/report/shell-words.ts";
import type { Evidence } from "../../core/verdict/sighting.ts";
import { type BuildQuery, renderQuery } from "../build-query.ts";
import { sayTime } from "../words.ts";
import { renderChecks } from "./build-checks.ts";
import { type ArtifactsView, renderArtifacts, renderJunit } from "./build-files.ts";
import { renderSteps } from "./build-steps.ts";
import { renderBadge } from "./build-words.ts";
import { type PageFrame, renderPage } from "./layout.ts";
import { type LogView, renderLog } from "./log-view.ts";
import { type Markup, markup } from "./markup.ts";

/** All that the page of a build shows: the live page's, or the stored one's. */
export interface BuildView {
  report: BuildReport;
  evidence: Evidence | undefined;
  /** How many launches of it by Zuul are known, this one included. */
  attempt: number | undefined;
  /** undefined while they are not known. */
  details: BuildDetails | undefined;
  /** Sentences on what is not shown, or was not kept. */
  problems: readonly string[];
  log: LogView | undefined;
  /** Its Job is still there, and with it perhaps its pod. */
  hasJob: boolean;
  /** Of other containers of the pod. */
  otherLogs: readonly { container: string; href: string }[];
  commits: readonly CheckoutRecord[];
  containers: readonly BuildFile["containers"][number][];
  artifacts: ArtifactsView | undefined;
  /** What the task's checks have found, once they were made. */
  checks: readonly CheckResult[] | undefined;
  now: Date;
}

/** How often a page without a script is loaded anew while its build goes on. */
const RELOAD_SECONDS = 15;

export function renderBuildPage(frame: PageFrame, view: BuildView): Markup {
  const { report, details } = view;
  const isOver = report.standing === "ended" && report.verdict !== undefined;
  const body = markup`${renderVerdict(view, frame.home)}
${renderContents(view)}
${report.members && renderMembers(report.members)}
${renderSteps(report.times, view.now)}
${view.checks && view.checks.length > 0 && renderChecks(view.checks, view.log?.path)}
${view.artifacts?.record.junit && renderJunit(view.artifacts.record.junit)}
${renderList(
  "other-logs",
  "Other logs",
  view.otherLogs.map(({ container, href }) => markup`<a href="${href}">${container}</a>`),
)}
${view.artifacts && renderArtifacts(view.artifacts)}
${renderList(
  "commits",
  "Checked out",
  view.commits.map(
    ({ project, ref, commit, subject }) => markup`<b>${project}</b> <code>${commit}</code> of <code>${ref}</code>: ${subject}`,
  ),
)}
${view.problems.map((problem) => markup`<p class="note" role="note">${problem}</p>`)}
${details && renderAgain(details)}
${details && renderParameters(details)}
${view.containers.length > 0 && renderContainers(view)}
${renderPlace(view)}
${view.log ? renderLog(view.log, { isLive: !view.log.window.isEnded }) : !report.members && renderNoLog(view)}`;
  return renderPage(frame, {
    title: `${badgeOf(report).word}: ${report.number}`,
    section: "builds",
    reloadSeconds: isOver ? undefined : RELOAD_SECONDS,
    body,
  });
}

/** The log is what most come for, and stands below what others come for. */
function renderContents({ report, log, artifacts, checks = [], commits, details }: BuildView): Markup {
  const hasFailed = report.verdict?.class === "failure" && log?.path !== undefined;
  const links: readonly (readonly [string, string, boolean])[] = [
    ["#members", "Datasets", report.members !== undefined],
    ["#log-heading", log?.window.isEnded === false ? "Log, live" : "Log", report.members === undefined],
    [`${log?.path}/first-error`, "First error in the log", hasFailed],
    ["#checks", `Checks (${checks.length})`, checks.length > 0],
    ["#junit-heading", "Tests", artifacts?.record.junit !== undefined],
    ["#artifacts", `Artifacts (${artifacts?.record.files.length ?? 0})`, (artifacts?.record.files.length ?? 0) > 0],
    ["#commits", "Checked out", commits.length > 0],
    ["#again", "Run it again", details !== undefined],
  ];
  const shown = links.filter(([, , isThere]) => isThere).map(([href, word]) => markup`<a href="${href}">${word}</a>`);
  return markup`<nav class="contents" aria-label="On this page">${shown}</nav>`;
}

/** `home`: where lists of builds are, with others of the same task and change; a stored page has none. */
function renderVerdict({ report, attempt, evidence = {} }: BuildView, home: string | undefined): Markup {
  const { verdict, number, task, item, standing, dataset } = report;
  const subject = [item.project, item.branch, item.change === undefined ? undefined : `change ${item.change},${item.patchset ?? "?"}`];
  const words = subject.filter((word) => word !== undefined).join(", ");
  const { sentence, meaning, next, rule } = explainBuild(report, attempt);
  const seenFacts = evidenceWords(evidence);
  const isOfOne = dataset !== undefined && report.member === undefined;
  return markup`<section class="verdict is-${badgeOf(report).look}" aria-labelledby="verdict-heading" data-build="${number}" data-standing="${standing}">
<h1 id="verdict-heading">${renderBadge(badgeOf(report))} <span class="sentence" data-sentence>${sentence}</span></h1>
${report.member && markup`<p>On the dataset <b>${report.member.dataset}</b>, one of several of <a href="${report.member.of}">build ${report.member.of}</a></p>`}
<p><b>${task}</b>${words !== "" && markup` for ${words}`}${item.pipeline !== undefined && markup`, in ${item.pipeline}`}${isOfOne && markup`, on dataset <b>${dataset?.name}</b>`}</p>
${home !== undefined && renderOthers(report, home)}
${
  verdict &&
  markup`<dl><dt>Zuul was told</dt><dd>${verdict.result === null ? "nothing: no result" : markup`<code>${verdict.result}</code>`}</dd>
<dt>That means</dt><dd>${meaning} ${next}</dd>
<dt>Rule <code>${verdict.rule}</code></dt><dd>${rule ?? "Another version of this program decided so."}</dd>
${seenFacts.length > 0 && markup`<dt>Seen</dt><dd>${seenFacts.join(", ")}</dd>`}</dl>`
}
<p class="status" role="status" data-news></p>
</section>`;
}

/** A line for each dataset, which leads to its own page with its log. */
function renderMembers(members: readonly MemberReport[]): Markup {
  const rows = members.map(({ dataset, number, standing, step, verdict }) => {
    const words = verdict ? sentenceOf({ verdict, step }) : `is ${step}`;
    return markup`<tr><th scope="row"><a href="${number}">${dataset}</a></th><td>${renderBadge(badgeOf({ verdict, standing }))}</td><td>${words}</td><td><a href="${number}#log-heading">log</a></td></tr>`;
  });
  return markup`<section aria-labelledby="members"><h2 id="members">Datasets</h2><table class="facts"><tbody>${rows}</tbody></table></section>`;
}

function renderOthers({ namespace, task, item: { project, change } }: BuildReport, home: string): Markup {
  const list = (query: Omit<BuildQuery, "page">, what: string) =>
    markup`<a href="${home}builds${renderQuery({ ...query, page: 1 })}">${what}</a>`;
  return markup`<p class="quiet">Other builds of ${list({ task: `${namespace}/${task}` }, "this task")}${
    change !== undefined && markup`, ${list({ project, change }, "this change")}`
  }</p>`;
}

function renderNoLog({ report: { namespace, jobName, standing, pod, times }, hasJob }: BuildView): Markup {
  const line = `kubectl --namespace ${shellWord(namespace)} logs ${shellWord(`job/${jobName}`)}${standing === "ended" ? "" : " --follow"}`;
  const hasBegun = pod !== undefined && times.some(({ step }) => step === "running");
  const isInPod = hasJob && hasBegun;
  const none = standing === "ended" ? "There is none: the test has not begun." : "There is none yet.";
  const why = hasBegun ? "Nothing of it was kept." : none;
  return markup`<section aria-labelledby="log-heading"><h2 id="log-heading">Log</h2>
${isInPod ? markup`<p>It is in the build's pod, for as long as its Job is kept:</p>${renderCommand(line, "Copy the line", "How to read the log")}` : markup`<p>${why}</p>`}</section>`;
}

function renderList(id: string, heading: string, items: readonly Markup[]): Markup | undefined {
  if (items.length === 0) return undefined;
  return markup`<section aria-labelledby="${id}"><h2 id="${id}">${heading}</h2><ul>${items.map((item) => markup`<li>${item}</li>`)}</ul></section>`;
}

function renderAgain({ again }: BuildDetails): Markup {
  const { kubectl, docker, needs } = again;
  const needed = needs.map((need) => markup`<li><code>${need}</code></li>`);
  // A link to what is in it opens it, without a script.
  return markup`<details><summary>Run it again</summary><div id="again">
${needed.length > 0 && markup`<p>These are not written out: the Job takes them from where they are, docker from your own environment.</p><ul>${needed}</ul>`}
${docker !== undefined && renderCommand(docker, "Copy the docker line", "On your machine")}
${renderCommand(kubectl, "Copy the kubectl line", "In the cluster, as a Job of your own")}</div></details>`;
}

function renderCommand(line: string, copy: string, heading: string): Markup {
  return markup`<h3>${heading}</h3><div class="command"><pre tabindex="0" role="region" aria-label="${heading}">${line}</pre><button type="button" data-copy hidden>${copy}</button></div>`;
}

function renderParameters({ parameters }: BuildDetails): Markup {
  const rows = parameters.map(
    ({ name, value }) =>
      markup`<tr><th scope="row">${name}</th><td>${value === undefined ? markup`<i class="quiet">not shown: it looks like a secret</i>` : value}</td></tr>`,
  );
  return markup`<details><summary>Parameters of the request (${parameters.length})</summary><table class="facts"><tbody>${rows}</tbody></table></details>`;
}

function renderContainers({ containers, details }: BuildView): Markup {
  const test = details?.containers.find(({ isTest }) => isTest)?.name;
  const rows = containers.map(({ name, image, imageId, exitCode, reason, startedAt, finishedAt }) => {
    const end = [exitCode === undefined ? undefined : `exit code ${exitCode}`, reason].filter((part) => part !== undefined).join(", ");
    const times = [startedAt, finishedAt].filter((time) => time !== undefined).map(sayTime);
    return markup`<tr><th scope="row">${name}${name === test && " (the test)"}</th><td>${image}${
      imageId !== undefined && markup`<br><span class="quiet">${imageId}</span>`
    }${end !== "" && markup`<br>${end}`}${times.length > 0 && markup`<br><span class="quiet">${times.join(" to ")}</span>`}</td></tr>`;
  });
  return markup`<details><summary>Containers (${containers.length})</summary><table class="facts"><tbody>${rows}</tbody></table></details>`;
}

function renderPlace({ report }: BuildView): Markup {
  const { number, namespace, jobName, pod, node, functionName, endedAt, item, standing, dataset } = report;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Build", number],
    ["Function", functionName],
    ["Ref", item.ref],
    ["Dataset", dataset && sayDataset(dataset)],
    ["Namespace", namespace],
    ["Job", jobName],
    ["Pod", pod ?? (standing === "ended" ? "none" : "none yet")],
    ["Node", node],
    ["Answered", endedAt && sayTime(endedAt)],
  ];
  const rows = facts.map(([name, value]) => value !== undefined && markup`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return markup`<details><summary>Where it ran</summary><table class="facts"><tbody>${rows}</tbody></table></details>`;
}

function sayDataset({ name, version, source }: DatasetRecord): string {
  return `${name}${version === undefined ? "" : `, version ${version}`}: ${source}`;
}
