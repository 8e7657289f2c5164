import { badgeOfClass } from "../../core/report/build-words.ts";
import type { PastBuild, TaskReport } from "../../core/report/task-report.ts";
import { homeOf, type PageFrame, renderPage } from "./layout.ts";
import { type Markup, markup } from "./markup.ts";

export function renderTasksPage(frame: PageFrame, tasks: readonly TaskReport[]): Markup {
  const body = markup`<h1>Tasks</h1>
<p role="status">${tasks.length === 0 ? "There is no TestTask in the namespaces that are served here." : `${tasks.length} ${tasks.length === 1 ? "TestTask" : "TestTasks"}`}</p>
${tasks.map((task) => renderTask(task, homeOf(frame)))}`;
  return renderPage(frame, { title: "Tasks", section: "tasks", body });
}

function renderTask(task: TaskReport, home: string): Markup {
  const { namespace, name, jobs, problems, last, failures } = task;
  const id = `${namespace}/${name}`;
  const unready = task.conditions.filter(({ type, status }) => (type === "Degraded" ? status === "True" : status === "False"));
  return markup`<section class="task" aria-labelledby="task-${id}"><h2 id="task-${id}"><a href="${home}builds?task=${encodeURIComponent(id)}">${id}</a></h2>
${problems.map((problem) => markup`<p class="note is-hole" role="note">${problem}</p>`)}
${unready.map(({ type, reason, message }) => markup`<p class="note" role="note"><b>${type}: ${reason}</b> ${message}</p>`)}
<p>${jobs.length > 0 && markup`Serves ${jobs.map((job, index) => markup`${index > 0 && ", "}<code>${job}</code>`)}`}${task.image !== undefined && markup` with <code>${task.image}</code>`}</p>
<p class="quiet">${limitsOf(task).join("; ")}</p>
${last.length > 0 && markup`<p class="squares"><span class="quiet">Last ${last.length}, newest first:</span> ${last.map((build) => renderSquare(build, home))}</p>`}
${failures.map(
  ({ branch, failed, of, flaky }) =>
    markup`<p>Failed ${failed} of the last ${of} on <b>${branch}</b>${flaky > 0 && markup`; <b class="flaky">flaky</b>: ${flaky} of them on a patchset that has passed, too`}</p>`,
)}
</section>`;
}

function limitsOf({ isSuspended, active, maxConcurrent, pipelines, timeouts }: TaskReport): string[] {
  return [
    ...(isSuspended ? ["suspended: it takes no builds"] : []),
    `${active} under way${maxConcurrent === undefined ? "" : ` of ${maxConcurrent} at once`}`,
    ...(pipelines === undefined ? [] : [`only builds of ${pipelines.join(", ")}`]),
    ...(timeouts === undefined ? [] : [`may run ${timeouts.run}, and take ${timeouts.pull} to be prepared`]),
  ];
}

const SIGNS: Record<PastBuild["class"], string> = { success: "✓", failure: "✗", cancelled: "–", infrastructure: "?", configuration: "!" };

/** Told by its sign as well as its colour. */
function renderSquare({ number, class: look, branch }: PastBuild, home: string): Markup {
  const label = `${badgeOfClass(look).word}: ${number}${branch === undefined ? "" : ` on ${branch}`}`;
  return markup`<a class="square is-${look}" href="${home}builds/${number}" title="${label}" aria-label="${label}">${SIGNS[look]}</a>`;
}
