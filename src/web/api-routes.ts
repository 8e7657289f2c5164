import type { HttpBindings as Bindings } from "@hono/node-server";
import type { Hono } from "hono";
import { explainBuild } from "../core/report/build-words.ts";
import type { Clock } from "../runtime/clock.ts";
import { jsonAnswer, SAFETY } from "./answers.ts";
import { type AskedFor, LOG, NUMBER, Refusal, readLine, readSearch } from "./asked-for.ts";
import { selectBuilds } from "./build-query.ts";
import { listBuilds, readFacts } from "./known-builds.ts";
import { streamAnswer } from "./log-routes.ts";
import { linesJson } from "./logs/line-json.ts";
import { searchLog } from "./logs/log-search.ts";
import { SharedChunks } from "./logs/log-stream.ts";
import { MAX_LINES, parsePosition, readWindow, renderPosition } from "./logs/log-window.ts";
import type { PageSources } from "./page-sources.ts";
import { LINES_A_PAGE } from "./pages/log-view.ts";

/** Live readers of logs at once, of one replica; each costs a connection and a chunk. */
const MAX_READERS = 200;

/** The same as the pages, for programs: `docs/api.md`. */
export function addApi(app: Hono<{ Bindings: Partial<Bindings> }>, sources: PageSources, asked: AskedFor, clock: Clock): void {
  const chunks = new SharedChunks();
  let readers = 0;

  app.get("/api/v1/builds", async (context) => {
    const { builds, total, page, pages, counts } = selectBuilds(await listBuilds(sources), asked.builds(context));
    return jsonAnswer(context, { builds, total, page, pages, counts });
  });
  app.get(`/api/v1/builds${NUMBER}`, async (context) => {
    const known = await asked.build(context);
    const facts = await readFacts(sources, known);
    const words = explainBuild(known.report, facts.attempt);
    return jsonAnswer(context, { ...known.report, words, ...facts, isStored: known.stored !== undefined });
  });
  app.get("/api/v1/tasks", async (context) => jsonAnswer(context, { tasks: sources.tasks(await listBuilds(sources)) }));
  app.get(`/api/v1/builds${LOG}`, async (context) => {
    const { log } = await asked.log(context);
    const count = readLine(context.req.query("count") ?? String(LINES_A_PAGE));
    if (count > MAX_LINES) throw new Refusal(400, `count may be ${MAX_LINES} at most.`);
    const window = await readWindow(log, readLine(context.req.query("from") ?? "1"), count);
    const { total, bytes, isEnded, next } = window;
    return jsonAnswer(context, { ...linesJson(window), total, bytes, isEnded, position: renderPosition(next) });
  });
  app.get(`/api/v1/builds${LOG}/search`, async (context) => {
    const { log } = await asked.log(context);
    const query = readSearch(context.req.query("q") ?? "");
    const { lines, next } = await asked.search(context, (signal) =>
      searchLog(log, query, parsePosition(context.req.query("from")), signal),
    );
    return jsonAnswer(context, { ...linesJson({ lines, notes: [] }), next: next && renderPosition(next) });
  });
  app.get(`/api/v1/builds${LOG}/first-error`, async (context) => {
    const { line, next } = await asked.firstError((await asked.log(context)).log, context);
    return jsonAnswer(context, { line: line ?? null, ...(next ? { next: renderPosition(next) } : {}) });
  });
  app.get(`/api/v1/builds${LOG}/stream`, async (context) => {
    const { log } = await asked.log(context);
    if (context.req.method === "HEAD") return context.body(null, 200, { ...SAFETY, "content-type": "text/event-stream; charset=utf-8" });
    if (readers >= MAX_READERS) throw new Refusal(503, `${MAX_READERS} readers follow logs here already; load the page again later.`);
    readers += 1;
    const onEnd = () => {
      readers -= 1;
    };
    return streamAnswer(context, log, { chunks, clock, onEnd });
  });
}
