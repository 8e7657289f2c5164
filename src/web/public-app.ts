import type { HttpBindings as Bindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import { explainBuild } from "../core/report/build-words.ts";
import type { Clock } from "../runtime/clock.ts";
import { BusyError, coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { jsonAnswer, pageAnswer, SAFETY } from "./answers.ts";
import { artifactAnswer } from "./artifact-routes.ts";
import { loadAssets } from "./assets.ts";
import { parseBuildQuery, selectBuilds } from "./build-query.ts";
import { viewBuild, viewLog } from "./build-views.ts";
import { findBuild, type KnownBuild, listBuilds, openLog, readFacts } from "./known-builds.ts";
import { rawAnswer, streamAnswer } from "./log-routes.ts";
import { linesJson } from "./logs/line-json.ts";
import type { LogPosition } from "./logs/log-lines.ts";
import { findFirstError, MAX_QUERY_LENGTH, searchLog } from "./logs/log-search.ts";
import { SharedChunks } from "./logs/log-stream.ts";
import { MAX_LINES, parsePosition, readWindow, renderPosition } from "./logs/log-window.ts";
import type { ReadableLog } from "./logs/readable-log.ts";
import { SearchTurns } from "./logs/search-turns.ts";
import { frameAt } from "./page-frames.ts";
import type { PageSources } from "./page-sources.ts";
import { renderBuildPage } from "./pages/build-page.ts";
import { renderBuildsPage } from "./pages/builds-page.ts";
import { renderLogPage, renderSearchPage } from "./pages/log-page.ts";
import { LINES_A_PAGE } from "./pages/log-view.ts";
import { renderProblemPage } from "./pages/problem-page.ts";
import { renderTasksPage } from "./pages/tasks-page.ts";

/** Live readers of logs at once, of one replica; each costs a connection and a chunk. */
const MAX_READERS = 200;
const NUMBER = "/:number{[a-z0-9][-a-z0-9.]{0,252}}";
const LOG = `${NUMBER}/logs/:container{[a-z0-9][-a-z0-9]{0,62}}`;

/** What is wrong with a request, in a sentence. */
class Refusal extends Error {
  readonly status: 400 | 404 | 503;

  constructor(status: 400 | 404 | 503, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * The pages and the API: `fetch` answers a request by what `sources` know. Hono, as its router and the template that escapes (`pages/markup.ts`) are
 * one package without dependencies.
 */
export function makePublicApp(sources: PageSources, { clock, logger }: { clock: Clock; logger: Logger }) {
  const assets = loadAssets();
  const chunks = new SharedChunks();
  let readers = 0;
  const turns = new SearchTurns(clock);
  const app = new Hono<{ Bindings: Partial<Bindings> }>();

  const findKnown = async (context: Context): Promise<KnownBuild> => {
    const number = context.req.param("number") ?? "";
    let found: KnownBuild | undefined;
    try {
      found = await findBuild(sources, number);
    } catch (error) {
      logger.warn({ err: coerceError(error), build: number }, "could not look a build up in the log store");
      throw new Refusal(503, `No build ${number} has a Job here, and the log store, which may know it, does not answer.`);
    }
    if (!found) throw new Refusal(404, `No build ${number} is under way, and neither its Job nor what was stored of it is kept any more.`);
    return found;
  };
  const findLog = async (context: Context): Promise<{ build: KnownBuild; container: string; log: ReadableLog }> => {
    const build = await findKnown(context);
    const container = context.req.param("container") ?? "";
    const log = await openLog(sources, build, container);
    if (!log) throw new Refusal(404, `There is no log of a container ${container} of build ${build.report.number}.`);
    return { build, container, log };
  };
  const searching = <T>({ env, req }: Context, search: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const { incoming }: Partial<Bindings> = env ?? {};
    return turns.run(incoming?.socket.remoteAddress ?? "", req.raw.signal, search);
  };
  const queryOf = (context: Context) => {
    const parsed = parseBuildQuery(new URL(context.req.url).searchParams);
    if (!parsed.ok) throw new Refusal(400, `This is no question about builds: ${parsed.problem}.`);
    return parsed.query;
  };

  app.use(async (context, next) => {
    if (context.req.method === "GET" || context.req.method === "HEAD") return next();
    return context.text("only GET is answered here\n", 405, { ...SAFETY, allow: "GET, HEAD" });
  });
  for (const path of [
    "/",
    "/builds",
    `/builds${NUMBER}`,
    `/builds${LOG}`,
    "/tasks",
    "/api/v1/builds",
    `/api/v1/builds${NUMBER}`,
    "/api/v1/tasks",
  ]) {
    app.use(path, compress(), etag());
  }

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
    const list = selectBuilds(await listBuilds(sources), queryOf(context));
    return pageAnswer(context, renderBuildsPage(frameAt(0, assets), list, sources.now()));
  });
  app.get("/tasks", async (context) => pageAnswer(context, renderTasksPage(frameAt(0, assets), sources.tasks(await listBuilds(sources)))));
  app.get(`/builds${NUMBER}`, async (context) => {
    const view = await viewBuild(sources, await findKnown(context), "../");
    return pageAnswer(context, renderBuildPage(frameAt(1, assets), view));
  });
  app.get(`/builds${LOG}`, async (context) => {
    const {
      build: { report },
      container,
      log,
    } = await findLog(context);
    const frame = frameAt(3, assets);
    const path = `../../../builds/${report.number}/logs/${container}`;
    const text = context.req.query("q");
    if (text !== undefined) {
      const query = readSearch(text);
      const from = parsePosition(context.req.query("from"));
      const result = await searching(context, (signal) => searchLog(log, query, from, signal));
      return pageAnswer(context, renderSearchPage(frame, report, { path, query, result, isFromStart: from.offset === 0 }));
    }
    const wanted = context.req.query("line");
    const line = wanted === undefined ? undefined : Math.floor((readLine(wanted) - 1) / LINES_A_PAGE) * LINES_A_PAGE + 1;
    const view = await viewLog(log, report, container, "../../../", line);
    return pageAnswer(context, renderLogPage(frame, report, view, { isLive: !view.window.isEnded && wanted === undefined }));
  });
  app.get(`/builds${LOG}/first-error`, async (context) => {
    const { container, log } = await findLog(context);
    const { line, next } = await firstError(log, context);
    if (next) return context.redirect(`first-error?from=${renderPosition(next)}`, 303);
    if (line === undefined) throw new Refusal(404, "No line of this log looks like an error.");
    return context.redirect(`../${container}?line=${line}#L${line}`, 303);
  });
  app.get(`/builds${LOG}/raw`, async (context) => rawAnswer(context, (await findLog(context)).log));

  app.get(`/builds${NUMBER}/artifacts/:path{.+}`, async (context) => {
    const { report, stored } = await findKnown(context);
    const path = context.req.param("path");
    const file = stored?.file.artifacts?.files.find((each) => each.path === path);
    const answer = stored && file && (await artifactAnswer(context, stored, file));
    if (!answer) throw new Refusal(404, `Build ${report.number} has kept no such file.`);
    return answer;
  });

  app.get("/api/v1/builds", async (context) => {
    const { builds, total, page, pages, counts } = selectBuilds(await listBuilds(sources), queryOf(context));
    return jsonAnswer(context, { builds, total, page, pages, counts });
  });
  app.get(`/api/v1/builds${NUMBER}`, async (context) => {
    const known = await findKnown(context);
    const facts = await readFacts(sources, known);
    const words = explainBuild(known.report, facts.attempt);
    return jsonAnswer(context, { ...known.report, words, ...facts, isStored: known.stored !== undefined });
  });
  app.get("/api/v1/tasks", async (context) => jsonAnswer(context, { tasks: sources.tasks(await listBuilds(sources)) }));
  app.get(`/api/v1/builds${LOG}`, async (context) => {
    const { log } = await findLog(context);
    const count = readLine(context.req.query("count") ?? String(LINES_A_PAGE));
    if (count > MAX_LINES) throw new Refusal(400, `count may be ${MAX_LINES} at most.`);
    const window = await readWindow(log, readLine(context.req.query("from") ?? "1"), count);
    const { total, bytes, isEnded, next } = window;
    return jsonAnswer(context, { ...linesJson(window), total, bytes, isEnded, position: renderPosition(next) });
  });
  app.get(`/api/v1/builds${LOG}/search`, async (context) => {
    const { log } = await findLog(context);
    const query = readSearch(context.req.query("q") ?? "");
    const { lines, next } = await searching(context, (signal) => searchLog(log, query, parsePosition(context.req.query("from")), signal));
    return jsonAnswer(context, { ...linesJson({ lines, notes: [] }), next: next && renderPosition(next) });
  });
  app.get(`/api/v1/builds${LOG}/first-error`, async (context) => {
    const { line, next } = await firstError((await findLog(context)).log, context);
    return jsonAnswer(context, { line: line ?? null, ...(next ? { next: renderPosition(next) } : {}) });
  });
  app.get(`/api/v1/builds${LOG}/stream`, async (context) => {
    const { log } = await findLog(context);
    if (context.req.method === "HEAD") return context.body(null, 200, { ...SAFETY, "content-type": "text/event-stream; charset=utf-8" });
    if (readers >= MAX_READERS) throw new Refusal(503, `${MAX_READERS} readers follow logs here already; load the page again later.`);
    readers += 1;
    const onEnd = () => {
      readers -= 1;
    };
    return streamAnswer(context, log, { chunks, clock, onEnd });
  });

  app.notFound((context) => answerProblem(context, 404, "There is no such page here."));
  app.onError((error, context) => {
    if (error instanceof Refusal) return answerProblem(context, error.status, error.message);
    if (error instanceof BusyError) return answerProblem(context, 503, `${error.message}.`);
    logger.error({ err: coerceError(error), url: context.req.path }, "answers 500 after an unexpected error");
    return answerProblem(context, 500, "An unexpected error; the operator's log has it.");
  });
  return app;

  /** A gigabyte or so is looked through in one turn; of a longer log another one goes on at `next`. */
  function firstError(log: ReadableLog, context: Context): Promise<{ line: number | undefined; next: LogPosition | undefined }> {
    return searching(context, async (signal) => {
      let from = parsePosition(context.req.query("from"));
      for (;;) {
        const { lines, next } = await findFirstError(log, from, signal);
        const [first] = lines;
        if (first) return { line: first.number, next: undefined };
        if (!next || signal.aborted) return { line: undefined, next };
        from = next;
      }
    });
  }

  function answerProblem(context: Context, status: 400 | 404 | 500 | 503, sentence: string): Response {
    const answer = context.req.path.startsWith("/api/")
      ? jsonAnswer(context, { error: sentence }, status)
      : pageAnswer(context, renderProblemPage(frameAt(depthOf(context.req.path), assets), HEADINGS[status], sentence), status);
    if (status === 503) answer.headers.set("retry-after", "5");
    return answer;
  }
}

const HEADINGS = { 400: "That can't be answered", 404: "Not here", 500: "Something went wrong", 503: "Too much at once" } as const;

function depthOf(path: string): number {
  return Math.max(0, path.split("/").length - 2);
}

function readLine(text: string): number {
  const match = /^([1-9][0-9]{0,11})(?:-[0-9]{1,12})?$/.exec(text);
  if (!match) throw new Refusal(400, "A line is a number from 1 on.");
  return Number(match[1]);
}

function readSearch(text: string): string {
  if (text === "" || text.length > MAX_QUERY_LENGTH) throw new Refusal(400, `A search is for 1 to ${MAX_QUERY_LENGTH} characters.`);
  return text;
}
