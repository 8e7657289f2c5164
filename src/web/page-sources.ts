import type { BuildDetails } from "../core/report/build-details.ts";
import type { BuildReport } from "../core/report/build-report.ts";
import type { TaskReport } from "../core/report/task-report.ts";
import type { ReadableLog } from "./logs/readable-log.ts";

/** What the pages are made of; whoever puts the program together fills it. */
export interface PageSources {
  now(): Date;
  build(number: string): BuildReport | undefined;
  /** What takes a question to the API server; undefined when the Job is gone. May throw. */
  details(build: BuildReport): Promise<BuildDetails | undefined>;
  /** Those that have not ended first, the newest of each first. */
  builds(): Promise<readonly BuildReport[]>;
  tasks(): Promise<readonly TaskReport[]>;
  /** Of this container; undefined where none is followed or kept. */
  log(build: BuildReport, container: string): ReadableLog | undefined;
  /** Names of the containers of which there is a log, the test's first. */
  logsOf(build: BuildReport): readonly string[];
}
