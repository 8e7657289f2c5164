import type { CheckoutRecord } from "../core/checkout/record.ts";
import type { BuildFile } from "../core/logs/build-file.ts";
import type { BuildDetails } from "../core/report/build-details.ts";
import type { BuildReport } from "../core/report/build-report.ts";
import type { TaskReport } from "../core/report/task-report.ts";
import type { ReadableLog } from "./logs/readable-log.ts";

/**
 * What the pages are made of; whoever puts the program together fills it. Builds are known in two ways, and pages put both together: by their
 * Jobs, as long as those are there, and by what is stored of them.
 */
export interface PageSources {
  now(): Date;
  /** By its Job, or under way without one. */
  build(number: string): BuildReport | undefined;
  /** All of these: those that have not ended first, the newest of each first. */
  builds(): Promise<readonly BuildReport[]>;
  /** What takes a question to the API server; undefined when the Job is gone. May throw. */
  details(build: BuildReport): Promise<BuildDetails | undefined>;
  /** What its pod says was checked out; nothing where there is no pod, or it has not come so far. */
  commits(build: BuildReport): readonly CheckoutRecord[];
  /** `builds` are all that are known, in the order of `builds()`. */
  tasks(builds: readonly BuildReport[]): readonly TaskReport[];
  /**
   * Of this container, while it is followed and for as long as that can be read here: the same object for all who ask, as those who read
   * the same place share the work by it. undefined where there is none; then what is stored is shown. Rejects with a BusyError where too many
   * are read.
   */
  log(build: BuildReport, container: string): Promise<ReadableLog | undefined>;
  /** Names of the containers of which `log` has one, the test's first. */
  logsOf(build: BuildReport): Promise<readonly string[]>;
  /** undefined where the configuration has none. */
  stored: StoredBuildSource | undefined;
}

/** The log store, as pages read it. Both methods reject when it does not answer. */
export interface StoredBuildSource {
  /** undefined where all of a build of this number is not there, or not there yet. */
  find(number: string): Promise<StoredBuildView | undefined>;
  /** The newest first, some thousands at most. */
  recent(): Promise<readonly BuildReport[]>;
}

export interface StoredBuildView {
  file: BuildFile;
  /** The same object for all who ask, as above. */
  log(container: string): ReadableLog | undefined;
  /** Bytes of a file that `file.artifacts` names, `[start, end)`; undefined where it is gone. */
  artifact(path: string, range: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined>;
}
