import { systemClock } from "../../../src/runtime/clock.ts";
import type { PageSources } from "../../../src/web/page-sources.ts";
import { makePublicApp } from "../../../src/web/public-app.ts";
import { makePageServer } from "../../../src/web/server.ts";
import { silentLogger } from "../silent-logger.ts";

/** The real server of the pages on a free port. */
export async function servePages(sources: PageSources) {
  const app = makePublicApp(sources, { clock: systemClock, logger: silentLogger });
  const server = makePageServer({
    listen: "127.0.0.1:0",
    fetch: (request, bindings) => app.fetch(request, bindings),
    logger: silentLogger,
  });
  await server.start();
  return { url: `http://127.0.0.1:${server.port}`, port: server.port, [Symbol.asyncDispose]: () => server.stop() };
}
