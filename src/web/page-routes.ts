import type { HttpBindings as Bindings } from "@hono/node-server";
import type { Hono } from "hono";
import { pageAnswer, SAFETY } from "./answers.ts";
import { artifactAnswer } from "./artifact-routes.ts";
import { type AskedFor, LOG, NUMBER, Refusal, readLine, readSearch } from "./asked-for.ts";
import type { Asset, AssetRole } from "./assets.ts";
import { selectBuilds } from "./build-query.ts";
import { viewBuild, viewLog } from "./build-views.ts";
import { listBuilds } from "./known-builds.ts";
import { rawAnswer } from "./log-routes.ts";
import { searchLog } from "./logs/log-search.ts";
import { parsePosition, renderPosition } from "./logs/log-window.ts";
import { frameAt } from "./page-frames.ts";
import type { PageSources } from "./page-sources.ts";
import { renderBuildPage } from "./pages/build-page.ts";
import { renderBuildsPage } from "./pages/builds-page.ts";
import { renderLogPage, renderSearchPage } from "./pages/log-page.ts";
import { LINES_A_PAGE } from "./pages/log-view.ts";
import { renderTasksPage } from "./pages/tasks-page.ts";

/** What people look at. */
export function addPages(
  app: Hono<{ Bindings: Partial<Bindings> }>,
  sources: PageSources,
  asked: AskedFor,
  assets: Record<AssetRole, Asset>,
): void {
  app.get("/", (context) => context.redirect("builds", 302));
  app.get("/assets/:name", (context) => {
    const asset = Object.values(assets).find(({ name }) => name === context.req.param("name"));
    if (!asset) throw new Refusal(404, "There is no such file; the page that asked for it is of another version. Load it again.");
    return context.body(asset.body, 200, {
      ...SAFETY,
      "content-type": asset.contentType,
      "cache-control": "public, max-age=31536000, immutable",
    });
  });
  app.get("/builds", async (context) => {
    const list = selectBuilds(await listBuilds(sources), asked.builds(context));
    return pageAnswer(context, renderBuildsPage(frameAt(0, assets), list, sources.now()));
  });
  app.get("/tasks", async (context) => pageAnswer(context, renderTasksPage(frameAt(0, assets), sources.tasks(await listBuilds(sources)))));
  app.get(`/builds${NUMBER}`, async (context) => {
    const view = await viewBuild(sources, await asked.build(context), "../");
    return pageAnswer(context, renderBuildPage(frameAt(1, assets), view));
  });
  app.get(`/builds${LOG}`, async (context) => {
    const {
      build: { report },
      container,
      log,
    } = await asked.log(context);
    const frame = frameAt(3, assets);
    const path = `../../../builds/${report.number}/logs/${container}`;
    const text = context.req.query("q");
    if (text !== undefined) {
      const query = readSearch(text);
      const from = parsePosition(context.req.query("from"));
      const result = await asked.search(context, (signal) => searchLog(log, query, from, signal));
      return pageAnswer(context, renderSearchPage(frame, report, { path, query, result, isFromStart: from.offset === 0 }));
    }
    const wanted = context.req.query("line");
    const line = wanted === undefined ? undefined : Math.floor((readLine(wanted) - 1) / LINES_A_PAGE) * LINES_A_PAGE + 1;
    const view = await viewLog(log, report, container, "../../../", line);
    return pageAnswer(context, renderLogPage(frame, report, view, { isLive: !view.window.isEnded && wanted === undefined }));
  });
  app.get(`/builds${LOG}/first-error`, async (context) => {
    const { container, log } = await asked.log(context);
    const { line, next } = await asked.firstError(log, context);
    if (next) return context.redirect(`first-error?from=${renderPosition(next)}`, 303);
    if (line === undefined) throw new Refusal(404, "No line of this log looks like an error.");
    return context.redirect(`../${container}?line=${line}#L${line}`, 303);
  });
  app.get(`/builds${LOG}/raw`, async (context) => rawAnswer(context, (await asked.log(context)).log));

  app.get(`/builds${NUMBER}/artifacts/:path{.+}`, async (context) => {
    const { report, stored } = await asked.build(context);
    const path = context.req.param("path");
    const file = stored?.file.artifacts?.files.find((each) => each.path === path);
    const answer = stored && file && (await artifactAnswer(context, stored, file));
    if (!answer) throw new Refusal(404, `Build ${report.number} has kept no such file.`);
    return answer;
  });
}
