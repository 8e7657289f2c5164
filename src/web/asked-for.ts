import type { HttpBindings as Bindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Clock } from "../runtime/clock.ts";
import { coerceError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { type BuildQuery, parseBuildQuery } from "./build-query.ts";
import { findBuild, type KnownBuild, openLog } from "./known-builds.ts";
import type { LogPosition } from "./logs/log-lines.ts";
import { findFirstError, MAX_QUERY_LENGTH } from "./logs/log-search.ts";
import { parsePosition } from "./logs/log-window.ts";
import type { ReadableLog } from "./logs/readable-log.ts";
import { SearchTurns } from "./logs/search-turns.ts";
import type { PageSources } from "./page-sources.ts";

export const NUMBER = "/:number{[a-z0-9][-a-z0-9.]{0,252}}";
export const LOG = `${NUMBER}/logs/:container{[a-z0-9][-a-z0-9]{0,62}}`;

/** What is wrong with a request, in a sentence. */
export class Refusal extends Error {
  readonly status: 400 | 404 | 503;

  constructor(status: 400 | 404 | 503, message: string) {
    super(message);
    this.status = status;
  }
}

/** What requests for pages and those for JSON ask for alike; each throws a Refusal where there is no such thing. */
export class AskedFor {
  readonly #sources: PageSources;
  readonly #turns: SearchTurns;
  readonly #logger: Logger;

  constructor(sources: PageSources, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#sources = sources;
    this.#turns = new SearchTurns(clock);
    this.#logger = logger;
  }

  async build(context: Context): Promise<KnownBuild> {
    const number = context.req.param("number") ?? "";
    let found: KnownBuild | undefined;
    try {
      found = await findBuild(this.#sources, number);
    } catch (error) {
      this.#logger.warn({ err: coerceError(error), build: number }, "could not look a build up in the log store");
      throw new Refusal(503, `No build ${number} has a Job here, and the log store, which may know it, does not answer.`);
    }
    if (!found) throw new Refusal(404, `No build ${number} is under way, and neither its Job nor what was stored of it is kept any more.`);
    return found;
  }

  async log(context: Context): Promise<{ build: KnownBuild; container: string; log: ReadableLog }> {
    const build = await this.build(context);
    const container = context.req.param("container") ?? "";
    const log = await openLog(this.#sources, build, container);
    if (!log) throw new Refusal(404, `There is no log of a container ${container} of build ${build.report.number}.`);
    return { build, container, log };
  }

  builds(context: Context): BuildQuery {
    const parsed = parseBuildQuery(new URL(context.req.url).searchParams);
    if (!parsed.ok) throw new Refusal(400, `This is no question about builds: ${parsed.problem}.`);
    return parsed.query;
  }

  /** When it is this one's turn. */
  search<T>({ env, req }: Context, search: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { incoming }: Partial<Bindings> = env ?? {};
    return this.#turns.run(incoming?.socket.remoteAddress ?? "", req.raw.signal, search);
  }

  /** A gigabyte or so is looked through in one turn; of a longer log another one goes on at `next`. */
  firstError(log: ReadableLog, context: Context): Promise<{ line: number | undefined; next: LogPosition | undefined }> {
    return this.search(context, async (signal) => {
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
}

export function readLine(text: string): number {
  const match = /^([1-9][0-9]{0,11})(?:-[0-9]{1,12})?$/.exec(text);
  if (!match) throw new Refusal(400, "A line is a number from 1 on.");
  return Number(match[1]);
}

export function readSearch(text: string): string {
  if (text === "" || text.length > MAX_QUERY_LENGTH) throw new Refusal(400, `A search is for 1 to ${MAX_QUERY_LENGTH} characters.`);
  return text;
}
