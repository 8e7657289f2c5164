import type { HttpBindings as Bindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import type { Clock } from "../runtime/clock.ts";
import { BusyError, coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { jsonAnswer, pageAnswer, SAFETY } from "./answers.ts";
import { addApi } from "./api-routes.ts";
import { AskedFor, LOG, NUMBER, Refusal } from "./asked-for.ts";
import { loadAssets } from "./assets.ts";
import { frameAt } from "./page-frames.ts";
import { addPages } from "./page-routes.ts";
import type { PageSources } from "./page-sources.ts";
import { renderProblemPage } from "./pages/problem-page.ts";

/**
 * The pages and the API: `fetch` answers a request by what `sources` know. Hono, as its router and the template that escapes (`pages/markup.ts`) are
 * one package without dependencies.
 */
export function makePublicApp(sources: PageSources, { clock, logger }: { clock: Clock; logger: Logger }) {
  const assets = loadAssets();
  const app = new Hono<{ Bindings: Partial<Bindings> }>();
  const asked = new AskedFor(sources, { clock, logger });

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

  addPages(app, sources, asked, assets);
  addApi(app, sources, asked, clock);

  app.notFound((context) => answerProblem(context, 404, "There is no such page here."));
  app.onError((error, context) => {
    if (error instanceof Refusal) return answerProblem(context, error.status, error.message);
    if (error instanceof BusyError) return answerProblem(context, 503, `${error.message}.`);
    logger.error({ err: coerceError(error), url: context.req.path }, "answers 500 after an unexpected error");
    return answerProblem(context, 500, "An unexpected error; the operator's log has it.");
  });
  return app;

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
