import type { Config } from "./config.ts";
import type { BuildReports } from "./controllers/builds/build-reports.ts";
import { reportTasks } from "./core/report/task-report.ts";
import type { BuildObjects } from "./kube/objects/build-objects.ts";
import type { TestTaskObjects } from "./kube/objects/test-task-objects.ts";
import type { Recording } from "./recording.ts";
import type { Clock } from "./runtime/clock.ts";
import type { Logger } from "./runtime/logger.ts";
import type { Service } from "./runtime/service.ts";
import { type InternalPagesOptions, makeInternalPages } from "./web/pages/internal-pages.ts";
import { makePublicApp } from "./web/public-app.ts";
import { makeHttpServer, makePageServer } from "./web/server.ts";

export interface PagesOptions {
  config: Pick<Config, "http">;
  reports: BuildReports;
  buildObjects: BuildObjects;
  taskObjects: TestTaskObjects;
  recording: Recording;
  internal: Omit<InternalPagesOptions, "clock">;
  clock: Clock;
  logger: Logger;
}

/** What is served over HTTP, put together: pages and API for people, and what is for the cluster alone. */
export interface Pages extends Service {
  /** In use, once started. */
  readonly ports: { public: number; internal: number };
}

export function makePages({ config, reports, buildObjects, taskObjects, recording, internal, clock, logger }: PagesOptions): Pages {
  const app = makePublicApp(
    {
      now: () => buildObjects.now(),
      build: (number) => reports.of(number),
      details: (build) => reports.details(build),
      builds: () => reports.all(),
      commits: (build) => reports.commits(build),
      tasks: (known) => reportTasks(taskObjects.cachedTestTasks(), known),
      log: (build, container) => recording.pageLogs.open(build, container),
      logsOf: (build) => recording.pageLogs.containers(build),
      stored: recording.stored,
    },
    { clock, logger },
  );
  const publicServer = makePageServer({ listen: config.http.public, fetch: (request, bindings) => app.fetch(request, bindings), logger });
  const internalServer = makeHttpServer({
    listen: config.http.internal,
    handler: makeInternalPages({ ...internal, clock }),
    ...(recording.uploads ? { uploads: recording.uploads } : {}),
    logger,
  });
  return {
    get ports() {
      return { public: publicServer.port, internal: internalServer.port };
    },
    async start() {
      await internalServer.start();
      await publicServer.start();
    },
    async stop() {
      await Promise.all([publicServer.stop(), internalServer.stop()]);
    },
  };
}
